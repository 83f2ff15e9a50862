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
from identity.erasure.model import LAST_LOOK_SECONDS, RECEIPT_SECONDS, SETTLING_SECONDS, Erasure, ErasureState
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
            with tenancy.working_for(erasure.tenant_id):
                head = await self._table.get(keys.audit_head(erasure.tenant_id))
                await close(self._table, erasure.tenant_id)
            erasure = replace(erasure, state=ErasureState.ERASING, audit_head=head.get("hash") if head else None)
            await self._erasures.save(erasure)
        erasure = await self._objects(erasure)
        return await self._rows(erasure)

    async def _objects(self, erasure: Erasure) -> Erasure:
        with tenancy.working_for(erasure.tenant_id):
            async for removed in self._blobs.erase(keys.tenant_prefix(erasure.tenant_id)):
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
            page = await self._table.find(erasure.tenant_id, erasure.cursor)
            await self._remove(erasure.tenant_id, page.items)
            counts = Counter(str(item.get("entity", "unknown")) for item in page.items)
            erasure = replace(
                erasure,
                rows=_sum(erasure.rows, counts),
                found=erasure.found + len(page.items),
                cursor=page.last_key,
            )
            if page.last_key is None:
                erasure = _looked(erasure)
                await self._erasures.save(erasure)
                return erasure
            await self._erasures.save(erasure)
        erasure = replace(erasure, due_at=now())
        await self._erasures.save(erasure)
        return erasure

    async def _remove(self, tenant_id: str, items: list[Item]) -> None:
        """Remove rows: those in the tenant's partitions with the tenant's rights, the others with the function's."""
        found = [Key(item["pk"], item["sk"]) for item in items]
        own = [key for key in found if key.pk.split("#")[:2] == ["TENANT", tenant_id]]
        with tenancy.working_for(tenant_id):
            await self._erasures.remove(own)
        await self._erasures.remove([key for key in found if key not in own])


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


def _holding(key: str) -> str:
    """Return what an object held. Example: `messages` of `tenants/ten_1/messages/msg_1/...`."""
    return key.split("/")[2]


def _sum(before: Mapping[str, int], more: Counter[str]) -> dict[str, int]:
    return dict(Counter(before) + more)
