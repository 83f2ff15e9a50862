"""Reads and writes of one tenant, and of what a person belongs to."""

from collections.abc import AsyncIterator, Sequence

from almanac.aws import keys, outbox
from almanac.aws.table import Check, Put, Table, Update, Write
from almanac.aws.transactions import Parts, Refused, commit
from almanac.errors import VersionConflict
from almanac.events import TenantRenamed
from identity.keys.model import ApiKeyRecord
from identity.tenants.errors import TenantNotFound, TooManyTenants
from identity.tenants.model import Member, Membership, TenantRecord


class TenantRepository:
    """One tenant's own item."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id
        self._key = keys.tenant(tenant_id)

    async def create(self, tenant: TenantRecord, first_key: ApiKeyRecord, entry: Sequence[Write]) -> None:
        """Write a new tenant together with its first key, an admin's, and its `entry` in the audit log."""
        await self._table.transact([Put(tenant.to_item(admin_keys=1, owners=0)), Put(first_key.to_item()), *entry])

    async def found(self, tenant: TenantRecord, founder: Member, limit: int, entry: Sequence[Write]) -> None:
        """Write a new tenant together with its owner; raises `TooManyTenants`."""
        counted = Update(
            keys.persons_founding(founder.person_id),
            set={"entity": "founding"},
            add={"tenants": 1},
            condition="attribute_not_exists(#tenants) OR #tenants < :limit",
            values={":limit": limit},
        )
        parts: Parts = {
            "limit": counted,
            "tenant": Put(tenant.to_item(admin_keys=0, owners=1)),
            "member": Put(founder.to_item()),
            "membership": Put(Membership.of(founder, tenant).to_item()),
            "entry": entry,
        }
        try:
            await commit(self._table, parts)
        except Refused:
            raise TooManyTenants(f"You have founded {limit} tenants, and nobody may found more.") from None

    async def get(self) -> TenantRecord:
        """Return the tenant; raises `TenantNotFound`."""
        item = await self._table.get(self._key)
        if item is None:
            raise TenantNotFound
        return TenantRecord.from_item(item)

    async def rename(self, name: str, version: int, standing: Sequence[Check], then: TenantRenamed) -> None:
        """Rename the tenant if it is still at `version`; raises `TenantNotFound`, `VersionConflict` or `Refused`."""
        change = Update(
            self._key,
            set={"name": name, "version": version + 1},
            condition="attribute_exists(#pk) AND #version = :version",
            values={":version": version},
        )
        try:
            await commit(self._table, {"tenant": change, "standing": standing, "outbox": outbox.message(then)})
        except Refused as refused:
            if refused.part != "tenant":
                raise
            if refused.item is None:
                raise TenantNotFound from None
            raise VersionConflict(refused.item["version"]) from None


async def memberships(table: Table, person_id: str) -> AsyncIterator[Membership]:
    """Iterate over what a person belongs to."""
    async for item in table.query_all(keys.person(person_id).pk, prefix=keys.person_tenants()):
        yield Membership.from_item(person_id, item)


def counted(tenant_id: str, owners: int) -> list[Write]:
    """Return the write that counts `owners` more of a tenant; it is refused where none would be left."""
    if owners == 0:
        return []
    left = "attribute_exists(#pk)" if owners > 0 else "#owners > :gone"
    values = {} if owners > 0 else {":gone": -owners}
    return [Update(keys.tenant(tenant_id), add={"owners": owners}, condition=left, values=values)]
