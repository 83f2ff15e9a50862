"""The port of the dense side: who finds the rows whose meaning is nearest to a query.

By default nobody outside does: the vectors lie in the parts, and a search compares all of them, exactly. Another side
proposes rows instead, and that is all it does. Whether a row may be shown, and what it scores, is decided by the parts
in either case, so a side that is late, approximate or wrong costs recall and nothing else:

- rows that it does not know yet are in parts of the log, which are still searched exactly;
- rows that it still knows, deleted or superseded, are not visible and fall out, and more is asked for in their place;
- a query whose filters leave few rows is answered exactly, from these rows' vectors;
- while it does not answer, everything is searched exactly, only slower.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from almanac.errors import RetryableError, TerminalError
from almanac.index.bm25 import TermStatistics
from almanac.index.filters import Filters
from almanac.index.nearness import Vector
from almanac.index.parts import KINDS, Part
from almanac.index.retrieval import Candidates, Query, candidates
from almanac.index.selection import Scope, select
from almanac.index.shards import LocalShard
from almanac.index.sources import Kind
from almanac.index.visibility import View, visible_documents
from almanac.observability import log

FIRST = 100
"""So many are asked for at first: the scores of meaning depend on the nearest hundred."""
MOST = 1000
FEW_ROWS = 50_000
"""Up to so many rows that pass the filters, comparing them all takes less time than a call over the network."""
_KINDS = {number: kind for kind, number in KINDS.items()}


class RowKey(NamedTuple):
    """What a row is called outside of parts: its source's key, its version, and its place in the source."""

    high: int
    low: int
    version: int
    ordinal: int

    @property
    def text(self) -> str:
        """Example: `00c0ffee00c0ffee00c0ffee00c0ffee.3.0`."""
        return f"{self.high:016x}{self.low:016x}.{self.version}.{self.ordinal}"

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `text`; raises `ValueError` on anything else."""
        source, version, ordinal = text.split(".")
        if len(source) != 32:
            raise ValueError(f"not a key of a row: {text}")
        return cls(int(source[:16], 16), int(source[16:], 16), int(version), int(ordinal))


class DenseRow(NamedTuple):
    """A row as a side keeps it: its int8 code, which is not zero, and what it filters by."""

    key: RowKey
    code: NDArray[np.int8]
    project_id: str
    kind: Kind
    language: str | None


class Neighbour(NamedTuple):
    """A row that is near, and the side's own notion of how near."""

    key: RowKey
    similarity: float


class DenseSide(Protocol):
    """Vectors of one index of one tenant. Raises `RetryableError` or `TerminalError`."""

    async def put(self, rows: Sequence[DenseRow]) -> None:
        """Add rows; one that is known is replaced."""

    async def delete(self, keys: Sequence[RowKey]) -> None:
        """Remove rows; one that is not known is left alone."""

    async def nearest(self, vector: Vector, filters: Filters, count: int) -> list[Neighbour]:
        """Return up to `count` rows, the nearest first. A filter that the side does not know may pass everything."""

    def stored(self) -> AsyncIterator[RowKey]:
        """Iterate over the keys of all rows."""


@dataclass
class InParts:
    """The side that is always there: the parts of one view. Rows come and go with them."""

    view: View

    async def put(self, rows: Sequence[DenseRow]) -> None:
        """Do nothing: whatever is in a part has its vector there."""

    async def delete(self, keys: Sequence[RowKey]) -> None:
        """Do nothing: what is deleted is not visible."""

    async def nearest(self, vector: Vector, filters: Filters, count: int) -> list[Neighbour]:
        return await asyncio.to_thread(self._nearest, vector, filters, count)

    async def stored(self) -> AsyncIterator[RowKey]:
        for shown in self.view.shown:
            for row in _embedded(shown.part, visible_documents(shown)):
                yield _key(shown.part, row)

    def _nearest(self, vector: Vector, filters: Filters, count: int) -> list[Neighbour]:
        query = Query("", vector, 1.0, filters)
        found = candidates(self.view, query, TermStatistics(self.view.rows, self.view.length, {}))
        order = np.lexsort((found.ordinal, found.low, found.high, -found.similarity))[:count]
        places = zip(found.part[order].tolist(), found.row[order].tolist(), found.similarity[order], strict=True)
        return [Neighbour(_key(self.view.parts[part], row), float(near)) for part, row, near in places]


