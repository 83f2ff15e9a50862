"""How well contradictions are told: on pairs of statements, and as false alarms on this repository's documentation.

`python -m bench.contradictions MODEL_DIR`
"""

import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from almanac.embeddings.local import LocalEmbedder
from almanac.index.encoding import encode
from almanac.index.fusion import meaning_weight
from almanac.index.ingest import model_of
from almanac.index.parts import open_part
from almanac.index.retrieval import Query, search
from almanac.index.segments import Row, Segment
from almanac.index.sources import Kind, SourceInfo
from almanac.index.visibility import Facts, View
from almanac.text.chunking import chunk, embedding_text
from bench.ask_bench import QUESTIONS, ROOT
from search.asking import contradictions
from search.asking.extract import Meanings, Question, judged
from search.asking.passages import Passage
from search.asking.service import PASSAGES

PAIRS = Path(__file__).with_name("contradictions.json")


async def found(question: str, passages: Sequence[Passage], meanings: Meanings) -> int:
    """Return how many contradictions are told with the answer to a question."""
    asked = Question(question, passages, meanings)
    return len(contradictions.found_in(asked, await judged(asked, passages)))


async def of_pairs(meanings: Meanings) -> None:
    pairs = json.loads(PAIRS.read_text())
    right = 0
    for pair in pairs:
        passages = [_passage(f"{n}", f"{n}", "", text) for n, text in enumerate(pair["statements"])]
        judgement = bool(await found(pair["question"], passages, meanings)) == pair["contradict"]
        right += judgement
        if not judgement:
            print("wrong:", pair)
    print(f"pairs judged rightly: {right} of {len(pairs)}")


async def of_documentation(embedder: LocalEmbedder, meanings: Meanings) -> None:
    """Print how many questions to the documentation are answered with a contradiction: it is meant to have none."""
    paths = [*sorted(ROOT.glob("docs/*.md")), ROOT / "README.md"]
    pieces = [(path.name, piece) for path in paths for piece in chunk(path.read_text(), language="markdown")]
    sources = [_info(f"{name}:{piece.ordinal}", name) for name, piece in pieces]
    rows = [Row(n, 0, 0, 0, piece.text, piece.context) for n, (_, piece) in enumerate(pieces)]
    vectors = await embedder.embed_documents([embedding_text(piece) for _, piece in pieces])
    encoded = encode(Segment(model_of(embedder), sources, rows, vectors))
    view = View([open_part(encoded.body, name=encoded.sha256, key="bench", model=model_of(embedder))], Facts())
    questions = [question for several in json.loads(QUESTIONS.read_text()).values() for question in several]
    alarms = 0
    for question in questions:
        weight = meaning_weight(question, embedder.languages)
        hits = search(view, Query(question, await embedder.embed_query(question), weight), PASSAGES)
        passages = [_passage(hit.info.source_id, hit.info.title, hit.context, hit.text) for hit in hits]
        alarms += bool(await found(question, passages, meanings))
    print(f"questions with a contradiction: {alarms} of {len(questions)}")


def _info(source_id: str, document: str) -> SourceInfo:
    return SourceInfo(
        source_id=source_id,
        version=1,
        kind=Kind.DOCUMENT,
        project_id="",
        container_id="",
        group_id=document,
        title=document,
    )


def _passage(source_id: str, document: str, context: str, text: str) -> Passage:
    info = _info(source_id, document)
    return Passage(source_id, 1, 0, Kind.DOCUMENT, document, context, None, text, info=info)


async def run(model_dir: Path) -> None:
    embedder = LocalEmbedder(model_dir)
    meanings = Meanings(embedder)
    await of_pairs(meanings)
    await of_documentation(embedder, meanings)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1])))
