"""Quotas on a store in memory: what is refused, and what is counted how often."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.aws import keys
from almanac.aws.table import ConditionFailed, Table, Update
from almanac.limits.quotas import Quota, QuotaExceeded, Quotas, Usage, added, one_less
from tests.support.memory import MemoryStore

TENANT = "ten_1"
QUOTAS = Quotas({Quota.PROJECTS: 3, Quota.CHUNKS: 100})


def table() -> Table:
    return Table("almanac", MemoryStore())


async def count(store: Table, times: int, quotas: Quotas = QUOTAS) -> int:
    """Count so many projects; returns how many there was room for."""
    done = 0
    for _ in range(times):
        try:
            await store.write(quotas.one_more(TENANT, Quota.PROJECTS))
        except ConditionFailed as failed:
            assert "3" in quotas.exceeded(failed.item, Quota.PROJECTS).detail
        else:
            done += 1
    return done


def test_the_count_never_exceeds_the_quota() -> None:
    assert asyncio.run(count(table(), 5)) == 3


def test_what_is_deleted_makes_room() -> None:
    store = table()

    async def run() -> int:
        await count(store, 5)
        await store.write(one_less(TENANT, Quota.PROJECTS))
        return await count(store, 5)

    assert asyncio.run(run()) == 1


def test_no_quota_is_no_limit() -> None:
    assert asyncio.run(count(table(), 5, Quotas({}))) == 5


@pytest.mark.parametrize(("own", "room"), [(1, 1), (3, 3), (5, 5), (0, 9)])
def test_a_tenants_own_quota_goes_before_the_deployments(own: int, room: int) -> None:
    store = table()

    async def run() -> int:
        await store.write(Update(keys.usage(TENANT), set={"max_projects": own}, condition=""))
        done = 0
        for _ in range(9):
            try:
                await store.write(QUOTAS.one_more(TENANT, Quota.PROJECTS))
                done += 1
            except ConditionFailed:
                pass
        return done

    assert asyncio.run(run()) == room


@given(steps=st.lists(st.booleans(), max_size=30))
def test_the_count_is_what_was_created_less_what_was_deleted(steps: list[bool]) -> None:
    store = table()

    async def run() -> tuple[int, float]:
        existing = 0
        for create in steps:
            if create:
                existing += await count(store, 1)
            elif existing:
                await store.write(one_less(TENANT, Quota.PROJECTS))
                existing -= 1
        item = await store.get(keys.usage(TENANT)) or {}
        return existing, QUOTAS.use(item, Quota.PROJECTS, at=0).used

    existing, used = asyncio.run(run())
    assert existing == used <= 3


def test_content_is_refused_when_its_quota_is_used_up_and_seen_to_be_soon_after() -> None:
    store, now = table(), 1000.0
    usage = Usage(store, QUOTAS, clock=lambda: now)

    async def run() -> None:
        nonlocal now
        await usage.refuse_content(TENANT)
        await store.write(added(TENANT, chunks=100))
        now += 11
        with pytest.raises(QuotaExceeded) as refused:
            await usage.refuse_content(TENANT)
        assert refused.value.extra == {"quota": "chunks", "limit": 100, "used": 100}
        await usage.refuse_spending(TENANT)

    asyncio.run(run())


def test_a_tenant_that_deletes_before_it_was_counted_uses_nothing() -> None:
    assert QUOTAS.use({"projects": -2}, Quota.PROJECTS, at=0).used == 0
