"""tantivy over the terms that Almanac's analyzer makes: `python tantivy_words.py TERMS QUERIES FOLDER` prints JSON.

TERMS has a line of terms for each chunk. Also shows what tantivy's scores say after documents were deleted.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import tantivy

LIMIT = 1000
"""As many candidates as Almanac looks at before it fuses them with those by meaning."""


def schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("terms", tokenizer_name="whitespace", index_option="freq", stored=False)
    builder.add_unsigned_field("row", stored=False, indexed=True, fast=True)
    return builder.build()


def build(terms: Path, folder: Path) -> float:
    began = time.perf_counter()
    folder.mkdir(parents=True)
    index = tantivy.Index(schema(), path=str(folder))
    writer = index.writer(heap_size=500_000_000, num_threads=1)
    with terms.open(encoding="utf-8") as lines:
        for row, line in enumerate(lines):
            writer.add_document(document(line.rstrip("\n"), row))
    writer.commit()
    writer.wait_merging_threads()
    return time.perf_counter() - began


def document(terms: str, row: int) -> tantivy.Document:
    made = tantivy.Document()
    made.add_text("terms", terms)
    made.add_unsigned("row", row)
    return made


def query(index: tantivy.Index, terms: list[str]) -> tantivy.Query:
    wanted = [(tantivy.Occur.Should, tantivy.Query.term_query(index.schema, "terms", term)) for term in terms]
    return tantivy.Query.boolean_query(wanted)


def timed(index: tantivy.Index, queries: list[list[str]], limit: int) -> dict[str, float]:
    searcher = index.searcher()
    taken = []
    for terms in [*queries[:10], *queries]:
        began = time.perf_counter()
        searcher.search(query(index, terms), limit, count=False)
        taken.append((time.perf_counter() - began) * 1000)
    ordered = sorted(taken[10:])
    return {"p50": ordered[len(ordered) // 2], "p99": ordered[int(len(ordered) * 0.99)]}


def deleted() -> dict[str, float]:
    """Return the score of one document of three: where nine others never were, and where they were deleted."""
    scores = {}
    for name, others in (("never there", 0), ("deleted", 9)):
        with tempfile.TemporaryDirectory() as folder:
            index = tantivy.Index(schema(), path=folder)
            writer = index.writer(heap_size=15_000_000, num_threads=1)
            for row in range(others):
                writer.add_document(document("common other", 100 + row))
            for row in range(3):
                writer.add_document(document(f"common word{row}", row))
            writer.commit()
            for row in range(others):
                writer.delete_documents_by_term("row", 100 + row)
            writer.commit()
            index.reload()
            found = index.searcher().search(query(index, ["common"]), 1)
            scores[name] = found.hits[0][0]
    return scores


def main() -> None:
    terms, queries, folder = (Path(argument) for argument in sys.argv[1:4])
    note = folder.with_suffix(".json")
    if not note.exists():
        note.write_text(json.dumps(build(terms, folder)))
    asked: list[list[str]] = json.loads(queries.read_text())
    before = psutil.Process().memory_info().rss
    index = tantivy.Index.open(str(folder))
    answer: dict[str, Any] = {"build_seconds": json.loads(note.read_text())}
    answer["top10"], answer["pool"] = timed(index, asked, 10), timed(index, asked, LIMIT)
    answer["segments"] = index.searcher().num_segments
    answer["disk_bytes"] = sum(file.stat().st_size for file in folder.iterdir())
    answer["resident_bytes"] = psutil.Process().memory_info().rss - before
    answer["deleted"] = deleted()
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
