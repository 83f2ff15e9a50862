"""Who does not see a project finds what an index would answer that the project was never in: now, then, in shards."""

import asyncio
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.aws import keys
from almanac.aws.table import Put, Table
from almanac.index import remote
from almanac.index.containers import Containers
from almanac.index.filters import Filters, microseconds
from almanac.index.manifest import Directory, ManifestState
from almanac.index.pool import POOL
from almanac.index.retrieval import Query, search
from almanac.index.segments import Segment
from almanac.index.shards import ShardedSearch
from almanac.index.sources import SourceInfo
from almanac.index.visibility import AsOf, Facts, View
from tests.support.memory import MemoryStore
from tests.unit.index import test_shards as shards
from tests.unit.index.histories import MODEL, answer, info, query, segment, view_of
from tests.unit.index.test_convergence import REPOSITORY, START, History, Index, histories, texts

PROJECTS = ["prj_0", "prj_1", "chk_1", "doc_2"]
"""What may be hidden: projects, collections (they are containers), and documents as far as the engine goes."""
hidden_sets = st.frozensets(st.sampled_from(PROJECTS), max_size=2)


def _is_seen(source: SourceInfo, hidden: frozenset[str]) -> bool:
    return hidden.isdisjoint({source.project_id, source.container_id, source.group_id})


def without(history: History, hidden: frozenset[str]) -> History:
    """Return the history in which nothing of the hidden projects was ever written."""

    def kept(step: Segment) -> Segment:
        made = [
            (source, [row.text for row in step.rows if row.source == place])
            for place, source in enumerate(step.sources)
            if _is_seen(source, hidden)
        ]
        return replace(segment(made, step.tombstones), origin=step.origin)

    steps = [kept(step) if isinstance(step, Segment) else step for step in history.steps]
    return replace(history, steps=steps)


@settings(max_examples=200, deadline=None)
@given(histories(), hidden_sets, texts, st.sampled_from([0.0, 0.7, 1.0]))
def test_the_answer_is_that_of_an_index_without_the_project(
    history: History, hidden: frozenset[str], text: str, weight: float
) -> None:
    asked = query(text, meaning_weight=weight)
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as other:
        narrowed = Index(Path(directory)).learn(history).view().without(hidden)
        never = Index(Path(other)).learn(without(history, hidden)).view()
        assert answer(narrowed, asked) == answer(never, asked)
        assert (narrowed.rows, narrowed.length, narrowed.unembedded) == (never.rows, never.length, never.unembedded)
        assert all(_is_seen(hit.info, hidden) for hit in answer(narrowed, asked))


@settings(max_examples=200, deadline=None)
@given(histories(), hidden_sets, st.integers(0, 4), st.integers(0, 5))
def test_the_past_has_nothing_of_the_project_either(
    history: History, hidden: frozenset[str], run: int, hours: int
) -> None:
    as_of = AsOf(microseconds(START + timedelta(hours=hours)), {REPOSITORY: run})
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as other:
        narrowed = Index(Path(directory)).learn(history).view(as_of).without(hidden)
        never = Index(Path(other)).learn(without(history, hidden)).view(as_of)
        assert sorted(narrowed.sources()) == sorted(never.sources())
        assert answer(narrowed, query("queue lease")) == answer(never, query("queue lease"))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(shards.batches, min_size=1, max_size=3),
    shards.facts,
    shards.queries,
    hidden_sets,
    st.integers(1, 5),
    st.sampled_from([3, POOL]),
)
def test_shards_elsewhere_answer_without_the_project_bit_for_bit(
    written: list[shards.Batch], known: Facts, query: Query, hidden: frozenset[str], count: int, pool: int
) -> None:
    known = replace(known, hidden=hidden)
    never = [replace(batch, written=[each for each in batch.written if _is_seen(each[0], hidden)]) for batch in written]
    split = [shards.view_of([batch.of(n, count) for batch in written], known) for n in range(count)]
    sharded = ShardedSearch([shards.remote_of(view) for view in split])
    with shards.pruning(pool):
        found = asyncio.run(sharded.answer(query, 20))
        whole = shards.view_of(never, replace(known, hidden=frozenset()))
        assert shards.exact(found.hits) == shards.exact(search(whole, query, 20))
        assert (found.rows, found.unembedded) == (whole.rows, whole.unembedded)


def test_a_filter_for_a_hidden_project_finds_what_one_for_no_project_finds() -> None:
    view = view_of(segment([(info(number), ["queue lease"]) for number in range(6)])).without(frozenset({"prj_1"}))
    for name in ("prj_1", "prj_none"):
        assert answer(view, query("queue", filters=Filters(projects=frozenset({name})))) == []
    assert len(answer(view, query("queue", filters=Filters(projects=frozenset({"prj_0"}))))) == 3


def test_a_view_that_has_nothing_of_the_project_stays_the_one_it_is() -> None:
    view = view_of(segment([(info(1), ["queue"])]))
    assert view.without(frozenset({"prj_0", "prj_none"})) is view


def test_every_shard_is_told_what_is_hidden() -> None:
    state, hidden = ManifestState(Directory.default("i", "m")), frozenset({"prj_1"})
    pinned = remote.pins("ten_1", state, "i", MODEL, hidden=hidden)
    assert [pin.facts.hidden for pin in pinned] == [hidden]
    told: list[str] = []

    async def opened(pin: remote.Pin) -> View:
        told.extend(pin.facts.hidden)
        return view_of(segment([(info(1), ["queue"])]))

    async def invoke(message: str) -> str:
        return await remote.serve(message, opened)

    asyncio.run(remote.RemoteShard(invoke, pinned[0]).count(query("queue")))
    assert told == ["prj_1"]


def test_a_release_that_does_not_know_hidden_projects_is_not_asked() -> None:
    async def refused(_: remote.Pin) -> View:
        raise AssertionError("opened")

    message = remote.pack({"protocol": 1, "call": "count"}, {})
    assert "another release" in remote.unpack(asyncio.run(remote.serve(message, refused))).values["error"]


def test_containers_are_hidden_with_their_project_and_when_they_are_gone() -> None:
    store = MemoryStore()
    table, containers = Table("almanac", store), Containers(Table("almanac", store))

    async def asked() -> None:
        for key, name, project in (
            (keys.repository("ten_1", "rep_1"), "rep_1", "prj_1"),
            (keys.repository("ten_1", "rep_2"), "rep_2", "prj_2"),
            (keys.checkpoint("ten_1", "chk_1"), "chk_1", "prj_1"),
            (keys.collection("ten_1", "col_1"), "col_1", "prj_1"),
            (keys.collection("ten_1", "col_2"), "col_2", ""),
        ):
            await table.write(Put({**key.as_dict(), "id": name, "project_id": project}))
        named, hidden = ["rep_1", "rep_2", "chk_1", "rep_gone"], frozenset({"prj_1"})
        assert await containers.within("ten_1", named, hidden) == {"rep_1", "chk_1", "rep_gone"}
        calls: list[str] = []
        store.on_call = lambda *_: calls.append("read")
        assert await containers.within("ten_1", named[:3], hidden) == {"rep_1", "chk_1"}
        assert await containers.within("ten_1", named, frozenset()) == frozenset()
        assert calls == []
        # Documents are in a collection, else in their project, else in nothing: that is never hidden.
        documents = ["col_1", "col_2", "col_gone", "prj_1", "prj_2", ""]
        assert await containers.within("ten_1", documents, hidden) == {"col_1", "col_gone", "prj_1"}
        assert await containers.within("ten_1", documents, frozenset({"col_2"})) == {"col_2", "col_gone"}

    asyncio.run(asked())
