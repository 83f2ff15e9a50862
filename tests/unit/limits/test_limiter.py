"""Spending on a store in memory: many environments at once, what a refusal costs, and a store that is down."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.aws import keys
from almanac.aws.table import Table, Update
from almanac.limits import limiter as limiting
from almanac.limits.limiter import REVISION, Limiter, Shelf, Standing
from almanac.limits.windows import Bucket, Policy
from tests.support.memory import MemoryStore

KEY = keys.limits("ten_1")
START = 1_767_225_600.0


class World:
    """A store, a clock that stands, and the calls that reached the store."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.now = START
        self.calls = 0
        self.store.on_call = self._count

    def environment(self) -> Limiter:
        return Limiter(Table("almanac", self.store), clock=lambda: self.now)

    def item(self) -> Mapping[str, Any]:
        return self.store.items.get((KEY.pk, KEY.sk), {})

    def _count(self) -> None:
        self.calls += 1


def shelf(actor: str = "usr_1", *, tenant: int = 10, own: int = 5) -> Shelf:
    """Return a tenant's item: a bucket of `tenant` calls a second, and of `own` for who acts."""

    def buckets(item: Mapping[str, Any]) -> list[Bucket]:
        burst = item.get("tenant_burst", tenant)
        return [
            Bucket("tenant", Policy("tenant", burst, 1_000)),
            Bucket(actor, Policy("actor", own, 1_000)),
        ]

    return Shelf(KEY, buckets)


def admitted(standings: list[Standing]) -> int:
    return sum(not standing.wait for standing in standings)


async def spend(limiter: Limiter, times: int, of: Shelf) -> list[Standing]:
    return [await limiter.spend(of) for _ in range(times)]


def test_a_call_costs_one_write_and_a_refusal_after_another_none() -> None:
    world = World()
    standings = asyncio.run(spend(world.environment(), 8, shelf()))
    assert (admitted(standings), world.calls) == (5, 5)


def test_nobody_spends_of_the_tenant_what_their_own_bucket_refuses() -> None:
    world = World()
    limiter = world.environment()
    asyncio.run(spend(limiter, 20, shelf("usr_1")))
    assert admitted(asyncio.run(spend(limiter, 20, shelf("usr_2")))) == 5
    assert admitted(asyncio.run(spend(limiter, 20, shelf("usr_3")))) == 0


def test_two_hundred_environments_at_once_admit_the_burst_and_write_once_each() -> None:
    world = World()
    environments = [world.environment() for _ in range(200)]

    async def all_at_once() -> list[Standing]:
        return await asyncio.gather(*(each.spend(shelf(own=50, tenant=50)) for each in environments))

    assert admitted(asyncio.run(all_at_once())) == 50
    assert world.calls == 200


@settings(max_examples=60, deadline=None)
@given(
    moves=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 400)), min_size=1, max_size=120),
    burst=st.integers(1, 8),
    pauses=st.integers(0, 3),
)
def test_environments_that_know_little_of_each_other_never_admit_more_than_one_burst_beyond(
    moves: list[tuple[int, int]], burst: int, pauses: int
) -> None:
    world = World()
    world.store.pauses = lambda: pauses
    environments = [world.environment() for _ in range(6)]
    times: list[float] = []

    async def run() -> None:
        for which, gap in moves:
            world.now += gap / 1000
            # Three calls of a moment, one of them through another environment.
            some = [environments[which], environments[which], environments[(which + 1) % 6]]
            found = await asyncio.gather(*(each.spend(shelf(tenant=burst, own=burst)) for each in some))
            times.extend([world.now] * admitted(found))

    asyncio.run(run())
    for first, began in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + burst * (times[last] - began) + burst + 1e-6


def test_a_call_that_was_counted_and_refused_is_not_counted_again() -> None:
    world = World()
    busy, other = world.environment(), world.environment()

    async def run() -> list[bool]:
        await spend(busy, 5, shelf(own=5, tenant=5))
        # The other environment knows nothing of the window before.
        world.now = START + 1.1
        first = await other.spend(shelf(own=5, tenant=5))
        world.now += 0.15
        return [bool(first.wait), bool((await other.spend(shelf(own=5, tenant=5))).wait)]

    assert asyncio.run(run()) == [True, False]
    assert world.calls == 6


def test_the_item_forgets_who_has_not_called_for_a_while() -> None:
    world = World()
    limiter = world.environment()

    async def run() -> None:
        for actor in range(200):
            world.now += 0.5
            await limiter.spend(shelf(f"usr_{actor}"))

    asyncio.run(run())
    assert len(world.item()) < 30


def test_limits_that_an_operator_sets_bind_environments_that_never_saw_them() -> None:
    world = World()
    old = world.environment()

    async def run() -> tuple[list[Standing], list[Standing]]:
        await old.spend(shelf(own=50))
        table = Table("almanac", world.store)
        await table.write(Update(KEY, set={"tenant_burst": 3, REVISION: 1}, condition=""))
        return await spend(old, 10, shelf(own=50)), await spend(world.environment(), 10, shelf(own=50))

    known, fresh = asyncio.run(run())
    assert admitted(known) + admitted(fresh) == 2


def test_a_limit_that_was_lifted_binds_again_a_minute_after_it_is_back() -> None:
    world = World()
    limiter = world.environment()
    lifted = Shelf(KEY, lambda item: [] if item.get("tenant_rate") == 0 else [Bucket("t", Policy("t", 1, 1_000))])

    async def run() -> list[int]:
        table = Table("almanac", world.store)
        await table.write(Update(KEY, set={"tenant_rate": 0}, add={REVISION: 1}, condition=""))
        found = [admitted(await spend(limiter, 5, lifted))]
        await table.write(Update(KEY, set={"tenant_rate": None}, add={REVISION: 1}, condition=""))
        found.append(admitted(await spend(limiter, 5, lifted)))
        world.now += 61
        return [*found, admitted(await spend(limiter, 5, lifted))]

    assert asyncio.run(run()) == [5, 5, 1]


def test_a_store_that_fails_admits_everybody_and_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    counted: list[str] = []
    monkeypatch.setattr(limiting, "emit", lambda values, **_: counted.extend(values))

    def fail() -> None:
        raise OSError("no route to the store")

    world.store.on_call = fail
    assert admitted(asyncio.run(spend(world.environment(), 20, shelf()))) == 20
    assert counted == ["RateLimitsOpen"] * 20


def test_a_store_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(limiting, "_SECONDS", 0.01)
    world.store.pauses = lambda: 1_000_000

    async def run() -> Standing:
        limiter = world.environment()
        monkeypatch.setattr(limiter.table, "prepare", _nothing)
        return await limiter.spend(shelf())

    assert asyncio.run(run()).wait == 0
    assert world.calls == 0


async def _nothing() -> None:
    pass
