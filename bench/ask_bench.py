"""How often `POST /ask` answers what its sources answer, and refuses what they do not: the extractive answer's gate.

`python -m bench.ask_bench MODEL_DIR [DIRECTORY]` asks the questions of ask_questions.json about this repository, then
those of each set in the directory (`{"corpus", "queries", "qrels"}`; documents are called `<article>_<paragraph>_...`).
Of a set's queries each is asked three times: of the whole corpus, without the article that answers it, and without the
paragraph.
"""

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

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
from almanac.text.languages import language_of
from search.asking.extract import Meanings, Question, extract, judged
from search.asking.passages import Draft, Passage
from search.asking.service import PASSAGES

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes

ROOT = Path(__file__).parents[1]
OF_REPOSITORY = ("README.md", "docs/**/*.md", "functions/**/*.py", "layers/core/**/*.py", "template.yaml")
QUESTIONS = Path(__file__).with_name("ask_questions.json")
QUERIES = 200
SEED = 8
SENTENCES = 5


@dataclass(frozen=True)
class Text:
    """A chunk to be indexed as a source of its own, so that any number of one file's are found."""

    id: str
    title: str
    text: str
    embedded: str
    context: tuple[str, ...] = ()
    kind: Kind = Kind.MESSAGE
    language: str | None = None


Asks = Callable[[str], Awaitable[list[Draft]]]


async def prepared(texts: Sequence[Text], embedder: LocalEmbedder, meanings: Meanings) -> Asks:
    """Index texts with the engine, and return what answers a question from them."""
    sources = [
        SourceInfo(
            source_id=text.id,
            version=1,
            kind=text.kind,
            project_id="p",
            container_id="c",
            title=text.title,
            language=text.language,
        )
        for text in texts
    ]
    rows = [Row(number, 0, 0, 0, text.text, text.context) for number, text in enumerate(texts)]
    vectors = await embedder.embed_documents([text.embedded for text in texts])
    model = model_of(embedder)
    encoded = encode(Segment(model, sources, rows, vectors))
    view = View([open_part(encoded.body, name=encoded.sha256, key="bench", model=model)], Facts())

    async def ask(question: str) -> list[Draft]:
        weight = meaning_weight(question, embedder.languages)
        hits = search(view, Query(question, await embedder.embed_query(question), weight), PASSAGES)
        passages = [
            Passage(hit.info.source_id, 1, 0, hit.info.kind, hit.info.title, hit.context, hit.info.language, hit.text)
            for hit in hits
        ]
        return extract(await judged(Question(question, passages, meanings), passages), SENTENCES)

    return ask


def repository() -> list[Text]:
    """Return the chunks of this repository's documents and code."""
    texts = []
    for path in sorted({path for pattern in OF_REPOSITORY for path in ROOT.glob(pattern)}):
        name = path.relative_to(ROOT).as_posix()
        language = language_of(name)
        texts += [
            Text(f"{name}:{part.ordinal}", name, part.text, embedding_text(part), part.context, Kind.CODE, language)
            for part in chunk(path.read_text(), language=language)
        ]
    return texts


async def of_repository(asked: dict[str, list[str]], embedder: LocalEmbedder, meanings: Meanings) -> None:
    """Print how many questions of each kind are answered."""
    ask = await prepared(repository(), embedder, meanings)
    for kind, questions in asked.items():
        answers = [await ask(question) for question in questions]
        print(f"this repository, {kind}: {sum(map(bool, answers))} of {len(questions)} answered")


async def of_set(content: dict[str, Any], label: str, embedder: LocalEmbedder, meanings: Meanings) -> None:
    """Print how often a set's queries are answered with and without what answers them."""
    texts = [Text(name, "", text, text) for name, text in content["corpus"].items()]
    chosen = random.Random(SEED).sample(sorted(content["queries"]), min(QUERIES, len(content["queries"])))
    ask = await prepared(texts, embedder, meanings)
    whole = [(content["qrels"][query], await ask(content["queries"][query])) for query in chosen]
    right = [any(draft.quotes[0].passage.source_id in grades for draft in drafts) for grades, drafts in whole]
    print(f"{label}: answered {mean(bool(drafts) for _, drafts in whole):.3f}, rightly {mean(right):.3f}")
    for depth, name in ((1, "article"), (2, "paragraph")):
        answered = []
        for group, queries in grouped(chosen, content["qrels"], depth).items():
            left = [text for text in texts if prefix(text.id, depth) != group]
            without = await prepared(left, embedder, meanings)
            answered += [bool(await without(content["queries"][query])) for query in queries]
        print(f"{label}: answered without the {name} {mean(answered):.3f}")


def grouped(queries: Iterable[str], qrels: dict[str, dict[str, int]], depth: int) -> dict[str, list[str]]:
    """Return queries by the article, or paragraph, that answers them."""
    groups: dict[str, list[str]] = {}
    for query in queries:
        groups.setdefault(prefix(next(iter(qrels[query])), depth), []).append(query)
    return groups


def prefix(name: str, depth: int) -> str:
    return "_".join(name.split("_")[:depth])


class Remembering(LocalEmbedder):
    """Embeds each text once: the sets are indexed many times over."""

    def __init__(self, model_dir: Path) -> None:
        super().__init__(model_dir)
        self._known: dict[str, Codes] = {}

    async def embed_documents(self, texts: Sequence[str]) -> "Codes":
        import numpy as np

        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            self._known.update(zip(missing, await super().embed_documents(missing), strict=True))
        return np.array([self._known[text] for text in texts], np.int8).reshape(len(texts), self.dimensions)


async def run(model_dir: Path, files: Sequence[Path]) -> None:
    embedder = Remembering(model_dir)
    meanings = Meanings(embedder)
    await of_repository(json.loads(QUESTIONS.read_text()), embedder, meanings)
    for file in files:
        await of_set(json.loads(file.read_text()), file.stem, embedder, meanings)


def main(model_dir: str, directory: str | None = None) -> None:
    files = sorted(Path(directory).glob("xquad*.json")) if directory else []
    asyncio.run(run(Path(model_dir), files))


if __name__ == "__main__":
    main(*sys.argv[1:3])
