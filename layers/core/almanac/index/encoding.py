"""Writing parts: from a segment, or from columns that a merge has gathered, to the bytes of an object."""

import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from almanac.events import BatchOrigin, Origin
from almanac.index.filters import microseconds
from almanac.index.parts import (
    ALIGNMENT,
    COLUMNS,
    GRAVES,
    KINDS,
    MAGIC,
    NAMES,
    NO_TIME,
    PREFIX,
    TEXTS_PER_BLOCK,
    Header,
    source_key,
)
from almanac.index.segments import Model, Row, Segment, searchable_text
from almanac.index.sources import SourceInfo
from almanac.index.words import Block, blocks_of
from almanac.text.tokenize import terms

_NOTHING = 2**64 - 1


class EncodedPart(NamedTuple):
    """A part's bytes and their name."""

    sha256: str
    body: bytes


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
        offset += -offset % ALIGNMENT
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
    text += b" " * (-(PREFIX.size + len(text)) % ALIGNMENT)
    yield PREFIX.pack(MAGIC, len(text)) + text
    position = 0
    for name, content in sections.items():
        yield bytes(places[name][0] - position)
        yield content
        position = places[name][0] + len(content)


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
        "groups": [tables["owners"].add(info.group_id) for info in infos],
        "kinds": [KINDS[info.kind] for info in infos],
        "paths": [tables["paths"].add(info.path) for info in infos],
        "languages": [tables["languages"].add(_fold(info.language)) for info in infos],
        "authors": [tables["authors"].add(_fold(info.author)) for info in infos],
        "branches": [tables["branches"].add(joined(info.citation.branches)) for info in infos],
        "times": [microseconds(info.occurred_at) if info.occurred_at else NO_TIME for info in infos],
        "written": [microseconds(info.written_at) if info.written_at else NO_TIME for info in infos],
    }
    arrays = {name: np.array(column, COLUMNS[name]) for name, column in columns.items()}
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
        for place, (name, dtype) in enumerate(GRAVES.items())
    }


def _keys(prefix: str, keys: Sequence[tuple[int, int]]) -> dict[str, NDArray[np.uint64]]:
    high, low = [key[0] for key in keys], [key[1] for key in keys]
    return {f"{prefix}key_high": np.array(high, np.uint64), f"{prefix}key_low": np.array(low, np.uint64)}


def _digests(infos: Sequence[SourceInfo], of_row: Sequence[int], rows: Sequence[Row]) -> list[int]:
    """Return a number for what each document says: of two that claim one version, the larger is shown.

    What says nothing has the largest of all: it takes back a text that may still arrive under its version.
    """
    hashes = [hashlib.blake2b(info.model_dump_json().encode(), digest_size=8) for info in infos]
    for document, row in zip(of_row, rows, strict=True):
        hashes[document].update(json.dumps(row[1:]).encode())
    saying = set(of_row)
    return [
        int.from_bytes(each.digest(), "little") if document in saying else _NOTHING
        for document, each in enumerate(hashes)
    ]


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
