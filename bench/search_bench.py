"""The search engine on real text: queries, filters, memory, opening and appending, one process and one core each.

`python -m bench.search_bench [SIZE ...]` measures those sizes; ALMANAC_BENCH_QUICK=1 stands for 10000 alone.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench import search_corpus, search_parts, search_vectors
from bench.report import Report, median, percentile, progress
from bench.search_cache import cache

SIZES = (10_000, 100_000, 1_000_000)
LIMITS_MS = {100_000: (12.0, 25.0), 1_000_000: (60.0, None)}
RECALL = 0.99
GROWTH = 6.0
BYTES_PER_CHUNK = 700
APPEND_MS = 150.0
MAPPED_MS = 150.0
COLD_MS = 1500.0
OPENED_TIMES = 5
EMBEDDED = 10_000

Figures = dict[str, Any]


def alone(module: str, *arguments: object) -> Figures:
    """Run a measurement in a process of its own, on one core, and return what it prints last."""
    core = str(max(os.sched_getaffinity(0)))
    environment = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")}
    command = ["taskset", "-c", core, sys.executable, "-m", f"bench.{module}", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    answer: Figures = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def prepare(sizes: tuple[int, ...]) -> tuple[Path, int]:
    """Return the folder of the corpus with everything for these sizes, and how many vectors are the model's own."""
    # A segment to be appended lies behind the corpus that it is appended to.
    rows = max(*sizes, sizes[0] + 10_000)
    folder = search_corpus.texts(rows)
    return folder, search_vectors.make(folder, rows, EMBEDDED)


def measure(folder: Path, rows: int) -> Figures:
    built = search_parts.build(folder, rows)
    progress(f"search: measuring {rows:,} chunks")
    figures = alone("search_engine", "warm", built.path, folder)
    truth = search_vectors.truth_of(folder, rows)
    figures["recall"] = recall(folder, rows, figures.pop("dense_found"), truth.rows)
    figures["found"] = answered(folder, figures.pop("hybrid_found"))
    figures["built"] = built._asdict() | {"path": str(built.path), "size": built.path.stat().st_size}
    figures["nearest"] = [float(truth.cosines[:, place].mean()) for place in (0, search_vectors.TOP - 1)]
    opened = [alone("search_engine", "opening", built.path, folder)["milliseconds"] for _ in range(OPENED_TIMES)]
    figures["opening"] = median(opened)
    if rows < 1_000_000:
        figures["append"] = alone("search_engine", "appending", built.path, folder, rows)
    if rows == 100_000:
        figures["cold"] = _cold(built.path, folder)
    return figures


def recall(folder: Path, rows: int, found: list[list[int]], truth: np.ndarray) -> float:
    """Return how many of the ten files with the nearest chunks, by exact float32 search, are among the answers."""
    of_row = documents(folder, rows)
    shares = []
    for mine, nearest in zip(found, truth.tolist(), strict=True):
        wanted = list(dict.fromkeys(of_row[row] for row in nearest))[: search_vectors.TOP]
        shares.append(len(set(mine) & set(wanted)) / len(wanted))
    return sum(shares) / len(shares)


def documents(folder: Path, rows: int) -> list[int]:
    return [line["document"] for line in search_corpus.lines_of(folder, rows)]


def answered(folder: Path, found: list[list[int]]) -> float:
    """Return the share of questions whose own file is among the first ten answers."""
    wanted = [question["document"] for question in json.loads((folder / "questions.json").read_text())]
    return sum(document in page for document, page in zip(wanted, found, strict=True)) / len(wanted)


def keep(name: str, figures: Figures) -> None:
    """Keep figures for the benchmarks that need them as well."""
    (cache("results") / f"{name}.json").write_text(json.dumps(figures))


def kept(name: str) -> Figures:
    figures: Figures = json.loads((cache("results") / f"{name}.json").read_text())
    return figures


def main() -> None:
    quick = os.environ.get("ALMANAC_BENCH_QUICK")
    sizes = tuple(map(int, sys.argv[1:])) or ((SIZES[0],) if quick else SIZES)
    folder, real = prepare(sizes)
    figures = {rows: measure(folder, rows) for rows in sizes}
    if not quick:
        keep("search", {str(rows): each for rows, each in figures.items()})
    report = Report("Search engine", _method(folder, real, figures), ["", *(f"{rows:,} chunks" for rows in sizes)])
    for label, cell in _ROWS:
        report.row(label, *(cell(figures[rows]) for rows in sizes))
    _targets(report, figures)
    report.finish()


