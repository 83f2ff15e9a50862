"""The steps of an erasure. Each may be cut off anywhere and begun again: what is gone is not counted twice."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from almanac import tenancy
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.keys import Key
from almanac.aws.table import Item, Table
from almanac.clock import iso, now
from identity.erasure.closing import close
from identity.erasure.model import (
    LAST_LOOK_SECONDS,
    RECEIPT_SECONDS,
    SETTLING_SECONDS,
    TOMBSTONE,
    Erasure,
    ErasureKind,
    ErasureState,
)
from identity.erasure.repository import ErasureRepository


class Removal:
    """Carries one erasure as far as time allows. `has_time` tells whether another step may begin."""

    def __init__(self, table: Table, blobs: Blobs, has_time: Callable[[], bool]) -> None:
        self._table = table
        self._blobs = blobs
        self._has_time = has_time
        self._erasures = ErasureRepository(table)

    async def advance(self, erasure: Erasure) -> Erasure:
        """Go on with an erasure whose next step is due; returns how far it is now."""
        if erasure.state is ErasureState.CLOSING:
            erasure = replace(await self._close(erasure), state=ErasureState.ERASING)
            await self._erasures.save(erasure)
        if erasure.kind is ErasureKind.TENANT:
            erasure = await self._objects(erasure)
        else:
            erasure = await self._conversations(erasure)
        return await self._rows(erasure)

    async def _close(self, erasure: Erasure) -> Erasure:
        if erasure.kind is ErasureKind.PERSON:
            return erasure
        with tenancy.working_for(erasure.subject_id):
            head = await self._table.get(keys.audit_head(erasure.subject_id))
            await close(self._table, erasure.subject_id)
        return replace(erasure, audit_head=head.get("hash") if head else None)

    async def _conversations(self, erasure: Erasure) -> Erasure:
        """Remove what a person asked in its tenants, which no key of a turn tells."""
        for tenant_id in erasure.tenants:
            with tenancy.working_for(tenant_id):
                mine = keys.conversations(tenant_id, erasure.subject_id)
                async for item in self._table.query_all(mine, index=keys.CHILDREN_INDEX):
                    found = [turn async for turn in self._table.query_all(item["pk"])]
                    await self._table.batch_delete([Key(turn["pk"], turn["sk"]) for turn in found])
                    erasure = _counted(erasure, found)
        await self._erasures.save(erasure)
        return erasure

    async def _objects(self, erasure: Erasure) -> Erasure:
        with tenancy.working_for(erasure.subject_id):
            async for removed in self._blobs.erase(keys.tenant_prefix(erasure.subject_id)):
                counts = Counter(_holding(version.key) for version in removed)
                erasure = replace(
                    erasure,
                    objects=_sum(erasure.objects, counts),
                    object_bytes=erasure.object_bytes + sum(version.size for version in removed),
                    found=erasure.found + len(removed),
                )
                await self._erasures.save(erasure)
                if not self._has_time():
                    break
        return erasure

    async def _rows(self, erasure: Erasure) -> Erasure:
        while self._has_time():
            page = await self._table.find(erasure.subject_id, erasure.cursor)
            found = [item for item in page.items if item.get("entity") != TOMBSTONE]
            await self._remove(found)
            erasure = replace(_counted(erasure, found), cursor=page.last_key)
            if page.last_key is None:
                erasure = _looked(erasure)
                await self._erasures.save(erasure)
                return erasure
            await self._erasures.save(erasure)
        erasure = replace(erasure, due_at=now())
        await self._erasures.save(erasure)
        return erasure

    async def _remove(self, items: list[Item]) -> None:
        """Remove rows: those in a tenant's partitions with the tenant's rights, the others with the function's."""
        by_tenant: dict[str | None, list[Key]] = {}
        for item in items:
            key = Key(item["pk"], item["sk"])
            owner = keys.tenant_of(key.pk) if key.pk.startswith(keys.TENANTS) else None
            by_tenant.setdefault(owner, []).append(key)
        for owner, found in by_tenant.items():
            with tenancy.working_for(owner):
                await self._table.batch_delete(found)


def _looked(erasure: Erasure) -> Erasure:
    """Return the erasure after a look at everything: done once one found nothing, long enough after the first."""
    looks, clean = erasure.looks + 1, erasure.found == 0
    erasure = replace(erasure, looks=looks, found=0, cursor=None, cause=None)
    if looks == 1 or not clean:
        return replace(erasure, state=ErasureState.SETTLING, done_at=None, due_at=iso(time.time() + SETTLING_SECONDS))
    if erasure.state is ErasureState.DONE:
        return replace(erasure, due_at=None)
    return replace(
        erasure,
        state=ErasureState.DONE,
        done_at=now(),
        due_at=iso(time.time() + LAST_LOOK_SECONDS),
        expires_at=int(time.time()) + RECEIPT_SECONDS,
    )


def _counted(erasure: Erasure, found: list[Item]) -> Erasure:
    counts = Counter(str(item.get("entity", "unknown")) for item in found)
    return replace(erasure, rows=_sum(erasure.rows, counts), found=erasure.found + len(found))


def _holding(key: str) -> str:
    """Return what an object held. Example: `messages` of `tenants/ten_1/messages/msg_1/...`."""
    return key.split("/")[2]


def _sum(before: Mapping[str, int], more: Counter[str]) -> dict[str, int]:
    return dict(Counter(before) + more)
