"""Reads and writes of one tenant's API keys."""

from dataclasses import dataclass

from almanac.aws import keys
from almanac.aws.table import Check, ConditionFailed, Delete, Item, Put, Table, Update, Write
from identity.keys.errors import ApiKeyNotFound, LastAdminKey
from identity.keys.model import ApiKeyRecord
from identity.tenants.errors import TenantNotFound


@dataclass(frozen=True)
class KeyPage:
    """Some of a tenant's keys, oldest first; `last_key` continues the listing."""

    keys: list[ApiKeyRecord]
    last_key: Item | None


class KeyRepository:
    """One tenant's API keys. The tenant's item counts its admin keys in the transaction that adds or removes one."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def create(self, key: ApiKeyRecord) -> None:
        """Write a new key; raises `TenantNotFound`."""
        tenant = keys.tenant(self._tenant_id)
        counted: Write = Update(tenant, add={"admin_keys": 1}) if key.manages_keys else Check(tenant)
        try:
            await self._table.transact([counted, Put(key.to_item())])
        except ConditionFailed:
            raise TenantNotFound("There is no tenant with this id.") from None

    async def list(self, limit: int, after: Item | None) -> KeyPage:
        """Return one page of the tenant's keys."""
        page = await self._table.query(
            keys.api_keys(self._tenant_id), index=keys.CHILDREN_INDEX, limit=limit, after=after
        )
        return KeyPage([ApiKeyRecord.from_item(item) for item in page.items], page.last_key)

    async def get(self, key_id: str) -> ApiKeyRecord:
        """Return a key by its id; raises `ApiKeyNotFound`."""
        page = await self._table.query(
            keys.api_keys(self._tenant_id), index=keys.CHILDREN_INDEX, prefix=key_id, limit=1
        )
        if not page.items:
            raise ApiKeyNotFound("There is no API key with this id.")
        return ApiKeyRecord.from_item(page.items[0])

    async def delete(self, key: ApiKeyRecord) -> None:
        """Revoke a key; raises `ApiKeyNotFound`, or `LastAdminKey` when nobody could manage the tenant afterwards."""
        writes: list[Write] = [Delete(key.key, condition="attribute_exists(#pk)")]
        if key.manages_keys:
            tenant = keys.tenant(self._tenant_id)
            writes.append(Update(tenant, add={"admin_keys": -1}, condition="#admin_keys > :one", values={":one": 1}))
        try:
            await self._table.transact(writes)
        except ConditionFailed as failed:
            if failed.position == 0:
                raise ApiKeyNotFound("There is no API key with this id.") from None
            raise LastAdminKey("This is the tenant's last admin key: create another one first.") from None
