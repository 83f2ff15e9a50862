"""Parts: the immutable objects that an index is made of. A segment of the log and a snapshot are the same thing inside.

A part is columns: arrays that can be used where they lie, in a file that is mapped into memory, beside texts in
compressed blocks that are only touched for the rows that are shown. What costs time to make (terms, norms, hashes) is
made once, when the part is written. The format is written down in docs/index-format.md.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator
from functools import cached_property, lru_cache
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from almanac.events import Origin
from almanac.index.segments import Model, ModelMismatch, Row
from almanac.index.sources import Kind, SourceInfo
from almanac.index.words import Block

MAGIC = b"ALMPART\n"
FORMAT = 3
_READABLE = frozenset({2, 3})
NO_TIME = np.iinfo(np.int64).min
KINDS = {kind: number for number, kind in enumerate(Kind)}
NAMES = ("owners", "paths", "languages", "authors", "branches")
TEXTS_PER_BLOCK = 4
PREFIX = struct.Struct("<8sI")
ALIGNMENT = 64
_COLD = frozenset({"texts", "infos"})
"""Sections that stay on disk; the rest is memory once it was used."""

COLUMNS: dict[str, Any] = {
    "projects": np.int32,
    "containers": np.int32,
    "groups": np.int32,
    "kinds": np.uint8,
    "paths": np.int32,
    "languages": np.int32,
    "authors": np.int32,
    "branches": np.int32,
    "times": np.int64,
    "written": np.int64,
}
GRAVES: dict[str, Any] = {
    "key_high": np.uint64,
    "key_low": np.uint64,
    "versions": np.int64,
    "containers": np.int32,
    "erased": np.uint8,
}
_WORDS: dict[str, Any] = {"terms": np.uint64, "starts": np.uint32, "rows": np.uint16, "counts": np.uint8}

Body = bytes | memoryview | mmap


class CorruptPart(Exception):
    """The object under `key` is missing, or is not what was written there."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"part {key}: {reason}")
        self.key = key
        self.reason = reason


class Header(BaseModel):
    """What a part says of itself. `sections` are (offset from the first, length).

    `blocks` are the words' (first row, terms, postings), `covers` the parts that were merged into it. `unique` tells
    that each source occurs once.
    """

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    model: Model
    rows: int
    documents: int
    unembedded: int
    unique: bool = True
    origin: Origin | None = None
    covers: tuple[str, ...] = ()
    blocks: list[tuple[int, int, int]]
    sections: dict[str, tuple[int, int]]


