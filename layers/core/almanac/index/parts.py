"""Parts: the immutable objects that an index is made of. A segment of the log and a snapshot are the same thing inside.

A part is columns: arrays that can be used where they lie, in a file that is mapped into memory, beside texts in
compressed blocks that are only touched for the rows that are shown. What costs time to make (terms, norms, hashes) is
made once, when the part is written. The format is written down in docs/index-format.md.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise
from mmap import mmap
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from almanac.events import BatchOrigin, Origin
from almanac.index.filters import microseconds
from almanac.index.segments import Model, ModelMismatch, Row, Segment
from almanac.index.sources import Kind, SourceInfo
from almanac.index.words import Block, blocks_of
from almanac.text.tokenize import terms

MAGIC = b"ALMPART\n"
FORMAT = 2
NO_TIME = np.iinfo(np.int64).min
KINDS = {kind: number for number, kind in enumerate(Kind)}
NAMES = ("owners", "paths", "languages", "authors", "branches")
TEXTS_PER_BLOCK = 16
_PREFIX = struct.Struct("<8sI")
_ALIGNMENT = 64
_COLD = frozenset({"texts", "infos"})
"""Sections that stay on disk; the rest is memory once it was used."""

Body = bytes | memoryview | mmap


class CorruptPart(Exception):
    """The object under `key` is missing, or is not what was written there."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(f"part {key}: {reason}")
        self.key = key
        self.reason = reason


class EncodedPart(NamedTuple):
    """A part's bytes and their name."""

    sha256: str
    body: bytes


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


@dataclass
class Columns:
    """Everything that goes into a part: `arrays` by section, `names` by table, and the texts that stay compressed.

    Rows lie in order of document and ordinal, documents in order of key and version.
    """

    model: Model
    arrays: dict[str, NDArray[Any]]
    names: Mapping[str, Sequence[str]]
    blocks: Sequence[Block]
    texts: Iterable[tuple[str, Sequence[str]]]
    infos: Iterable[dict[str, Any]]
    origin: Origin | None = None
    covers: tuple[str, ...] = ()
    unique: bool = True


