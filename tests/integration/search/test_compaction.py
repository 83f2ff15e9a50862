"""The compactor, through its handler: it loses nothing when it dies, doubles nothing when it comes twice."""

import inspect
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from almanac.aws import outbox
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.events import CompactIndex
from almanac.index import compaction, ingest, upkeep
from almanac.index.manifest import Head, ManifestState, Snapshot
from almanac.index.sources import SourceRef
from tests.integration.search.world import SLUG, World, run


class Killed(BaseException):
    """The process ends here: nothing catches this."""


def ask(world: World) -> None:
    """Ask for a compaction of the tenant's index; nothing is done yet."""
    event = CompactIndex(tenant_id=world.tenant, correlation_id="correlation1", index_id=SLUG)
    world.write(outbox.message(event))
    world.stack.relay()


def compact(world: World) -> None:
    ask(world)
    while world.stack.deliver("Index", milliseconds=900_000):
        world.stack.relay()


def state(world: World) -> ManifestState:
    found: ManifestState = run(world.manifest.read())
    return found


def snapshot(world: World) -> Snapshot:
    found = state(world).snapshot(SLUG)
    assert found is not None
    return found


def titles(world: World, text: str = "elephants") -> list[str]:
    return sorted(hit["title"] for hit in world.search(text))


def test_a_log_becomes_a_snapshot_that_answers_alike(world: World) -> None:
    for number in range(5):
        world.index(world.message(f"m{number}", f"elephants {number}"))
    before = world.search("elephants 3")
    compact(world)
    assert state(world).segments(SLUG) == {}
    assert (snapshot(world).generation, snapshot(world).current.rows) == (1, 5)  # type: ignore[union-attr]
    assert world.search("elephants 3") == before
    world.index(world.message("m5", "elephants 5"), world.message("m1", "giraffes", version=2))
    assert titles(world) == ["m0", "m1", "m2", "m3", "m4", "m5"]
    compact(world)
    assert (snapshot(world).generation, snapshot(world).current.rows) == (2, 6)  # type: ignore[union-attr]
    assert len(world.search("giraffes", limit=50)) == 6


def test_what_was_superseded_goes_to_history_and_what_was_deleted_goes_for_good(world: World) -> None:
    world.index(world.message("one", "elephants"), world.message("two", "giraffes"))
    compact(world)
    world.index(world.message("one", "lions", version=2))
    compact(world)
    assert [part.rows for part in snapshot(world).history] == [1]
    world.write(*world.manifest.hide([SourceRef(source_id="message:one", version=2)]))
    compact(world)
    assert snapshot(world).history == ()
    assert snapshot(world).current.rows == 1  # type: ignore[union-attr]
    assert state(world).tombstones == {}
    world.index(world.message("one", "elephants"))
    assert titles(world) == ["two"]


def test_history_is_a_few_parts_however_many_compactions_there_were(world: World) -> None:
    for version in range(1, 10):
        world.index(*(world.message(f"m{n}", f"elephants {version} {n}", version=version) for n in range(3)))
        compact(world)
    history = snapshot(world).history
    assert sum(part.rows for part in history) == 3 * 8
    assert len(history) <= 4


def test_dropped_repositories_leave_the_snapshot_and_their_heads_the_manifest(world: World) -> None:
    world.index(world.code("a.py", "elephants = 1"), world.message("one", "elephants"))
    world.write(world.manifest.head(Head(world.repository, 1, "c1")))
    compact(world)
    world.write(world.manifest.drop(world.repository))
    compact(world)
    assert snapshot(world).current.rows == 1  # type: ignore[union-attr]
    assert state(world).heads == {}
    compact(world)
    assert snapshot(world).generation == 2


def test_the_log_asks_for_its_compaction_once_it_is_long(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "LONG_LOG", 4)
    monkeypatch.setattr(ingest, "_COMPACTIONS_IN", 1)
    for number in range(4):
        assert state(world).snapshot(SLUG) is None
        world.index(world.message(f"m{number}", "elephants"))
    world.stack.relay()
    assert world.stack.deliver("Index", milliseconds=900_000) == 1
    assert snapshot(world).generation == 1
    assert titles(world) == ["m0", "m1", "m2", "m3"]


def test_a_log_longer_than_one_compaction_is_merged_in_several(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_MOST_SEGMENTS", 2)
    for number in range(5):
        world.index(world.message(f"m{number}", "elephants"))
    compact(world)
    assert (snapshot(world).generation, state(world).segments(SLUG)) == (3, {})
    assert len(titles(world)) == 5


STEPS: list[tuple[type, str]] = [
    (Table, "query_all"),
    (Blobs, "get"),
    (Blobs, "put_file"),
    (Table, "transact"),
    (Table, "batch_delete"),
    (Blobs, "versions"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step[0].__name__}.{step[1]}")
def test_killed_at_any_step_nothing_is_lost_and_the_next_delivery_finishes(
    world: World, monkeypatch: pytest.MonkeyPatch, step: tuple[type, str], after: bool
) -> None:
    for number in range(3):
        world.index(world.message(f"m{number}", f"elephants {number}"))
    compact(world)
    world.index(world.message("m1", "elephants anew", version=2), world.message("m3", "elephants 3"))
    world.write(*world.manifest.hide([SourceRef(source_id="message:m0", version=1)]))
    before = world.search("elephants")
    ask(world)
    with monkeypatch.context() as patch:
        owner, name = step
        patch.setattr(owner, name, killing(getattr(owner, name), after=after))
        with pytest.raises(Killed):
            world.stack.deliver("Index", milliseconds=900_000)
    assert world.search("elephants") == before
    compact(world)
    assert world.search("elephants") == before
    assert (snapshot(world).current.rows, state(world).segments(SLUG)) == (3, {})  # type: ignore[union-attr]
    assert state(world).tombstones == {}


def test_of_two_compactions_at_once_one_takes_place(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        world.index(world.message(f"m{number}", f"elephants {number}"))
    before, swap = world.search("elephants"), compaction._Compaction._swap
    raced: list[bool] = []

    async def late(self: Any, made: Snapshot, *, more: bool) -> bool:
        if not raced:
            raced.append(True)
            other = await compaction.compact(self._workshop, self._tenant_id, SLUG, 0)
            assert other.segments == 3
        return await swap(self, made, more=more)

    monkeypatch.setattr(compaction._Compaction, "_swap", late)
    compact(world)
    assert snapshot(world).generation == 1
    assert world.search("elephants") == before


def killing(step: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    async def called(*arguments: Any, **named: Any) -> Any:
        if after:
            await step(*arguments, **named)
        raise Killed

    async def iterated(*arguments: Any, **named: Any) -> AsyncIterator[Any]:
        if after:
            async for each in step(*arguments, **named):
                yield each
        raise Killed

    return iterated if inspect.isasyncgenfunction(step) else called