class DenseShard(LocalShard):
    """A shard whose vectors another side searches, but for those of parts that it was not `fed` yet, by name."""

    def __init__(self, view: View, side: DenseSide, fed: Collection[str]) -> None:
        super().__init__(view)
        self._whole = view
        self._side = side
        self._fed = frozenset(fed)

    async def candidates(self, query: Query, known: TermStatistics) -> Candidates:
        nearest = (
            None if query.vector is None or not query.vector.any() else await self._near(query, query.vector, known)
        )
        return await asyncio.to_thread(candidates, self._whole, query, known, nearest=nearest)

    async def _near(self, query: Query, vector: Vector, known: TermStatistics) -> "list[NDArray[np.int64] | None]":
        """Return the rows of each part that the side finds near; None for a part that is to be searched here."""
        scopes = await asyncio.to_thread(select, self._whole, query.filters, query.checked, known.doubtful)
        asked = [scope.part.name in self._fed and scope.count > FEW_ROWS for scope in scopes]
        nowhere: list[NDArray[np.int64] | None] = [None] * len(scopes)
        if not any(asked):
            return nowhere
        rows = nowhere
        for count in (FIRST, MOST):
            try:
                found = await self._side.nearest(vector, query.filters, count)
            except (RetryableError, TerminalError) as error:
                log("error", "dense side does not answer", reason=str(error))
                return nowhere
            keys = [neighbour.key for neighbour in found]
            rows = [_places(scope, keys) if wanted else None for scope, wanted in zip(scopes, asked, strict=True)]
            if len(found) < count or sum(len(each) for each in rows if each is not None) >= FIRST:
                break
        return rows


def rows_of(part: Part, documents: Iterable[int]) -> Iterator[DenseRow]:
    """Yield what a side is fed: the rows of some documents that have a vector."""
    owners, languages = part.names("owners"), part.names("languages")
    projects, kinds, spoken = (part.column(name) for name in ("projects", "kinds", "languages"))
    for row in _embedded(part, documents):
        document = int(part.row_documents[row])
        language = languages[spoken[document]] if spoken[document] >= 0 else None
        kind = _KINDS[int(kinds[document])]
        yield DenseRow(_key(part, row), part.vectors[row], owners[projects[document]], kind, language)


async def feed(side: DenseSide, view: View, fed: Collection[str]) -> tuple[int, int]:
    """Make a side know exactly the visible rows of parts; returns how many were put and how many deleted.

    Interrupted or repeated, it ends the same: a key stands for one text for ever, so what is known is never put again.
    Additions come first, so that a search that still uses the parts of before misses nothing.
    """
    known = {key async for key in side.stored()}
    wanted: set[RowKey] = set()
    put = 0
    for shown in view.shown:
        if shown.part.name in fed:
            rows = rows_of(shown.part, visible_documents(shown).tolist())
            while group := await asyncio.to_thread(_taken, rows):
                wanted.update(row.key for row in group)
                fresh = [row for row in group if row.key not in known]
                await side.put(fresh)
                put += len(fresh)
    gone = sorted(known - wanted)
    await side.delete(gone)
    return put, len(gone)


def _taken(rows: Iterator[DenseRow]) -> list[DenseRow]:
    return list(islice(rows, MOST))


def _embedded(part: Part, documents: Iterable[int]) -> Iterator[int]:
    return (row for document in documents for row in part.rows_of(int(document)) if part.scales[row] > 0)


def _key(part: Part, row: int) -> RowKey:
    document = int(part.row_documents[row])
    source = int(part.key_high[document]), int(part.key_low[document])
    return RowKey(*source, int(part.versions[document]), int(part.row_places[row, 0]))


def _places(scope: Scope, keys: Sequence[RowKey]) -> NDArray[np.int64]:
    """Return the rows of a scope that keys stand for. Keys of other parts, and of what may not be shown, have none."""
    part = scope.part
    high = np.array([key.high for key in keys], np.uint64)
    starts, ends = (np.searchsorted(part.key_high, high, side).tolist() for side in ("left", "right"))
    found = []
    for key, start, end in zip(keys, starts, ends, strict=True):
        for document in range(start, end):
            if (int(part.key_low[document]), int(part.versions[document])) == (key.low, key.version):
                rows = part.rows_of(document)
                # Ordinals are nearly always places, but a chunk may be missing.
                found += [row for row in rows if int(part.row_places[row, 0]) == key.ordinal]
    return np.array([row for row in found if scope.rows is None or scope.rows[row]], np.int64)
