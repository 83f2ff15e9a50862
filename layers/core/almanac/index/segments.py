"""Segments: immutable objects of rows and their vectors, named by the SHA-256 of their bytes.

The format is written down in docs/index-format.md. Everything here is pure: bytes in, values out.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from almanac.events import Origin
from almanac.index.sources import SourceInfo, SourceRef

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC = b"ALMSEG\r\n"
FORMAT = 1
_PREFIX = struct.Struct("<8sI")
_ALIGNMENT = 64
_COMPRESSION_LEVEL = 6


class CorruptSegment(Exception):
    """The object under `key` is missing, or is not what was written there."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"segment {key}: {reason}")
        self.key = key
        self.reason = reason


class ModelMismatch(Exception):
    """Vectors of another embedding model were about to enter an index."""


class Model(BaseModel):
    """The embedding model that made the vectors. `fingerprint` tells apart what shares a name and a dimension count."""

    model_config = ConfigDict(frozen=True)

    name: str
    fingerprint: str
    dimensions: int


class Row(NamedTuple):
    """A chunk: `source` is its source's place in the segment, `ordinal` its place in the source.

    Lines count from 1, both ends included; both are 0 where lines mean nothing. `context` names what encloses the chunk
    (headings, classes, functions), outermost first.
    """

    source: int
    ordinal: int
    start_line: int
    end_line: int
    text: str
    context: tuple[str, ...] = ()


@dataclass(frozen=True)
class Segment:
    """What one batch adds to an index: sources, their rows in order, one vector for each row, and tombstones.

    `vectors` is int8, [rows, dimensions]; None when nothing is embedded yet. A source without rows replaces its earlier
    versions with nothing. `tombstones` are sources that a repository no longer has: they still answer for the past.
    `erased` are sources that somebody deleted: nothing of them is ever shown again.
    """

    model: Model
    sources: Sequence[SourceInfo]
    rows: Sequence[Row]
    vectors: "NDArray[np.int8] | None"
    tombstones: Sequence[SourceRef] = ()
    origin: Origin | None = None
    erased: Sequence[SourceRef] = ()


class EncodedSegment(NamedTuple):
    """A segment's bytes and their name."""

    sha256: str
    body: bytes


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True)

    format: int
    model: Model
    rows: int
    sources: int
    tombstones: int
    origin: Origin | None
    sections: dict[str, tuple[int, int]]


def encode(segment: Segment) -> EncodedSegment:
    """Return the object of a segment; equal segments give equal bytes. Raises `ValueError` on an inconsistent one."""
    _check(segment)
    sections = {
        "sources": _lines(source.model_dump(mode="json", exclude_none=True) for source in segment.sources),
        "rows": _lines(row._asdict() for row in segment.rows),
        "vectors": _codes(segment).tobytes("C"),
        "tombstones": _lines(ref.model_dump() for ref in segment.tombstones),
    }
    places, body = _lay_out(sections)
    header = _Header(
        format=FORMAT,
        model=segment.model,
        rows=len(segment.rows),
        sources=len(segment.sources),
        tombstones=len(segment.tombstones),
        origin=segment.origin,
        sections=places,
    )
    # Spaces after the JSON let the sections begin at a multiple of the alignment, for a reader that maps the file.
    text = header.model_dump_json().encode()
    text += b" " * (-(_PREFIX.size + len(text)) % _ALIGNMENT)
    whole = _PREFIX.pack(MAGIC, len(text)) + text + body
    return EncodedSegment(hashlib.sha256(whole).hexdigest(), whole)


def decode(body: bytes | None, *, key: str, sha256: str, model: Model) -> Segment:
    """Read a segment. Raises `CorruptSegment` unless the bytes are those named, `ModelMismatch` on another model's."""
    if body is None:
        raise CorruptSegment(key, "missing")
    if hashlib.sha256(body).hexdigest() != sha256:
        raise CorruptSegment(key, "checksum differs")
    try:
        header, start = _read_header(body)
        if header.model != model:
            raise ModelMismatch(f"segment {key} was made by {header.model}, the index is of {model}")
        return _read(body, header, start)
    except (ValueError, KeyError, TypeError, zlib.error, struct.error) as error:
        raise CorruptSegment(key, f"unreadable: {type(error).__name__}") from error


def _check(segment: Segment) -> None:
    refs = [source.source_id for source in segment.sources]
    if len(set(refs)) != len(refs):
        raise ValueError("a source occurs twice in one segment")
    vectors = _codes(segment)
    if vectors.shape != (len(segment.rows), segment.model.dimensions) or vectors.dtype != "int8":
        raise ValueError(f"vectors must be int8 [{len(segment.rows)}, {segment.model.dimensions}]")
    places = [(row.source, row.ordinal) for row in segment.rows]
    if any(later <= earlier for earlier, later in pairwise(places)):
        raise ValueError("rows must be in order of source and ordinal, each once")
    if places and not 0 <= places[0][0] <= places[-1][0] < len(refs):
        raise ValueError("a row points outside the sources")


def _codes(segment: Segment) -> "NDArray[np.int8]":
    if segment.vectors is None:
        raise ValueError("nothing is embedded yet")
    return segment.vectors


def _lines(values: Iterable[dict[str, Any]]) -> bytes:
    lines = (json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n" for value in values)
    return zlib.compress("".join(lines).encode(), _COMPRESSION_LEVEL)


def _lay_out(sections: dict[str, bytes]) -> tuple[dict[str, tuple[int, int]], bytes]:
    places, parts, offset = {}, [], 0
    for name, content in sections.items():
        padding = -offset % _ALIGNMENT
        places[name] = (offset + padding, len(content))
        parts += [bytes(padding), content]
        offset += padding + len(content)
    return places, b"".join(parts)


def _read_header(body: bytes) -> tuple[_Header, int]:
    magic, length = _PREFIX.unpack_from(body)
    if magic != MAGIC:
        raise ValueError("not a segment")
    start = _PREFIX.size + length
    try:
        header = _Header.model_validate_json(body[_PREFIX.size : start])
    except ValidationError as error:
        raise ValueError("bad header") from error
    if header.format != FORMAT:
        raise ValueError(f"format {header.format} is not known")
    return header, start


def _read(body: bytes, header: _Header, start: int) -> Segment:
    import numpy as np

    def section(name: str) -> memoryview:
        offset, length = header.sections[name]
        return memoryview(body)[start + offset : start + offset + length]

    vectors = np.frombuffer(section("vectors"), dtype=np.int8).reshape(header.rows, header.model.dimensions)
    segment = Segment(
        model=header.model,
        sources=[SourceInfo.model_validate_json(line) for line in _split(section("sources"))],
        rows=[Row(**json.loads(line)) for line in _split(section("rows"))],
        vectors=vectors,
        tombstones=[SourceRef.model_validate_json(line) for line in _split(section("tombstones"))],
        origin=header.origin,
    )
    if (len(segment.sources), len(segment.rows)) != (header.sources, header.rows):
        raise ValueError("counts differ from the header")
    return segment


def _split(section: memoryview) -> list[bytes]:
    # Not `splitlines`: a text may hold any other line separator.
    return zlib.decompress(section).split(b"\n")[:-1]