@lru_cache(maxsize=1 << 16)
def source_key(source_id: str) -> tuple[int, int]:
    """Return the 128 bits that stand for a source, as two numbers."""
    digest = hashlib.blake2b(source_id.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    return int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")


def searchable_text(info: SourceInfo, row: Row) -> str:
    """Return what is searched by words for a chunk: its text, under its source's title and path and its context."""
    path = "" if info.path is None or info.path in info.title else info.path
    return "\n".join([info.title, path, *row.context, row.text])


def encode(segment: Segment) -> EncodedPart:
    """Return the object of a segment; equal segments give equal bytes. Raises `ValueError` on an inconsistent one."""
    sections = list(lay_out(columns_of(segment)))
    body = b"".join(sections)
    return EncodedPart(hashlib.sha256(body).hexdigest(), body)


def columns_of(segment: Segment) -> Columns:
    """Return what a segment's part is made of."""
    _check(segment)
    keys = [source_key(info.source_id) for info in segment.sources]
    order = sorted(range(len(keys)), key=lambda place: keys[place])
    rank = {place: number for number, place in enumerate(order)}
    infos = [segment.sources[place] for place in order]
    rows = sorted(range(len(segment.rows)), key=lambda row: (rank[segment.rows[row].source], segment.rows[row].ordinal))
    chosen = [segment.rows[row] for row in rows]
    of_row = [rank[row.source] for row in chosen]
    names, columns = _name(infos)
    blocks, lengths = blocks_of([terms(searchable_text(infos[d], row)) for d, row in zip(of_row, chosen, strict=True)])
    vectors = _vectors(segment, rows)
    arrays: dict[str, NDArray[Any]] = {
        "vectors": vectors,
        "scales": scales(vectors),
        "row_documents": np.array(of_row, np.int32),
        "row_places": np.array([(r.ordinal, r.start_line, r.end_line) for r in chosen], np.int32).reshape(-1, 3),
        "row_lengths": lengths,
        **_keys("", [keys[place] for place in order]),
        "versions": np.array([info.version for info in infos], np.int64),
        "digests": np.array(_digests(infos, of_row, chosen), np.uint64),
        **columns,
        **_graves(segment, names),
    }
    return Columns(
        model=segment.model,
        arrays=arrays,
        names=names,
        blocks=blocks,
        texts=((row.text, row.context) for row in chosen),
        infos=(info.model_dump(mode="json", exclude_none=True) for info in infos),
        origin=segment.origin,
    )


def scales(vectors: NDArray[np.int8]) -> NDArray[np.float32]:
    """Return 1 over each vector's length; 0 for a vector of zeros, which says that there is none."""
    squares = np.einsum("ij,ij->i", vectors, vectors, dtype=np.int32, casting="unsafe").astype(np.float64)
    found = np.divide(1.0, np.sqrt(squares), out=np.zeros(len(squares)), where=squares > 0)
    return np.asarray(found, np.float32)


def lay_out(columns: Columns) -> Iterator[bytes | memoryview]:
    """Yield the pieces of a part's bytes, in order."""
    sections: dict[str, bytes | memoryview] = {name: _raw(array) for name, array in columns.arrays.items()}
    for name in ("terms", "starts", "rows", "counts"):
        arrays = [getattr(block, name) for block in columns.blocks]
        sections[f"word_{name}"] = b"".join(_raw(array) for array in arrays)
    for name in NAMES:
        sections[f"names_{name}"] = _packed(list(columns.names[name]))
    sections["texts"], sections["text_starts"] = _blocks([text, list(context)] for text, context in columns.texts)
    sections["infos"], sections["info_starts"] = _blocks(columns.infos)
    places, offset = {}, 0
    for name, content in sections.items():
        offset += -offset % _ALIGNMENT
        places[name] = (offset, len(content))
        offset += len(content)
    header = Header(
        model=columns.model,
        rows=len(columns.arrays["row_documents"]),
        documents=len(columns.arrays["versions"]),
        unembedded=int(np.count_nonzero(columns.arrays["scales"] == 0)),
        unique=columns.unique,
        origin=columns.origin,
        covers=columns.covers,
        blocks=[(block.first, len(block.terms), len(block.rows)) for block in columns.blocks],
        sections=places,
    )
    # Spaces after the JSON let the sections begin at a multiple of the alignment, for a reader that maps the file.
    text = header.model_dump_json().encode()
    text += b" " * (-(_PREFIX.size + len(text)) % _ALIGNMENT)
    yield _PREFIX.pack(MAGIC, len(text)) + text
    position = 0
    for name, content in sections.items():
        yield bytes(places[name][0] - position)
        yield content
        position = places[name][0] + len(content)


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
        return self._array(name, _COLUMNS[name])

    def graves(self) -> "Graves":
        """Return the sources that are known to be gone."""
        return Graves(*(self._array(f"grave_{name}", dtype) for name, dtype in _GRAVES.items()))

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


_COLUMNS: dict[str, Any] = {
    "projects": np.int32,
    "containers": np.int32,
    "kinds": np.uint8,
    "paths": np.int32,
    "languages": np.int32,
    "authors": np.int32,
    "branches": np.int32,
    "times": np.int64,
    "written": np.int64,
}
_GRAVES: dict[str, Any] = {
    "key_high": np.uint64,
    "key_low": np.uint64,
    "versions": np.int64,
    "containers": np.int32,
    "erased": np.uint8,
}
_WORDS: dict[str, Any] = {"terms": np.uint64, "starts": np.uint32, "rows": np.uint16, "counts": np.uint8}


class Names:
    """A table of names in the making; a name that is None has place -1."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}

    def add(self, name: str | None) -> int:
        return -1 if name is None else self.places.setdefault(name, len(self.places))


def joined(branches: Sequence[str]) -> str | None:
    """Return branches as one name; git forbids line ends in them."""
    return "\n".join(branches) or None


def _check(segment: Segment) -> None:
    refs = [source.source_id for source in segment.sources]
    if len(set(refs)) != len(refs):
        raise ValueError("a source occurs twice in one segment")
    shape = (len(segment.rows), segment.model.dimensions)
    if segment.vectors is not None and (segment.vectors.shape != shape or segment.vectors.dtype != "int8"):
        raise ValueError(f"vectors must be int8 {list(shape)}")
    places = [(row.source, row.ordinal) for row in segment.rows]
    if any(later <= earlier for earlier, later in pairwise(places)):
        raise ValueError("rows must be in order of source and ordinal, each once")
    if places and not 0 <= places[0][0] <= places[-1][0] < len(refs):
        raise ValueError("a row points outside the sources")


def _vectors(segment: Segment, rows: Sequence[int]) -> NDArray[np.int8]:
    if segment.vectors is None:
        return np.zeros((len(rows), segment.model.dimensions), np.int8)
    return np.ascontiguousarray(segment.vectors[np.array(rows, np.int64)])


def _name(infos: Sequence[SourceInfo]) -> tuple[dict[str, list[str]], dict[str, NDArray[Any]]]:
    tables = {name: Names() for name in NAMES}
    columns = {
        "projects": [tables["owners"].add(info.project_id) for info in infos],
        "containers": [tables["owners"].add(info.container_id) for info in infos],
        "kinds": [KINDS[info.kind] for info in infos],
        "paths": [tables["paths"].add(info.path) for info in infos],
        "languages": [tables["languages"].add(_fold(info.language)) for info in infos],
        "authors": [tables["authors"].add(_fold(info.author)) for info in infos],
        "branches": [tables["branches"].add(joined(info.citation.branches)) for info in infos],
        "times": [microseconds(info.occurred_at) if info.occurred_at else NO_TIME for info in infos],
        "written": [microseconds(info.written_at) if info.written_at else NO_TIME for info in infos],
    }
    arrays = {name: np.array(column, _COLUMNS[name]) for name, column in columns.items()}
    return {name: list(table.places) for name, table in tables.items()}, arrays


def _graves(segment: Segment, names: dict[str, list[str]]) -> dict[str, NDArray[Any]]:
    container = -1
    if segment.tombstones and isinstance(segment.origin, BatchOrigin):
        owner = segment.origin.repository_id
        if owner not in names["owners"]:
            names["owners"].append(owner)
        container = names["owners"].index(owner)
    graves = sorted(
        [(*source_key(ref.source_id), ref.version, container, 0) for ref in segment.tombstones]
        + [(*source_key(ref.source_id), ref.version, -1, 1) for ref in segment.erased]
    )
    return {
        f"grave_{name}": np.array([grave[place] for grave in graves], dtype)
        for place, (name, dtype) in enumerate(_GRAVES.items())
    }


def _keys(prefix: str, keys: Sequence[tuple[int, int]]) -> dict[str, NDArray[np.uint64]]:
    high, low = [key[0] for key in keys], [key[1] for key in keys]
    return {f"{prefix}key_high": np.array(high, np.uint64), f"{prefix}key_low": np.array(low, np.uint64)}


def _digests(infos: Sequence[SourceInfo], of_row: Sequence[int], rows: Sequence[Row]) -> list[int]:
    """Return a number for what each document says: of two that claim one version, the larger is shown."""
    hashes = [hashlib.blake2b(info.model_dump_json().encode(), digest_size=8) for info in infos]
    for document, row in zip(of_row, rows, strict=True):
        hashes[document].update(json.dumps(row[1:]).encode())
    return [int.from_bytes(each.digest(), "little") for each in hashes]


def _fold(text: str | None) -> str | None:
    return None if text is None else text.casefold()


def _raw(array: NDArray[Any]) -> memoryview | bytes:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.size else b""


def _packed(value: Any) -> bytes:
    return zlib.compress(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"), 6)


def _blocks(values: Iterable[Any]) -> tuple[bytes, bytes]:
    packed: list[bytes] = []
    pending: list[Any] = []
    for value in values:
        pending.append(value)
        if len(pending) == TEXTS_PER_BLOCK:
            packed.append(_packed(pending))
            pending = []
    if pending:
        packed.append(_packed(pending))
    starts = np.cumsum([0, *(len(block) for block in packed)], dtype=np.uint64)
    return b"".join(packed), starts.tobytes()


def _read_header(body: Body) -> tuple[Header, int]:
    magic, length = _PREFIX.unpack_from(body)
    if magic != MAGIC:
        raise ValueError("not a part")
    start = _PREFIX.size + length
    try:
        header = Header.model_validate_json(bytes(memoryview(body)[_PREFIX.size : start]))
    except ValidationError as error:
        raise ValueError("bad header") from error
    if header.format != FORMAT:
        raise ValueError(f"format {header.format} is not known")
    if any(start + offset + length > len(body) for offset, length in header.sections.values()):
        raise ValueError("truncated")
    return header, start
