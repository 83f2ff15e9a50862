"""What follows a removal or a new name gets done, wherever its worker dies."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from almanac.aws import keys
from almanac.aws.table import Put, Table, plain
from almanac.events import ACCESS_ENDED, MemberRemoved, TenantRenamed
from identity.tenants import follow_up
from identity.tenants.model import TenantRecord
from tests.support.memory import Killed, MemoryStore

TENANT = "ten_1"
EVENT = {"tenant_id": TENANT, "correlation_id": "c"}


def killed_and_again(store: MemoryStore, work: Any, *, at: int, after_effect: bool) -> None:
    """Let the worker die at its call number `at`, and the message come again."""
    store.kill_at, store.kill_after_effect = at, after_effect
    try:
        asyncio.run(work())
    except Killed:
        store.revive()
        asyncio.run(work())
    finally:
        store.revive()


@pytest.mark.parametrize("after_effect", [False, True])
@pytest.mark.parametrize("at", range(1, 7))
def test_a_removed_member_loses_every_private_project(at: int, after_effect: bool) -> None:
    store = MemoryStore()
    table = Table("almanac", store)
    granted = [keys.project_member(TENANT, f"prj_{n}", actor) for n in range(3) for actor in ("usr_1", "usr_2")]
    event = MemberRemoved(person_id="usr_1", removed_at="2026-01-02T00:00:00.000Z", **EVENT)

    async def begin() -> None:
        for key in granted:
            await table.write(Put({**key.as_dict(), "added_at": "2026-01-01T00:00:00.000Z"}))

    def work() -> Coroutine[Any, Any, None]:
        return follow_up.member_removed(table, event)

    asyncio.run(begin())
    killed_and_again(store, work, at=at, after_effect=after_effect)
    told = [item for (partition, _), item in store.items.items() if partition == keys.outbox(TENANT, "").pk]
    left = [name for name in store.items if name[0] == keys.private_projects(TENANT)]
    assert sorted(left) == sorted((key.pk, key.sk) for key in granted if key.sk.endswith("usr_2"))
    # Whatever the person still listens on is closed then.
    assert all(f'"{ACCESS_ENDED}"' in item["body"]["S"] for item in told)
    assert told


@pytest.mark.parametrize("at", range(1, 6))
def test_a_new_name_reaches_every_member(at: int) -> None:
    store = MemoryStore()
    table = Table("almanac", store)
    tenant = TenantRecord(TENANT, "New", "2026-01-01T00:00:00.000Z", b"secret", version=2)

    async def begin() -> None:
        await table.write(Put(tenant.to_item(admin_keys=0, owners=1)))
        for number in range(3):
            person = f"usr_{number}"
            listed = {"gsi1pk": keys.members(TENANT), "gsi1sk": person, "person_id": person}
            await table.write(Put({**keys.member(TENANT, person).as_dict(), **listed}))
            copy = {"tenant_name": "Old", "tenant_version": 1}
            await table.write(Put({**keys.person_tenant(person, TENANT).as_dict(), **copy}))

    def work() -> Coroutine[Any, Any, None]:
        return follow_up.tenant_renamed(table, TenantRenamed(**EVENT))

    asyncio.run(begin())
    killed_and_again(store, work, at=at, after_effect=True)
    copies = [plain(store.items[keys.person_tenant(f"usr_{number}", TENANT)]) for number in range(3)]
    assert [(copy["tenant_name"], copy["tenant_version"]) for copy in copies] == [("New", 2)] * 3


def test_what_follows_a_tenant_that_is_gone_is_nothing() -> None:
    asyncio.run(follow_up.tenant_renamed(Table("almanac", MemoryStore()), TenantRenamed(**EVENT)))
