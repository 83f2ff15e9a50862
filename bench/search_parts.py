"""The benchmark's corpora as parts, by the engine's own writing and merging; kept until that code changes."""

import hashlib
import json
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from almanac.embeddings import base, local
from almanac.embeddings.local import NAME, SHA256
from almanac.index import encoding, merge, parts, words
from almanac.index.segments import Model, Row, Segment
from almanac.index.sources import Kind, SourceInfo
from almanac.index.visibility import Facts
from almanac.text import tokenize
from bench.report import progress
from bench.search_cache import cache
from bench.search_corpus import lines_of
from bench.search_vectors import DIMENSIONS, codes_of

MODEL = Model(name=f"local:{NAME}", fingerprint=SHA256["model_quantized.onnx"], dimensions=DIMENSIONS)
CORES = len(os.sched_getaffinity(0))
_ROWS_PER_SEGMENT = 20_000
"""Far more than in use: it is the merged part that is measured."""


class Built(NamedTuple):
    """A part in a file, and what making it took."""

    path: Path
    seconds_written: float
    seconds_merged: float
    text_bytes: int


def build(folder: Path, rows: int) -> Built:
    """Return the merged part of the corpus's first `rows` chunks."""
    target = cache("parts") / f"{rows}-{_stamp(folder)}"
    note = target / "built.json"
    if not note.exists():
        target.mkdir(exist_ok=True)
        note.write_text(json.dumps(_build(folder, rows, target)))
    made = json.loads(note.read_text())
    return Built(target / made["name"], made["written"], made["merged"], made["text_bytes"])


def open_file(path: Path) -> parts.Part:
    """Map a part's file into memory, as a reader does with its local copies (they were verified on arrival)."""
    import mmap

    with path.open("rb") as file:
        body = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return parts.open_part(body, name=path.name, key=str(path), model=MODEL, verify=False)


def segments(folder: Path, first: int, last: int, rows_per_segment: int) -> Iterator[Segment]:
    """Yield segments of whole files with the corpus's rows from `first` until `last`, their vectors quantised."""
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    sources: list[SourceInfo] = []
    rows: list[Row] = []
    begin = row = first
    lines = lines_of(folder, last, first)
    for _, chunks in groupby(lines, key=lambda line: line["document"]):
        for number, line in enumerate(chunks):
            if not number:
                sources.append(source(line))
            rows.append(_row(len(sources) - 1, line))
            row += 1
        if len(rows) >= rows_per_segment:
            yield Segment(MODEL, sources, rows, codes_of(vectors[begin:row]))
            sources, rows, begin = [], [], row
    if rows:
        yield Segment(MODEL, sources, rows, codes_of(vectors[begin:row]))


def source(line: dict[str, Any]) -> SourceInfo:
    """Return what the index knows of a chunk's file. Its id is the corpus's number of it."""
    return SourceInfo(
        source_id=f"code:rep:{line['document']}",
        version=1,
        kind=Kind.CODE,
        project_id=line["project"],
        container_id="rep",
        title=line["path"],
        path=line["path"],
        language=line["language"],
    )


def _row(place: int, line: dict[str, Any]) -> Row:
    return Row(place, line["ordinal"], line["start_line"], line["end_line"], line["text"], tuple(line["context"]))


def _build(folder: Path, rows: int, target: Path) -> dict[str, Any]:
    progress(f"parts: writing {rows:,} chunks")
    began, text_bytes = time.perf_counter(), 0
    written: list[Path] = []
    waiting: deque[Future[Path]] = deque()
    with ProcessPoolExecutor(CORES) as pool:
        for segment in segments(folder, 0, rows, _ROWS_PER_SEGMENT):
            text_bytes += sum(len(row.text.encode("utf-8", "replace")) for row in segment.rows)
            waiting.append(pool.submit(_write, segment, target))
            if len(waiting) > 2 * CORES:
                written.append(waiting.popleft().result())
        written += [future.result() for future in waiting]
    between = time.perf_counter()
    opened = [open_file(file) for file in written]
    merged = merge.merge(opened, Facts(), target, keep_history=False).current
    assert merged is not None
    ended = time.perf_counter()
    for file in written:
        file.unlink()
    return {
        "name": merged.path.name,
        "written": between - began,
        "merged": ended - between,
        "text_bytes": text_bytes,
    }


def _write(segment: Segment, target: Path) -> Path:
    encoded = encoding.encode(segment)
    file = target / f"segment-{encoded.sha256}"
    file.write_bytes(encoded.body)
    return file


def _stamp(folder: Path) -> str:
    """Return a name for the corpus and for the code that writes it."""
    digest = hashlib.sha256((folder / "vectors.json").read_bytes())
    for module in (parts, words, merge, tokenize, base, local):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:16]