@lru_cache(maxsize=1 << 16)
def source_key(source_id: str) -> tuple[int, int]:
    """Return the 128 bits that stand for a source, as two numbers."""
    digest = hashlib.blake2b(source_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")


def open_part(body: Body | None, *, name: str, key: str, model: Model, verify: bool = True) -> "Part":
    """Read a part. Raises `CorruptPart` unless the bytes are those named, `ModelMismatch` on another model's.

    Nothing is copied: the part uses `body` for as long as it lives. `verify=False` is for bytes that were verified.
    """
    if body is None:
        raise CorruptPart(key, "missing")
    if verify and hashlib.sha256(body).hexdigest() != name:
        raise CorruptPart(key, "checksum differs")
    try:
        header, start = _read_header(body)
    except (ValueError, struct.error) as error:
        raise CorruptPart(key, f"unreadable: {type(error).__name__}") from error
    if header.model != model:
        raise ModelMismatch(f"part {key} was made by {header.model}, the index is of {model}")
    return Part(name, header, body, start)


class Part:
    """A part in use. Arrays are views of its bytes; nothing about it ever changes."""

    def __init__(self, name: str, header: Header, body: Body, start: int) -> None:
        self.name = name
        self.header = header
        self._body = body
        self._start = start
        self._last_block: tuple[tuple[str, int], list[Any]] | None = None

    @property
    def model(self) -> Model:
        return self.header.model

    @property
    def rows(self) -> int:
        return self.header.rows

    @property
    def documents(self) -> int:
        return self.header.documents

    @property
    def origin(self) -> Origin | None:
        return self.header.origin

    @property
    def covers(self) -> frozenset[str]:
        """The names of the parts that were merged into this one."""
        return frozenset(self.header.covers)

    @cached_property
    def nbytes(self) -> int:
        """The memory that the part takes when all of it but texts was used."""
        return sum(length for name, (_, length) in self.header.sections.items() if name not in _COLD)

    @cached_property
    def vectors(self) -> NDArray[np.int8]:
        """int8 [rows, dimensions]; zeros where there is none."""
        return self._array("vectors", np.int8).reshape(self.rows, self.model.dimensions)

    @cached_property
    def scales(self) -> NDArray[np.float32]:
        return self._array("scales", np.float32)

    @cached_property
    def row_documents(self) -> NDArray[np.int32]:
        return self._array("row_documents", np.int32)

    @cached_property
    def row_places(self) -> NDArray[np.int32]:
        """[rows, 3]: ordinal, first line, last line."""
        return self._array("row_places", np.int32).reshape(-1, 3)

    @cached_property
    def row_lengths(self) -> NDArray[np.int32]:
        """How many terms each row has."""
        return self._array("row_lengths", np.int32)

    @cached_property
    def total_length(self) -> int:
        return int(self.row_lengths.sum(dtype=np.int64))

    @cached_property
    def key_high(self) -> NDArray[np.uint64]:
        return self._array("key_high", np.uint64)

    @cached_property
    def key_low(self) -> NDArray[np.uint64]:
        return self._array("key_low", np.uint64)

    @cached_property
    def versions(self) -> NDArray[np.int64]:
        return self._array("versions", np.int64)

    @cached_property
    def digests(self) -> NDArray[np.uint64]:
        return self._array("digests", np.uint64)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column of documents: numbers of names, kinds, or microseconds."""
        if name == "groups" and self.header.format < 3:
            return np.full(self.documents, -1, np.int32)
        return self._array(name, COLUMNS[name])

    def graves(self) -> "Graves":
        """Return the sources that are known to be gone."""
        return Graves(*(self._array(f"grave_{name}", dtype) for name, dtype in GRAVES.items()))

    @cached_property
    def blocks(self) -> list[Block]:
        found = []
        terms, starts, postings = 0, 0, 0
        arrays = {name: self._array(f"word_{name}", dtype) for name, dtype in _WORDS.items()}
        for first, term_count, posting_count in self.header.blocks:
            found.append(
                Block(
                    first,
                    arrays["terms"][terms : terms + term_count],
                    arrays["starts"][starts : starts + term_count + 1],
                    arrays["rows"][postings : postings + posting_count],
                    arrays["counts"][postings : postings + posting_count],
                )
            )
            terms, starts, postings = terms + term_count, starts + term_count + 1, postings + posting_count
        return found

    def names(self, table: str) -> list[str]:
        """Return a table of names; columns hold places in it, -1 for none."""
        known = self._tables.get(table)
        if known is None:
            known = self._tables[table] = json.loads(zlib.decompress(self._section(f"names_{table}")))
        return known

    @cached_property
    def _tables(self) -> dict[str, list[str]]:
        return {}

    def text(self, row: int) -> tuple[str, list[str]]:
        """Return a row's text, and what encloses it."""
        text, context = self._packed_block("text", row)[row % TEXTS_PER_BLOCK]
        return text, context

    def info(self, document: int) -> SourceInfo:
        return SourceInfo.model_validate(self._packed_block("info", document)[document % TEXTS_PER_BLOCK])

    def rows_of(self, document: int) -> range:
        """Return the rows of a document."""
        first, last = np.searchsorted(self.row_documents, [document, document + 1]).tolist()
        return range(first, last)

    def walk(self) -> Iterator[tuple[SourceInfo, list[Row]]]:
        """Iterate over the sources with their rows; `Row.source` is the document's place."""
        for document in range(self.documents):
            yield self.info(document), [self.row(row) for row in self.rows_of(document)]

    def row(self, row: int) -> Row:
        text, context = self.text(row)
        ordinal, start_line, end_line = self.row_places[row].tolist()
        return Row(int(self.row_documents[row]), ordinal, start_line, end_line, text, tuple(context))

    def _packed_block(self, kind: str, place: int) -> list[Any]:
        starts = self._array(f"{kind}_starts", np.uint64)
        block = place // TEXTS_PER_BLOCK
        last = self._last_block
        if last is not None and last[0] == (kind, block):
            return last[1]
        section = self._section(f"{kind}s")
        content: list[Any] = json.loads(zlib.decompress(section[int(starts[block]) : int(starts[block + 1])]))
        # Neighbours are often asked for one after the other.
        self._last_block = ((kind, block), content)
        return content

    def _section(self, name: str) -> memoryview:
        offset, length = self.header.sections[name]
        return memoryview(self._body)[self._start + offset : self._start + offset + length]

    def _array(self, name: str, dtype: Any) -> NDArray[Any]:
        offset, length = self.header.sections[name]
        size = np.dtype(dtype).itemsize
        return np.frombuffer(self._body, dtype, length // size, self._start + offset)


class Graves(NamedTuple):
    """Sources that are gone as of a version. `container` is a place in the names of owners, -1 for an erased source."""

    key_high: NDArray[np.uint64]
    key_low: NDArray[np.uint64]
    versions: NDArray[np.int64]
    containers: NDArray[np.int32]
    erased: NDArray[np.uint8]


def _read_header(body: Body) -> tuple[Header, int]:
    magic, length = PREFIX.unpack_from(body)
    if magic != MAGIC:
        raise ValueError("not a part")
    start = PREFIX.size + length
    try:
        header = Header.model_validate_json(bytes(memoryview(body)[PREFIX.size : start]))
    except ValidationError as error:
        raise ValueError("bad header") from error
    if header.format not in _READABLE:
        raise ValueError(f"format {header.format} is not known")
    if any(start + offset + length > len(body) for offset, length in header.sections.values()):
        raise ValueError("truncated")
    return header, start
