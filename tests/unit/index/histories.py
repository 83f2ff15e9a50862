"""What the index tests share: small worlds of sources, segments made of them, and views."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from almanac.index.encoding import encode
from almanac.index.filters import Filters
from almanac.index.parts import Part, open_part
from almanac.index.retrieval import Hit, Query, search
from almanac.index.segments import Model, Row, Segment
from almanac.index.sources import Kind, SourceInfo, SourceRef
from almanac.index.visibility import Facts, View

MODEL = Model(name="test:hash", fingerprint="f1", dimensions=8)
WORDS = ["parse", "header", "queue", "retry", "lease", "commit", "vector", "index", "алмаз", "shard"]


def vector_of(text: str) -> NDArray[np.int8]:
    """Return a vector that is a pure function of the text; texts that share words are near."""
    total = np.zeros(MODEL.dimensions)
    for word in text.split() or [""]:
        digest = hashlib.sha256(word.encode()).digest()[: MODEL.dimensions]
        total += np.frombuffer(digest, np.uint8).astype(float) - 127.5
    vector: NDArray[np.int8] = np.rint(total / np.abs(total).max() * 127).astype(np.int8)
    return vector


def info(number: int, version: int = 1, **changes: object) -> SourceInfo:
    fields: dict[str, object] = {
        "source_id": f"message:{number:03d}",
        "version": version,
        "kind": list(Kind)[number % 3],
        "project_id": f"prj_{number % 2}",
        "container_id": f"chk_{number % 3}",
        "group_id": f"doc_{number % 4}" if number % 4 else None,
        "title": f"title {number}",
        "path": f"src/{'abc'[number % 3]}/file{number}.py" if number % 3 == 0 else None,
        "language": ["Python", "markdown", None][number % 3],
        "author": f"Ann <ann{number % 4}@example.org>",
        "occurred_at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number) if number % 5 else None,
    }
    return SourceInfo.model_validate(fields | changes)


def segment(sources: Sequence[tuple[SourceInfo, Sequence[str]]], deleted: Iterable[SourceRef] = ()) -> Segment:
    """Make a segment of sources, each with the texts of its chunks."""
    rows = [
        Row(place, ordinal, ordinal * 10 + 1, ordinal * 10 + 10, text)
        for place, (_, texts) in enumerate(sources)
        for ordinal, text in enumerate(texts)
    ]
    vectors = np.array([vector_of(row.text) for row in rows], np.int8).reshape(-1, MODEL.dimensions)
    return Segment(MODEL, [source for source, _ in sources], rows, vectors, tuple(deleted))


def part_of(made: Segment) -> Part:
    name, body = encode(made)
    return open_part(body, name=name, key=name, model=made.model)


def view_of(*segments: Segment, facts: Facts | None = None) -> View:
    return View([part_of(each) for each in segments], facts or Facts())


def query(text: str, *, meaning_weight: float = 0.7, filters: Filters | None = None) -> Query:
    return Query(text, vector_of(text), meaning_weight, filters or Filters())


def answer(view: View, asked: Query, limit: int = 50) -> list[Hit]:
    return search(view, asked, limit)
