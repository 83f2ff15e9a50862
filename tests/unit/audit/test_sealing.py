"""Any number of workers, dying anywhere, build one unbroken chain with each entry once."""

import asyncio
import random
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from almanac.audit import chain, sealing, trail
from almanac.audit.log import AuditLog
from almanac.audit.trail import Call, Opened, Outcome
from almanac.aws import keys
from almanac.aws.table import ConditionFailed, Table, plain
from almanac.errors import RetryableError
from almanac.worker.batch import Deadline
from tests.support.memory import Killed, MemoryStore

TENANT = "ten_01k9zq3v7m8x2c4b6n0d1f5g7h"
LATER = trail.GRACE_SECONDS + 60


def call(number: int = 0) -> Call:
    return Call(TENANT, {"id": f"usr_{number}"}, "create_project", "POST", {"n": str(number)}, {"ip": "192.0.2.1"})


@dataclass
class World:
    """One tenant's log over a store that can die."""

    store: MemoryStore = field(default_factory=MemoryStore)
    begun: dict[str, Opened] = field(default_factory=dict)
    ended: dict[str, int] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        return Table("almanac", self.store)

    async def calls(self, first: int, many: int) -> None:
        for number in range(first, first + many):
            opened = await trail.begin(self.table, call(number))
            self.begun[opened.id] = opened
            await trail.finish(self.table, opened, Outcome(201 if number % 3 else 404))
            self.ended[opened.id] = 201 if number % 3 else 404

    async def seal(self) -> int:
        return await sealing.seal(self.table, TENANT, Deadline(time.monotonic() + 60))

    def entities(self, entity: str) -> list[dict[str, Any]]:
        return [plain(item) for item in self.store.items.values() if item["entity"]["S"] == entity]

    def lines(self) -> list[chain.Line]:
        async def read() -> list[chain.Line]:
            log = AuditLog(self.table, TENANT)
            return await log.with_sources(await log.after(0, 10_000))

        return asyncio.run(read())

    def assert_whole(self) -> list[chain.Line]:
        lines = self.lines()
        checked = chain.check(lines, TENANT)
        assert (checked.broken, checked.erased) == (None, 0)
        ids = [line["id"] for line in lines]
        assert len(set(ids)) == len(ids)
        return lines


