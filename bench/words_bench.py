"""Words alone: Almanac's postings beside tantivy over the same terms. `python -m bench.words_bench [SIZE ...]`."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from almanac.index.segments import Row, searchable_text
from almanac.text import tokenize
from almanac.text.tokenize import terms
from bench.report import Report, progress
from bench.search_bench import alone, prepare
from bench.search_cache import cache
from bench.search_corpus import lines_of
from bench.search_parts import build, open_file, source
from bench.search_peers import PEERS, environment

SIZES = (100_000, 1_000_000)
WORD_SECTIONS = ("word_terms", "word_starts", "word_rows", "word_counts", "row_lengths")


def main() -> None:
    sizes = tuple(map(int, sys.argv[1:])) or SIZES
    folder, _ = prepare(sizes)
    report = Report(
        "Words: own postings or tantivy",
        "The questions above over the terms that Almanac's analyzer makes of each chunk with its path and context; "
        "tantivy gets the same terms, split at spaces, and gives numbers of documents only. Almanac answers from 1,000 "
        "candidates (pages, explanations and fusion need them) and makes ten hits with texts and excerpts; tantivy "
        "with 1,000 candidates and with 10. One core, warm, milliseconds.",
        ["chunks", "Almanac p50 / p99", "tantivy, 1,000", "tantivy, 10", "Almanac MB", "tantivy MB", "tantivy build s"],
    )
    for rows in sizes:
        part = build(folder, rows).path
        ours = alone("search_engine", "words", part, folder)
        theirs = _tantivy(folder, rows)
        sections = open_file(part).header.sections
        report.row(
            f"{rows:,}",
            f"{ours['p50']:.1f} / {ours['p99']:.1f}",
            f"{theirs['pool']['p50']:.1f} / {theirs['pool']['p99']:.1f}",
            f"{theirs['top10']['p50']:.1f} / {theirs['top10']['p99']:.1f}",
            f"{sum(sections[name][1] for name in WORD_SECTIONS) / 1e6:.0f}",
            f"{theirs['disk_bytes'] / 1e6:.0f}",
            f"{theirs['build_seconds']:.0f}",
        )
        scores = theirs["deleted"]
    report.method += (
        "\n\nWhat decided for own postings is not speed. In tantivy a document's score counts deleted documents for as "
        "long as their segment is not merged: measured here, the same document of three scores "
        f"{scores['never there']:.4f} where nine others never were, {scores['deleted']:.4f} where these were deleted. "
        "An index that grew would rank otherwise than one built anew, and deleted texts would go on to show in scores."
    )
    report.finish()


def _tantivy(folder: Path, rows: int) -> dict[str, Any]:
    target = cache("terms")
    stamp = hashlib.sha256(Path(str(tokenize.__file__)).read_bytes() + folder.name.encode()).hexdigest()[:12]
    file, queries = target / f"{rows}-{stamp}.txt", target / "questions.json"
    if not file.exists():
        progress(f"words: analyzing {rows:,} chunks for tantivy")
        with file.with_suffix(".part").open("w", encoding="utf-8", errors="replace") as out:
            for line in lines_of(folder, rows):
                row = Row(0, line["ordinal"], 0, 0, line["text"], tuple(line["context"]))
                out.write(" ".join(terms(searchable_text(source(line), row))) + "\n")
        file.with_suffix(".part").rename(file)
    questions = json.loads((folder / "questions.json").read_text())
    queries.write_text(json.dumps([list(dict.fromkeys(terms(question["text"]))) for question in questions]))
    core = str(max(os.sched_getaffinity(0)))
    index = cache("built") / f"tantivy-{rows}-{stamp}"
    command = ["taskset", "-c", core, str(environment()), str(PEERS / "tantivy_words.py")]
    settings = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [*command, str(file), str(queries), str(index)], stdout=subprocess.PIPE, text=True, check=True, env=settings
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    main()
