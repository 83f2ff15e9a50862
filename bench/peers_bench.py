"""The search engine beside its peers: the same texts, vectors, questions. `python -m bench.peers_bench [SIZE]`."""

import json
import sys
from pathlib import Path
from typing import Any

from bench import search_peers
from bench.report import Report
from bench.search_bench import alone, documents, prepare
from bench.search_parts import build
from bench.search_vectors import truth_of

SIZE = 100_000
NAMES = ("chroma", "lancedb", "sqlite", "pgvector", "hnswlib", "usearch")
BARE = {"hnswlib", "usearch"}
"""Libraries of vectors without texts or words: shown for comparison, they answer no search."""
ENOUGH = 0.99


def main() -> None:
    rows = int(sys.argv[1]) if sys.argv[1:] else SIZE
    folder, _ = prepare((rows,))
    truth_of(folder, rows)
    ours = alone("search_engine", "warm", build(folder, rows).path, folder)
    peers = {name: search_peers.run(name, folder, rows) for name in NAMES}
    # Once more, since the machine may have changed its pace in between: the slower of both counts.
    again = alone("search_engine", "warm", build(folder, rows).path, folder)
    report = Report(
        "Search beside its peers",
        f"{rows:,} chunks, the same texts, float32 vectors and questions as above, each product in a process of its "
        "own (PostgreSQL: its processes) on the same core, warm, ten hits with their texts. Vectors: at the setting "
        f"that first reaches recall@10 >= {ENOUGH} against exact search (else the best that was tried), and at the "
        "default. Hybrid: vectors at that setting and words, fused as named. Filtered: one project of a hundred. "
        "Almanac shows one hit a file, the peers one a chunk. Found: questions whose own file is among the ten. "
        "Memory: what opening and asking added; of PostgreSQL, the processes' proportional share; files' pages that "
        "only the system caches are not in it. Chroma has no ranking by words when it runs locally; hnswlib and "
        "usearch have neither words nor texts.",
        [
            "ms p50 / p99",
            "hybrid",
            "vectors",
            "setting, recall",
            "default, recall",
            "filtered",
            "page full",
            "found",
            "build s",
            "disk MB",
            "memory MB",
        ],
    )
    of_row = documents(folder, rows)
    _ours(report, ours, again, folder, rows)
    for figures in peers.values():
        if not isinstance(figures, str):
            _peer(report, figures, folder, of_row)
    for name, figures in peers.items():
        if isinstance(figures, str):
            report.method += f"\n\n{name} did not run: {figures}."
    hybrid = max(ours["hybrid"]["p50"], again["hybrid"]["p50"])
    dense = max(ours["dense"]["p50"], again["dense"]["p50"])
    for name, figures in peers.items():
        if isinstance(figures, str) or name in BARE:
            continue
        best = figures["dense"][-1]
        if "hybrid" in figures:
            theirs = figures["hybrid"]["p50"]
            report.target(
                f"no slower than {figures['name']}, hybrid", f"{hybrid:.1f} to {theirs:.1f} ms", hybrid <= theirs
            )
        enough = best["recall"] >= ENOUGH
        note = "" if enough else f" (its recall {best['recall']:.3f})"
        report.target(
            f"no slower than {figures['name']}, vectors alone",
            f"{dense:.1f} to {best['p50']:.1f} ms{note}",
            dense <= best["p50"] or not enough,
        )
    report.finish()


def _ours(report: Report, ours: dict[str, Any], again: dict[str, Any], folder: Path, rows: int) -> None:
    from bench.search_bench import answered, recall

    built = build(folder, rows)
    exact = recall(folder, rows, ours["dense_found"], truth_of(folder, rows).rows)
    for name, figures in (("Almanac", ours), ("Almanac, after the others", again)):
        report.row(
            name,
            _times(figures["hybrid"]),
            _times(figures["dense"]),
            f"exact int8, {exact:.4f}",
            "the same",
            _times(figures["project"]),
            f"{figures['project']['full']:.0%}",
            f"{answered(folder, figures['hybrid_found']):.2f}",
            f"{built.seconds_written + built.seconds_merged:.0f}",
            f"{built.path.stat().st_size / 1e6:.0f}",
            f"{figures['resident'] / 1e6:.0f}",
        )


def _peer(report: Report, figures: dict[str, Any], folder: Path, of_row: list[int]) -> None:
    default, best = figures["dense"][0], figures["dense"][-1]
    filtered = figures.get("hybrid_filtered") or figures.get("dense_filtered")
    report.row(
        figures["name"],
        f"{_times(figures['hybrid'])} ({figures['hybrid_how']})" if "hybrid" in figures else "none",
        _times(best),
        f"{best['setting']}, {best['recall']:.4f}",
        f"{_times(default)}, {default['recall']:.3f}",
        _times(filtered) if filtered else "none",
        f"{filtered['full']:.0%}" if filtered else "-",
        _found(figures, folder, of_row),
        f"{figures['build_seconds']:.0f}",
        f"{figures['disk_bytes'] / 1e6:.0f}",
        f"{figures['resident_bytes'] / 1e6:.0f}",
    )


def _found(figures: dict[str, Any], folder: Path, of_row: list[int]) -> str:
    if "answers" not in figures:
        return "-"
    wanted = [question["document"] for question in json.loads((folder / "questions.json").read_text())]
    pages = list(zip(wanted, figures["answers"], strict=False))
    return f"{sum(document in {of_row[row] for row in page} for document, page in pages) / len(pages):.2f}"


def _times(figures: dict[str, float]) -> str:
    return f"{figures['p50']:.1f} / {figures['p99']:.1f}"


if __name__ == "__main__":
    main()
