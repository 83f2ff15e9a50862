"""An index in shards: each holds the sources that hash to it, and all of them together answer like one index.

A search takes three rounds. Every shard counts what the query's terms need; with the sums, every shard finds its
candidates; they are ranked together, and the shards that hold the chosen rows show them. No score depends on where a
row lies, so an index of any number of shards gives the same hits in the same order with the same scores, bit for bit.
A shard that fails fails the search: an answer without it would be wrong, and nothing would tell.
"""

import asyncio
import hashlib
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import chain, islice
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

if TYPE_CHECKING:
    from almanac.index.bm25 import TermStatistics
    from almanac.index.retrieval import Candidates, Hit, Position, Query, Ranked
    from almanac.index.visibility import View

Result = TypeVar("Result")


def shard_of(source_id: str, shards: int) -> int:
    """Return which of `shards` holds a source: from 0, uniform, and the same for ever."""
    if shards < 1:
        raise ValueError("an index has at least one shard")
    name = source_id.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(name, digest_size=8, person=b"almanac-shard").digest()
    # The upper bits of a product instead of a remainder: as uniform, and every bit of the hash counts.
    return int.from_bytes(digest, "big") * shards >> 64


class Chunk(NamedTuple):
    """A chunk of one version of a source."""

    source_id: str
    version: int
    ordinal: int


@dataclass(frozen=True)
class Counted:
    """What a shard says first: the statistics of the query's terms, and how many visible rows have no vector."""

    known: "TermStatistics"
    unembedded: int

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(self.known + other.known, self.unembedded + other.unembedded)


@dataclass(frozen=True)
class Answer:
    """The hits of a search over shards; `rows` and `unembedded` count visible chunks of all of them."""

    hits: "list[Hit]"
    rows: int
    unembedded: int


class Shard(Protocol):
    """One consistent state of one shard. All shards of a search are of one version of the manifest."""

    async def count(self, query: "Query") -> Counted:
        """Count what the query's terms need."""

    async def candidates(self, query: "Query", known: "TermStatistics") -> "Candidates":
        """Return the shard's best rows, scored with the statistics of all shards."""

    async def hits(
        self, query: "Query", known: "TermStatistics", found: "Candidates", ranked: "Sequence[Ranked]"
    ) -> "list[Hit]":
        """Show rows of this shard in their order, but for those that lack a phrase of the query."""

    async def texts(self, chunks: Sequence[Chunk]) -> list[str | None]:
        """Return the texts of chunks of this shard; None for one whose source is gone or has another version."""


class LocalShard:
    """A shard in this process; its work is done in threads."""

    def __init__(self, view: "View") -> None:
        self._view = view

    async def count(self, query: "Query") -> Counted:
        from almanac.index.retrieval import statistics

        return Counted(await asyncio.to_thread(statistics, self._view, query), self._view.unembedded)

    async def candidates(self, query: "Query", known: "TermStatistics") -> "Candidates":
        from almanac.index.retrieval import candidates

        return await asyncio.to_thread(candidates, self._view, query, known)

    async def hits(
        self, query: "Query", known: "TermStatistics", found: "Candidates", ranked: "Sequence[Ranked]"
    ) -> "list[Hit]":
        from almanac.index.retrieval import hits

        return await asyncio.to_thread(hits, self._view, query, known, found, ranked, len(ranked))

    async def texts(self, chunks: Sequence[Chunk]) -> list[str | None]:
        return await asyncio.to_thread(lambda: [text_of(self._view, chunk) for chunk in chunks])


class ShardedSearch:
    """Searches all shards of an index at once."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        if not shards:
            raise ValueError("an index has at least one shard")
        self._shards = shards

    async def search(self, query: "Query", limit: int, after: "Position | None" = None) -> "list[Hit]":
        """Return the hits of `answer`."""
        return (await self.answer(query, limit, after)).hits

    async def answer(self, query: "Query", limit: int, after: "Position | None" = None) -> Answer:
        """Return the best sources in order, one hit for each, continuing behind `after`.

        Raises what a shard raises, and stops asking the others.
        """
        from almanac.index.retrieval import Candidates, best, rank

        counted = reduce(add, await _all(shard.count(query) for shard in self._shards))
        known = counted.known
        several = await _all(shard.candidates(query, known) for shard in self._shards)
        found = await asyncio.to_thread(lambda: best(Candidates.joined(several)))
        ranked = rank(query, known, found, after)
        shown: list[Hit] = []
        wanted = limit
        while len(shown) < limit and (group := list(islice(ranked, wanted))):
            shown += await self._show(query, known, found, group)
            # A shard leaves out what lacks a phrase; where that is much, ever more is asked for at once.
            wanted *= 2
        return Answer(shown[:limit], known.rows, counted.unembedded)

    async def texts(self, chunks: Sequence[Chunk]) -> list[str | None]:
        """Return the texts of chunks; None for one whose source is gone or has another version."""
        asked: dict[int, list[int]] = {}
        for place, chunk in enumerate(chunks):
            asked.setdefault(shard_of(chunk.source_id, len(self._shards)), []).append(place)
        several = await _all(self._shards[n].texts([chunks[p] for p in places]) for n, places in asked.items())
        found = dict(zip(chain(*asked.values()), chain(*several), strict=True))
        return [found[place] for place in range(len(chunks))]

    async def _show(
        self, query: "Query", known: "TermStatistics", found: "Candidates", group: "Sequence[Ranked]"
    ) -> "list[Hit]":
        asked = []
        for number, shard in enumerate(self._shards):
            mine = [entry for entry in group if found.shard[entry.place] == number]
            if mine:
                rows = found[_places(mine)]
                entries = [replace(entry, place=place) for place, entry in enumerate(mine)]
                asked.append(shard.hits(query, known, rows, entries))
        shown = [hit for hits in await _all(asked) for hit in hits]
        return sorted(shown, key=lambda hit: hit.position.key)


def text_of(view: "View", chunk: Chunk) -> str | None:
    """Return the text of a chunk that is visible; None when its source is gone or has another version."""
    found = view.find(chunk.source_id)
    if found is None:
        return None
    part, document = found
    if int(part.versions[document]) != chunk.version:
        return None
    rows = (row for row in part.rows_of(document) if int(part.row_places[row, 0]) == chunk.ordinal)
    return next((part.text(row)[0] for row in rows), None)


def _places(entries: "Sequence[Ranked]") -> Any:
    import numpy as np

    return np.array([entry.place for entry in entries], np.int64)


async def _all(work: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Run coroutines at once; the first failure ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]
