"""The dense side proposes rows; what is shown and what it scores is decided by the parts, whatever the side does."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from almanac.errors import RetryableError, TerminalError
from almanac.index import dense
from almanac.index.dense import DenseRow, DenseShard, DenseSide, InParts, Neighbour, RowKey, feed
from almanac.index.filters import Filters
from almanac.index.nearness import Vector
from almanac.index.parts import source_key
from almanac.index.retrieval import Hit, Query, candidates, search, statistics
from almanac.index.shards import ShardedSearch
from almanac.index.sources import Kind, SourceRef
from almanac.index.visibility import Facts, View
from tests.unit.index.histories import MODEL, WORDS, info, part_of, segment, vector_of


class Memory:
    """A side that keeps rows in memory; `choose` is what becomes of an exact answer."""

    def __init__(self, choose: Callable[[list[Neighbour]], list[Neighbour]] = lambda found: found) -> None:
        self.rows: dict[RowKey, DenseRow] = {}
        self.choose = choose
        self.asked: list[int] = []
        self.fails_after = 1_000_000

    async def put(self, rows: Sequence[DenseRow]) -> None:
        for row in rows:
            self._count()
            self.rows[row.key] = row

    async def delete(self, keys: Sequence[RowKey]) -> None:
        for key in keys:
            self._count()
            self.rows.pop(key, None)

    async def nearest(self, vector: Vector, filters: Filters, count: int) -> list[Neighbour]:
        self.asked.append(count)
        self._count()
        found = [Neighbour(row.key, cosine(row.code, vector)) for row in self.rows.values()]
        return self.choose(sorted(found, key=lambda each: (-each.similarity, each.key)))[:count]

    async def stored(self) -> AsyncIterator[RowKey]:
        for key in list(self.rows):
            yield key

    def _count(self) -> None:
        self.fails_after -= 1
        if self.fails_after < 0:
            raise RetryableError("busy")


def cosine(left: NDArray[np.int8], right: Vector) -> float:
    a, b = left.astype(float), right.astype(float)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.fixture(autouse=True)
def _every_part_is_large() -> Iterator[None]:
    with patch.object(dense, "FEW_ROWS", -1):
        yield


def world(rows: int = 30) -> View:
    """Return a snapshot, a log that changes and deletes some of it, and something that is erased."""
    texts = [f"{WORDS[n % 10]} {WORDS[n * 7 % 10]} {WORDS[n * 3 % 9]}" for n in range(rows)]
    snapshot = part_of(segment([(info(n), [texts[n], texts[-n - 1]]) for n in range(rows)]))
    changed = [(info(n, 2), [f"changed {texts[n]}"]) for n in range(0, rows, 9)]
    fresh = [(info(n), [f"fresh {texts[n - rows]}"]) for n in range(rows, rows + 4)]
    gone = [SourceRef(source_id=info(5).source_id, version=1)]
    return View([snapshot, part_of(segment([*changed, *fresh], gone))], Facts({info(7).source_id: 1}))


def fed_by(view: View, side: DenseSide) -> DenseShard:
    """Return the view with its snapshot fed to a side, as it was before anything was deleted."""
    snapshot = view.parts[0]
    asyncio.run(feed(side, View([snapshot], Facts()), [snapshot.name]))
    return DenseShard(view, side, [snapshot.name])


def answer(shard: DenseShard, query: Query, limit: int = 100) -> list[Hit]:
    return asyncio.run(ShardedSearch([shard]).search(query, limit))


queries = st.builds(
    lambda words, weight, filters: Query(" ".join(words), vector_of(" ".join(words)), weight, filters),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
    st.sampled_from([0.3, 0.7, 1.0]),
    st.sampled_from([Filters(), Filters(kinds=frozenset({Kind.MESSAGE})), Filters(paths=("src/a/**",))]),
)


@settings(deadline=None, max_examples=40)
@given(queries)
def test_a_side_that_finds_everything_changes_no_answer(query: Query) -> None:
    view = world()
    assert repr(answer(fed_by(view, Memory()), query)) == repr(search(view, query, 100))


@settings(deadline=None, max_examples=40)
@given(queries, st.integers(1, 6))
def test_a_side_that_misses_rows_loses_them_and_makes_no_other_row_wrong(query: Query, every: int) -> None:
    view = world()
    hits = answer(fed_by(view, Memory(lambda near: near[::every])), query)
    found = candidates(view, query, statistics(view, query), exhaustive=True)
    rows = zip(found.high.tolist(), found.low.tolist(), found.ordinal.tolist(), strict=True)
    exact = dict(zip(rows, zip(found.words.tolist(), found.similarity.tolist(), strict=True), strict=True))
    for hit in hits:
        assert exact[(*source_key(hit.info.source_id), hit.ordinal)] == (hit.parts.bm25, hit.parts.cosine)


def test_what_the_side_still_knows_is_not_shown() -> None:
    view, side = world(), Memory()
    query = Query(WORDS[0], vector_of(WORDS[0]), 0.7)
    shown = {hit.info.ref for hit in answer(fed_by(view, side), query)}
    assert {key.version for key in side.rows} == {1}
    assert shown == {SourceRef(source_id=name, version=version) for name, version in view.sources()}


def test_what_the_side_does_not_know_yet_is_found_in_the_log() -> None:
    view = world()
    query = Query("fresh", vector_of("fresh parse"), 1.0)
    hits = answer(fed_by(view, Memory(lambda _: [])), query)
    assert {hit.info.source_id for hit in hits} >= {info(n).source_id for n in range(30, 34)}


def test_more_is_asked_for_when_too_little_of_it_may_be_shown() -> None:
    view, side = world(), Memory(lambda found: found * 100)
    answer(fed_by(view, side), Query("parse", vector_of("parse"), 0.7, Filters(paths=("nothing/**",))))
    assert side.asked == [dense.FIRST, dense.MOST]


def test_few_rows_are_compared_here() -> None:
    view, side = world(), Memory()
    query = Query("parse", vector_of("parse"), 0.7)
    shard = fed_by(view, side)
    with patch.object(dense, "FEW_ROWS", 1000):
        hits = answer(shard, query)
    assert side.asked == []
    assert repr(hits) == repr(search(view, query, 100))


@pytest.mark.parametrize("error", [RetryableError("busy"), TerminalError("AccessDeniedException", "no")])
def test_everything_is_compared_here_while_the_side_does_not_answer(error: Exception) -> None:
    def refuse(_: list[Neighbour]) -> list[Neighbour]:
        raise error

    view = world()
    query = Query("parse", vector_of("parse"), 0.7)
    assert repr(answer(fed_by(view, Memory(refuse)), query)) == repr(search(view, query, 100))


def test_a_query_without_meaning_does_not_ask_the_side() -> None:
    side = Memory()
    shard = fed_by(world(), side)
    for vector in (None, np.zeros(MODEL.dimensions, np.int8)):
        answer(shard, Query("parse", vector, 0.7))
    assert side.asked == []


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 60), max_size=4))
def test_feeding_ends_with_exactly_the_visible_rows_however_often_it_fails(failures: list[int]) -> None:
    view, side = world(), Memory()
    names = [part.name for part in view.parts]
    asyncio.run(feed(side, View(view.parts[:1], Facts()), names))
    for after in failures:
        side.fails_after = after
        try:
            asyncio.run(feed(side, view, names))
        except RetryableError:
            continue
    side.fails_after = 1_000_000
    asyncio.run(feed(side, view, names))
    assert set(side.rows) == asyncio.run(_listed(InParts(view)))
    assert asyncio.run(feed(side, view, names)) == (0, 0)


async def _listed(side: InParts) -> set[RowKey]:
    return {key async for key in side.stored()}


def test_parts_name_their_nearest_rows_themselves() -> None:
    view, side = world(), Memory()
    asyncio.run(feed(side, view, [part.name for part in view.parts]))
    vector = vector_of("lease retry")
    exact = asyncio.run(InParts(view).nearest(vector, Filters(), 12))
    reference = asyncio.run(side.nearest(vector, Filters(), 12))
    assert [each.similarity for each in exact] == pytest.approx([each.similarity for each in reference], rel=1e-6)
    assert all(side.rows[each.key].code @ vector for each in exact)


def test_what_parts_hold_needs_no_putting_and_no_deleting() -> None:
    view = world()
    before = asyncio.run(_listed(InParts(view)))
    asyncio.run(InParts(view).put([]))
    asyncio.run(InParts(view).delete(sorted(before)))
    assert asyncio.run(_listed(InParts(view))) == before


@given(st.builds(RowKey, *[st.integers(0, 2**64 - 1)] * 2, st.integers(1, 2**40), st.integers(0, 2**31 - 1)))
def test_a_key_is_read_as_it_was_written(key: RowKey) -> None:
    assert RowKey.read(key.text) == key
    assert len(key.text) <= 1024


@pytest.mark.parametrize("text", ["", "a.1.0", "00c0ffee00c0ffee00c0ffee00c0ffee.1", "g" * 32 + ".1.0"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        RowKey.read(text)