def _cold(part: Path, folder: Path) -> Figures:
    """The store has the other core."""
    environment = dict(os.environ)
    command = [sys.executable, "-m", "bench.search_cold", str(part), str(folder)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    answer: Figures = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def _times(figures: Figures, name: str) -> str:
    return f"{figures[name]['p50']:.1f} / {figures[name]['p99']:.1f}"


_ROWS: list[tuple[str, Callable[[Figures], str]]] = [
    ("hybrid query, ms p50 / p99", lambda f: _times(f, "hybrid")),
    ("of it the processor's own, ms p50", lambda f: f"{f['hybrid']['processor_p50']:.1f}"),
    ("filtered to 1% (one project of 100)", lambda f: _times(f, "project")),
    ("filtered by a path glob", lambda f: _times(f, "glob")),
    ("words alone", lambda f: _times(f, "words")),
    ("vectors alone", lambda f: _times(f, "dense")),
    ("recall@10, files, to exact float32", lambda f: f"{f['recall']:.4f}"),
    ("same ten as the exhaustive search", lambda f: f"{f['same_as_exhaustive']:.4f}"),
    ("question's own file in the first ten", lambda f: f"{f['found']:.2f}"),
    ("resident bytes a chunk after 300 queries", lambda f: f"{f['resident'] / f['rows']:.0f}"),
    ("of these without text (columns)", lambda f: f"{f['nbytes'] / f['rows']:.0f}"),
    ("the part's file, bytes a chunk", lambda f: f"{f['built']['size'] / f['rows']:.0f}"),
    ("mapped file to first answer, ms", lambda f: f"{f['opening']:.0f}"),
    ("500 more until found, ms median / worst", lambda f: _appended(f)),
    (
        "writing parts, merging them, s",
        lambda f: f"{f['built']['seconds_written']:.0f}, {f['built']['seconds_merged']:.0f}",
    ),
    ("cosine of a question to its 1st and 10th", lambda f: " and ".join(f"{value:.3f}" for value in f["nearest"])),
]


def _appended(figures: Figures) -> str:
    if "append" not in figures:
        return "-"
    return f"{median(figures['append']['visible']):.0f} / {max(figures['append']['visible']):.0f}"


def _targets(report: Report, figures: dict[int, Figures]) -> None:
    for rows, (p50, p99) in LIMITS_MS.items():
        if rows in figures:
            measured = figures[rows]["hybrid"]
            report.target(f"{rows:,}: p50 < {p50:.0f} ms", f"{measured['p50']:.1f} ms", measured["p50"] < p50)
            if p99 is not None:
                report.target(f"{rows:,}: p99 < {p99:.0f} ms", f"{measured['p99']:.1f} ms", measured["p99"] < p99)
    worst = min(each["recall"] for each in figures.values())
    report.target(f"recall@10 >= {RECALL}", f"{worst:.4f}", worst >= RECALL)
    same = min(each["same_as_exhaustive"] for each in figures.values())
    report.target("pruning changes no answer", f"{same:.4f}", same == 1)
    if {100_000, 1_000_000} <= figures.keys():
        growth = figures[1_000_000]["hybrid"]["p50"] / figures[100_000]["hybrid"]["p50"]
        report.target(f"growth from 100,000 to 1,000,000 under {GROWTH:.0f}x", f"{growth:.1f}x", growth < GROWTH)
    for rows, each in figures.items():
        slower = each["project"]["p50"] / each["hybrid"]["p50"]
        report.target(f"{rows:,}: a filter for 1% is no slower", f"{slower:.2f}x", slower <= 1)
        if rows > SIZES[0]:
            report.target(
                f"{rows:,}: and fills the page", f"{each['project']['full']:.0%}", each["project"]["full"] == 1
            )
    largest = max(figures)
    most = figures[largest]["nbytes"] / largest
    report.target(
        f"resident under {BYTES_PER_CHUNK} B a chunk beyond its text", f"{most:.0f} B", most < BYTES_PER_CHUNK
    )
    if 100_000 in figures:
        hundred = figures[100_000]
        appended = percentile(hundred["append"]["visible"], 1)
        report.target(f"500 chunks visible in < {APPEND_MS:.0f} ms", f"{appended:.0f} ms at most", appended < APPEND_MS)
        report.target(
            f"100,000 chunks, mapped: first answer < {MAPPED_MS:.0f} ms",
            f"{hundred['opening']:.0f} ms",
            hundred["opening"] < MAPPED_MS,
        )
        cold = median(hundred["cold"]["first"])
        report.target(f"100,000 chunks, from S3: first answer < {COLD_MS:.0f} ms", f"{cold:.0f} ms", cold < COLD_MS)


def _method(folder: Path, real: int, figures: dict[int, Figures]) -> str:
    counts = json.loads((folder / "counts.json").read_text())
    distinct = counts["rows"] - counts["repeated"]
    first, tenth = search_vectors.neighbours(folder, range(min(real, 10_000)))
    apart = np.linspace(real, counts["rows"] - 1, 10_000).astype(int).tolist() if counts["rows"] > 2 * real else []
    resampled = search_vectors.neighbours(folder, apart) if apart else (0.0, 0.0)
    return (
        f"Real code and prose: the interpreter's library and {len(search_corpus.WHEELS.read_text().split())} packages "
        f"from PyPI, {distinct:,} chunks that differ; what a corpus has beyond those is chunks again with one word in "
        f"five exchanged. The first {real:,} chunks have the embedded model's own vectors; each further one has that "
        "of the nearest chunk by path that was embedded, plus gaussian noise with the covariance of the real vectors "
        f"(sigma {search_vectors.SIGMA} of their spread), normalised. Among 10,000 chunks the mean cosine to the "
        f"nearest and tenth nearest other is {first:.3f} and {tenth:.3f} for real vectors, {resampled[0]:.3f} and "
        f"{resampled[1]:.3f} for resampled ones.\n\n"
        f"{search_corpus.QUERIES} questions: first sentences of functions' documentation, taken out of the files "
        "before these were cut, with the model's vectors. Each measurement in a process of its own on one core; ten "
        "hits (one a file) with excerpts. The manifest's read and the question's embedding are not in it. Resident "
        "memory is what the process has more than before it opened the part, with the pages of texts that hits "
        "touched. An appended segment is opened from its bytes, checksum included, until an answer shows it."
        + _cold_method(figures)
    )


def _cold_method(figures: dict[int, Figures]) -> str:
    if "cold" not in figures.get(100_000, {}):
        return ""
    cold = figures[100_000]["cold"]
    firsts = ", ".join(f"{value:.0f}" for value in cold["first"])
    return (
        f" From S3 (moto's server on the other core): a reader without copies, {firsts} ms; the server alone takes "
        f"{cold['one_get']:.0f} ms to give the object in one piece."
    )


if __name__ == "__main__":
    main()
