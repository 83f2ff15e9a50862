"""Reads and writes of one tenant."""

from almanac.aws import keys
from almanac.aws.table import Put, Table
from identity.keys.model import ApiKeyRecord
from identity.tenants.errors import TenantNotFound
from identity.tenants.model import TenantRecord


class TenantRepository:
    """One tenant's own item."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def create(self, tenant: TenantRecord, first_key: ApiKeyRecord) -> None:
        """Write a new tenant together with its first key, an admin's."""
        await self._table.transact([Put(tenant.to_item(admin_keys=1)), Put(first_key.to_item())])

    async def get(self) -> TenantRecord:
        """Return the tenant; raises `TenantNotFound`."""
        item = await self._table.get(keys.tenant(self._tenant_id))
        if item is None:
            raise TenantNotFound("There is no tenant with this id.")
        return TenantRecord.from_item(item)
