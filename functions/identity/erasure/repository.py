"""Reads and writes of erasures."""

import time
from dataclasses import replace

from almanac.aws import keys, outbox
from almanac.aws.table import ConditionFailed, Put, Table, Update
from almanac.events import CloseTenant
from identity.erasure.errors import BeingErased, ErasureNotFound, NotConfirmed
from identity.erasure.model import TOMBSTONE, TOMBSTONE_SECONDS, Erasure
from identity.tenants.errors import TenantNotFound


class ErasureRepository:
    """Erasures lie outside of every tenant."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def begin_tenant(self, erasure: Erasure, tenant_name: str, correlation_id: str) -> None:
        """Mark the tenant, write the receipt, and have the tenant closed, at once.

        Raises `TenantNotFound`, `NotConfirmed` unless `tenant_name` is its name, or `BeingErased`.
        """
        marked = Update(
            keys.tenant(erasure.subject_id),
            set={"erasure_id": erasure.id},
            condition="#name = :name AND attribute_not_exists(#erasure_id)",
            values={":name": tenant_name},
        )
        close = CloseTenant(tenant_id=erasure.subject_id, correlation_id=correlation_id, erasure_id=erasure.id)
        try:
            await self._table.transact([marked, Put(erasure.to_item()), outbox.message(close)])
        except ConditionFailed as failed:
            if failed.item is None:
                raise TenantNotFound from None
            if "erasure_id" in failed.item:
                raise BeingErased(f"The tenant is being erased: see {failed.item['erasure_id']}.") from None
            raise NotConfirmed("Confirm with the tenant's name, as it is now.", field="body.confirm") from None

    async def begin_person(self, erasure: Erasure) -> None:
        """Write the receipt, and leave of the person what refuses the tokens that were issued to it."""
        moment = int(time.time())
        stone = {
            **keys.person(erasure.subject_id).as_dict(),
            "entity": TOMBSTONE,
            "valid_after": moment + 1,
            "expires_at": moment + TOMBSTONE_SECONDS,
        }
        await self._table.transact([Put(erasure.to_item()), Put(stone, overwrite=True)])

    async def get(self, erasure_id: str, person_id: str | None = None) -> Erasure:
        """Return an erasure, one that the person asked for where one is given; raises `ErasureNotFound`."""
        item = await self._table.get(keys.erasure(erasure_id))
        if item is None or (person_id is not None and item["person_id"] != person_id):
            raise ErasureNotFound("You have asked for no erasure with this id.")
        return Erasure.from_item(item)

    async def newest(self, person_id: str, limit: int) -> list[Erasure]:
        """Return what a person asked for, newest first."""
        page = await self._table.query(
            keys.persons_erasures(person_id), index=keys.CHILDREN_INDEX, limit=limit, newest_first=True
        )
        return [Erasure.from_item(item) for item in page.items]

    async def due(self, until: str) -> list[str]:
        """Return the ids of erasures whose next step may begin, those that wait longest first."""
        page = await self._table.query(keys.due_erasures(), index=keys.DUE_INDEX, until=until, limit=10)
        return [item["pk"].partition("#")[2] for item in page.items]

    async def claim(self, erasure: Erasure, until: str) -> Erasure | None:
        """Keep others from the erasure until a time; None when somebody was faster."""
        claimed = replace(erasure, due_at=until)
        taken = Update(
            erasure.key, set={"gsi2sk": until}, condition="#gsi2sk = :seen", values={":seen": erasure.due_at}
        )
        try:
            await self._table.write(taken)
        except ConditionFailed:
            return None
        return claimed

    async def save(self, erasure: Erasure) -> None:
        """Write down how far the erasure is."""
        await self._table.write(Update(erasure.key, set=erasure.progress()))
