"""The search engine alone: time per query and memory per chunk, over the interpreter's own library cut into chunks."""

import random
import resource
import sysconfig
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from almanac.index.engine import Engine, Query
from almanac.index.filters import Filters
from almanac.index.segments import Model, Row, Segment
from almanac.index.sources import Kind, SourceInfo
from almanac.text.chunking import Chunk, chunk
from bench.report import Report, median, percentile, progress

MODEL = Model(name="bench:random", fingerprint="bench", dimensions=384)
SIZES = (10_000, 100_000)
QUERIES = 200
ROWS_PER_SEGMENT = 500
TARGET_MS = 21.0
"""25 ms for a warm search, less 4 ms for embedding the query."""
RARE = Filters(path="copy0/[a-c]*.py")

WORDS = "parse header return value error file read write open close socket thread lock queue import module path name"


def files() -> list[tuple[str, list[Chunk]]]:
    root = Path(sysconfig.get_paths()["stdlib"])
    found = []
    for file in sorted(root.rglob("*.py")):
        path = file.relative_to(root).as_posix()
        if "site-packages" not in path and file.stat().st_size < 200_000:
            found.append((path, chunk(file.read_text(errors="replace"), language="python", path=path)))
    return found


def segments(library: Sequence[tuple[str, list[Chunk]]], rows: int, folder: str = "copy") -> Iterator[Segment]:
    """Make segments of `rows` chunks; the library comes again under another folder as often as is needed."""
    vectors = np.random.default_rng(1)
    sources: list[SourceInfo] = []
    pending: list[Row] = []
    made = copy = 0
    while made < rows:
        for path, chunks in library:
            wanted = list(islice(chunks, rows - made))
            made += len(wanted)
            sources.append(_source(f"{folder}{copy}/{path}"))
            place = len(sources) - 1
            pending += [Row(place, c.ordinal, c.start_line, c.end_line, c.text, c.context) for c in wanted]
            if len(pending) >= ROWS_PER_SEGMENT or made == rows:
                yield Segment(MODEL, sources, pending, _vectors(vectors, len(pending)))
                sources, pending = [], []
            if made == rows:
                return
        copy += 1


def _source(path: str) -> SourceInfo:
    return SourceInfo(
        source_id=f"code:rep:{path}",
        version=1,
        kind=Kind.CODE,
        project_id="prj",
        container_id="rep",
        title=path,
        path=path,
        language="python",
    )


def _vectors(source: np.random.Generator, count: int) -> NDArray[np.int8]:
    return source.integers(-127, 128, (count, MODEL.dimensions), dtype=np.int8)


def query_times(engine: Engine, filters: Filters) -> list[float]:
    words, choose = WORDS.split(), random.Random(7)
    vectors = _vectors(np.random.default_rng(2), QUERIES + 5)
    taken = []
    for vector in vectors:
        text = " ".join(choose.sample(words, choose.randint(2, 6)))
        began = time.perf_counter()
        hits = engine.search(Query(text, vector, 0.7, filters), 10)
        taken.append((time.perf_counter() - began) * 1000)
        assert len(hits) == 10
    return taken[5:]


def measure(report: Report, library: Sequence[tuple[str, list[Chunk]]], rows: int) -> float:
    """Add the lines of one size; returns the median of a query without filters."""
    engine, text_bytes, seconds = Engine(MODEL), 0, 0.0
    for number, segment in enumerate(segments(library, rows)):
        began = time.perf_counter()
        engine.add(f"{number:064d}", segment)
        seconds += time.perf_counter() - began
        text_bytes += sum(len(row.text.encode()) for row in segment.rows)
    progress(f"search: {rows} chunks loaded in {seconds:.1f} s")
    extra = next(segments(library[50:], ROWS_PER_SEGMENT, "new"))
    plain, rare = query_times(engine, Filters()), query_times(engine, RARE)
    began = time.perf_counter()
    engine.add("f" * 64, extra)
    engine.search(Query("parse header", None, 0.7), 10)
    appended = (time.perf_counter() - began) * 1000
    report.row(
        f"{rows:,}",
        f"{median(plain):.1f} / {percentile(plain, 0.99):.1f}",
        f"{median(rare):.1f} / {percentile(rare, 0.99):.1f}",
        f"{appended:.0f} ms",
        f"{seconds / rows * 10_000:.2f} s",
        f"{text_bytes / rows:.0f}",
        f"{(engine.nbytes - text_bytes) / rows:.0f}",
    )
    return median(plain)


def main() -> None:
    progress("search: cutting the library into chunks")
    library = files()
    report = Report(
        "Search engine",
        f"Python's own library in chunks, repeated under other directories up to the size; random vectors of "
        f"{MODEL.dimensions} dimensions (similarity is exact, so their content does not matter for time). {QUERIES} "
        "queries of 2 to 6 common words, ten hits with excerpts, one thread, warm; the manifest's read and the query's "
        "embedding are not in it. The filter is a path glob that few chunks match.",
        ["chunks", "ms p50 / p99", "filtered p50 / p99", "append 500", "load 10,000", "text B/chunk", "other B/chunk"],
    )
    medians = [measure(report, library, rows) for rows in SIZES]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    progress(f"search: peak resident memory {peak:.0f} MB")
    text = f"engine p50 at {SIZES[-1]:,} chunks < {TARGET_MS:.0f} ms (25 ms with the query's embedding)"
    report.target(text, f"{medians[-1]:.1f} ms", medians[-1] < TARGET_MS)
    report.finish()


if __name__ == "__main__":
    main()