def clock(ahead: float) -> SimpleNamespace:
    """Return what stands for the worker's `time`: its own clock, and nobody else's."""
    return SimpleNamespace(time=lambda: time.time() + ahead)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let so much time pass that no call which has begun can still end."""
    monkeypatch.setattr(sealing, "time", clock(LATER))


async def attempted(work: Coroutine[Any, Any, Any]) -> None:
    """Do work as a process that may die, whose message comes again when it fails."""
    with suppress(Killed, RetryableError, ConditionFailed):
        await work


def test_entries_are_sealed_in_the_order_in_which_their_calls_began(world: World) -> None:
    asyncio.run(world.calls(0, 70))
    assert asyncio.run(world.seal()) == 70
    lines = world.assert_whole()
    assert [line["id"] for line in lines] == sorted(world.begun)
    assert world.entities("audit_open") == []
    (head,) = world.entities("audit_head")
    assert (head["seq"], head["hash"]) == (70, lines[-1]["hash"])
    assert asyncio.run(world.seal()) == 0


def test_a_call_that_still_runs_is_not_sealed_and_those_after_it_are(world: World) -> None:
    running = asyncio.run(trail.begin(world.table, call()))
    asyncio.run(world.calls(1, 2))
    assert asyncio.run(world.seal()) == 2
    asyncio.run(trail.finish(world.table, running, Outcome(204)))
    assert asyncio.run(world.seal()) == 1
    assert [line["id"] for line in world.assert_whole()][-1] == running.id


def test_a_call_whose_end_nobody_saw_is_sealed_as_unknown(world: World, later: None) -> None:
    opened = asyncio.run(trail.begin(world.table, call()))
    assert asyncio.run(world.seal()) == 1
    (line,) = world.assert_whole()
    assert (line["id"], line["result"]) == (opened.id, "unknown")
    assert "status" not in line
    with pytest.raises(ConditionFailed):
        asyncio.run(trail.finish(world.table, opened, Outcome(200)))
    assert world.assert_whole() == [line]


def test_a_result_that_comes_while_its_entry_is_sealed_is_not_lost(world: World, later: None) -> None:
    opened = asyncio.run(trail.begin(world.table, call()))
    table = world.table
    transact, late = table.transact, [trail.finish(world.table, opened, Outcome(201))]

    async def second(writes: Any) -> None:
        if late:
            await late.pop()
        await transact(writes)

    table.transact = second  # type: ignore[method-assign]
    assert asyncio.run(sealing.seal(table, TENANT, Deadline(time.monotonic() + 60))) == 1
    (line,) = world.assert_whole()
    assert (line["result"], line["status"]) == ("succeeded", 201)


def test_no_sealing_time_lies_before_that_of_an_earlier_entry(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asyncio.run(world.calls(0, 1))
    asyncio.run(world.seal())
    asyncio.run(world.calls(1, 1))
    monkeypatch.setattr(sealing, "time", clock(-3600))
    asyncio.run(world.seal())
    first, second = world.assert_whole()
    assert first["sealed_at"] == second["sealed_at"]


def test_a_worker_without_time_leaves_the_rest_to_another(world: World) -> None:
    asyncio.run(world.calls(0, 3))
    with pytest.raises(RetryableError):
        asyncio.run(sealing.seal(world.table, TENANT, Deadline(time.monotonic() + 1)))
    assert len(world.entities("audit_open")) == 3


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_worker_may_die_at_each_of_its_calls(after_effect: bool, later: None) -> None:
    for died_at in range(1, 20):
        world = World()
        asyncio.run(world.calls(0, sealing.BLOCK + 3))
        asyncio.run(trail.begin(world.table, call()))
        world.store.kill_after_effect = after_effect
        world.store.kill_at = died_at
        asyncio.run(attempted(world.seal()))
        finished = not world.store.dead
        world.store.revive()
        asyncio.run(world.seal())
        assert len(world.assert_whole()) == sealing.BLOCK + 4
        assert world.entities("audit_open") == []
        if finished:
            return
    raise AssertionError("the worker makes more calls than this test kills it at")


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_call_may_die_at_each_step_and_leaves_an_entry_if_it_ran(after_effect: bool, later: None) -> None:
    for died_at in (1, 2):
        world = World()
        world.store.kill_after_effect = after_effect
        world.store.kill_at = died_at
        asyncio.run(attempted(world.calls(1, 1)))
        world.store.revive()
        asyncio.run(world.seal())
        lines = world.assert_whole()
        # The route runs only after `begin` has returned.
        assert len(lines) >= len(world.begun)
        wanted = "succeeded" if (died_at, after_effect) == (2, True) else "unknown"
        assert {line["result"] for line in lines} <= {wanted}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32),
    rounds=st.lists(
        st.tuples(st.integers(0, 12), st.integers(1, 5), st.none() | st.integers(1, 60), st.booleans()),
        min_size=1,
        max_size=5,
    ),
)
def test_whatever_happens_there_is_one_chain_with_each_entry_once(
    seed: int, rounds: list[tuple[int, int, int | None, bool]]
) -> None:
    chance = random.Random(seed)
    world = World()
    world.store.pauses = lambda: chance.randrange(4)
    number = 0

    async def together(calls: int, workers: int) -> None:
        callers = [world.calls(number + i, 1) for i in range(calls)]
        await asyncio.gather(*(attempted(work) for work in [*callers, *(world.seal() for _ in range(workers))]))

    for calls, workers, kill_at, after_effect in rounds:
        world.store.kill_at, world.store.kill_after_effect = kill_at, after_effect
        asyncio.run(together(calls, workers))
        number += calls
        world.store.revive()
        world.assert_whole()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, "time", clock(LATER))
        asyncio.run(world.seal())
    lines = {line["id"]: line for line in world.assert_whole()}
    assert world.begun.keys() <= lines.keys()
    assert all(lines[entry]["status"] == status for entry, status in world.ended.items())
    assert world.entities("audit_open") == []


def test_nothing_but_the_head_is_ever_written_over(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    transact = Table.transact

    async def watched(table: Table, writes: Any) -> None:
        for write in writes:
            ((verb, request),) = write.request("almanac").items()
            pk = (request.get("Key") or request["Item"])["pk"]["S"]
            if pk == keys.audit_entries(TENANT):
                written.append(f"{verb} {request['ConditionExpression']}")
        await transact(table, writes)

    monkeypatch.setattr(Table, "transact", watched)
    asyncio.run(world.calls(0, 4))
    asyncio.run(world.seal())
    assert written == ["Put attribute_not_exists(#pk)"] * 4
