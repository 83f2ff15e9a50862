"""Shards answer together exactly like the index that they are parts of."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from almanac.index import bm25, remote, retrieval, selection
from almanac.index import pool as pools
from almanac.index.encoding import encode
from almanac.index.filters import Filters
from almanac.index.parts import Part, open_part
from almanac.index.remote import Pin, RemoteShard, ShardUnavailable, serve
from almanac.index.retrieval import Hit, Query, search
from almanac.index.segments import Model, Row, Segment
from almanac.index.shards import LocalShard, ShardedSearch, shard_of
from almanac.index.sources import Kind, SourceInfo, SourceRef
from almanac.index.visibility import Facts, View


@pytest.mark.parametrize(
    ("source_id", "shards", "shard"),
    [
        ("", 1, 0),
        ("message:01HZX", 2, 0),
        ("message:01HZX", 8, 3),
        ("file:repo:src/main.py", 3, 1),
        ("file:repo:src/main.py", 64, 40),
        ("сообщение", 5, 2),
        ("\ud800", 7, 4),
    ],
)
def test_a_source_stays_in_its_shard_for_ever(source_id: str, shards: int, shard: int) -> None:
    assert shard_of(source_id, shards) == shard


@given(st.text(), st.integers(1, 64))
def test_every_source_has_a_shard(source_id: str, shards: int) -> None:
    assert 0 <= shard_of(source_id, shards) < shards


@pytest.mark.parametrize("shards", [2, 3, 7, 8, 16])
def test_sources_are_spread_evenly(shards: int) -> None:
    counts = Counter(
        shard_of(f"repository:01J{number:08}:path/to/file_{number}.py", shards) for number in range(20_000)
    )
    expected = 20_000 / shards
    assert len(counts) == shards
    # The 99.99th percentile of the chi-squared distribution with 15 degrees of freedom is 44.3.
    assert sum((count - expected) ** 2 / expected for count in counts.values()) < 44.3


def test_an_index_without_shards_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        shard_of("a", 0)


MODEL = Model(name="test:hash", fingerprint="f1", dimensions=8)
VOCABULARY = ["parse", "header", "queue", "retry", "lease", "commit", "vector", "index", "алмаз", "parse_header"]
TENANT, INDEX = "ten_1", "test-hash"

Written = tuple[SourceInfo, list[str]]


def vector_of(text: str) -> NDArray[np.int8]:
    """Return few different vectors: many rows are equally near."""
    digest = hashlib.sha256(" ".join(sorted(set(text.split()))).encode()).digest()[: MODEL.dimensions]
    return np.frombuffer(digest, np.int8)


def info(number: int, version: int) -> SourceInfo:
    return SourceInfo(
        source_id=f"message:{number:03d}",
        version=version,
        kind=list(Kind)[number % 3],
        project_id=f"prj_{number % 2}",
        container_id=f"chk_{number % 3}",
        title=f"title {number % 4}",
        path=f"src/{'abc'[number % 3]}/file{number}.py" if number % 3 == 0 else None,
        language=["Python", "markdown", None][number % 3],
        author=f"Ann <ann{number % 4}@example.org>",
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=number) if number % 5 else None,
    )


def part_of(written: Sequence[Written], gone: Sequence[SourceRef], *, embedded: bool) -> Part:
    rows = [
        Row(place, ordinal, ordinal * 10 + 1, ordinal * 10 + 10, text)
        for place, (_, texts) in enumerate(written)
        for ordinal, text in enumerate(texts)
    ]
    vectors = np.array([vector_of(row.text) for row in rows], np.int8).reshape(-1, MODEL.dimensions)
    found = encode(Segment(MODEL, [each for each, _ in written], rows, vectors if embedded else None, tuple(gone)))
    return open_part(found.body, name=found.sha256, key=found.sha256, model=MODEL)


@dataclass(frozen=True)
class Batch:
    """What one message to a writer adds: sources and sources that are gone."""

    written: list[Written]
    gone: list[SourceRef]
    embedded: bool

    def of(self, shard: int, shards: int) -> "Batch":
        def here(source_id: str) -> bool:
            return shard_of(source_id, shards) == shard

        written = [each for each in self.written if here(each[0].source_id)]
        return Batch(written, [ref for ref in self.gone if here(ref.source_id)], self.embedded)


def view_of(batches: Sequence[Batch], facts: Facts) -> View:
    parts = [part_of(batch.written, batch.gone, embedded=batch.embedded) for batch in batches]
    return View(parts, facts)


texts = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=12).map(" ".join)
numbers, versions = st.integers(0, 30), st.integers(1, 4)
sources = st.builds(info, numbers, versions)
batches = st.builds(
    Batch,
    st.lists(
        st.tuples(sources, st.lists(texts, max_size=3)), max_size=12, unique_by=lambda written: written[0].source_id
    ),
    st.lists(st.builds(lambda n, v: SourceRef(source_id=f"message:{n:03d}", version=v), numbers, versions), max_size=3),
    st.sampled_from([True, True, True, False]),
)
facts = st.builds(
    Facts,
    erased=st.dictionaries(numbers.map(lambda n: f"message:{n:03d}"), versions, max_size=3),
    drops=st.frozensets(st.sampled_from(["prj_1", "chk_2"]), max_size=1),
    floors=st.dictionaries(st.sampled_from(["chk_0", "chk_1"]), versions, max_size=1),
    hidden=st.frozensets(st.sampled_from(["prj_0", "prj_1"]), max_size=1),
)
filters = st.builds(
    Filters,
    kinds=st.frozensets(st.sampled_from(list(Kind)), max_size=2),
    projects=st.frozensets(st.sampled_from(["prj_0", "prj_1"]), max_size=1),
    paths=st.sampled_from([(), ("src/a/**",), ("*.py",)]),
    since=st.sampled_from([None, datetime(2026, 1, 1, 9, tzinfo=UTC)]),
    without_authors=st.sampled_from([(), ("ann2",)]),
)
queries = st.builds(
    lambda text, meaning, *rest: Query(text, vector_of(text) if meaning else None, *rest),
    texts,
    st.booleans(),
    st.sampled_from([0.0, 0.3, 0.7]),
    filters,
    st.lists(texts, max_size=1).map(lambda found: tuple(" ".join(text.split()[:2]) for text in found)),
    st.sampled_from([(), ("lease",), ("queue retry",)]),
    st.booleans(),
)


def remote_of(view: View, invoked: list[str] | None = None) -> RemoteShard:
    """Return a shard behind its messages, which become text and back."""
    pin = Pin(TENANT, INDEX, 0, MODEL, (), (), Facts())

    async def opened(asked: Pin) -> View:
        assert asked == pin
        return view

    async def invoke(message: str) -> str:
        if invoked is not None:
            invoked.append(message)
        return await serve(message, opened)

    return RemoteShard(invoke, pin)


def exact(hits: Sequence[Hit]) -> list[str]:
    """Return all of the hits, with every bit of their numbers."""
    return [repr(hit) for hit in hits]


@contextmanager
def pruning(pool: int) -> Iterator[None]:
    """Let even small worlds have more rows than are looked at, and terms that are left for later."""
    with (
        patch.object(pools, "POOL", pool),
        patch.object(bm25, "_FREQUENT", pool),
        patch.object(selection, "PHRASE_ROWS", pool),
        patch.object(remote, "ROWS_PER_ANSWER", pool + 1),
    ):
        yield


@settings(max_examples=150, deadline=None)
@given(
    st.lists(batches, min_size=1, max_size=4),
    facts,
    queries,
    st.integers(1, 8),
    st.booleans(),
    st.integers(1, 40),
    st.sampled_from([3, 10, 1000]),
)
def test_shards_answer_exactly_like_one_index(
    written: list[Batch], known: Facts, query: Query, shards: int, is_remote: bool, limit: int, pool: int
) -> None:
    whole = view_of(written, known)
    split = [view_of([batch.of(shard, shards) for batch in written], known) for shard in range(shards)]
    sharded = ShardedSearch([(remote_of if is_remote else LocalShard)(view) for view in split])

    async def pages() -> tuple[list[Hit], list[Hit]]:
        first = await sharded.answer(query, limit)
        assert (first.rows, first.unembedded) == (whole.rows, whole.unembedded)
        after = first.hits[-1].position if first.hits else None
        return first.hits, await sharded.search(query, limit, after) if after else []

    with pruning(pool):
        first, second = asyncio.run(pages())
        assert exact(first) == exact(search(whole, query, limit))
        assert exact(second) == (exact(search(whole, query, limit, first[-1].position)) if first else [])


def test_phrases_that_were_not_looked_up_are_looked_up_in_the_hits() -> None:
    texts = ["lease retry index queue", "retry lease index queue"]
    written = [(info(number, 1), [texts[number % 2]]) for number in range(24)]
    query = Query("index", vector_of("index"), 0.7, phrases=("retry lease",))
    split = [view_of([Batch(written, [], True).of(shard, 3)], Facts()) for shard in range(3)]
    with patch.object(selection, "PHRASE_ROWS", 1):
        hits = asyncio.run(ShardedSearch([remote_of(view) for view in split]).search(query, 10))
    assert {hit.text for hit in hits} == {texts[1]}
    assert len(hits) == 10


def test_a_shard_that_fails_fails_the_search() -> None:
    class Failing(LocalShard):
        async def candidates(self, query: Query, known: bm25.TermStatistics) -> retrieval.Candidates:
            raise ShardUnavailable("gone")

    view = view_of([Batch([(info(1, 1), ["parse header"])], [], True)], Facts())
    query = Query("parse", vector_of("parse"), 0.7)
    with pytest.raises(ShardUnavailable, match="gone"):
        asyncio.run(ShardedSearch([LocalShard(view), Failing(view)]).search(query, 10))


def test_an_index_of_no_shards_is_not_searched() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ShardedSearch([])
