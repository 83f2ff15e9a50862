"""Closing a tenant: nobody is let in any more, which the authorizer sees within its cache's 20 seconds."""

from almanac.aws import keys
from almanac.aws.keys import Key
from almanac.aws.table import Delete, Table


async def close(table: Table, tenant_id: str) -> None:
    """Remove the tenant's API keys, and its members from where the authorizer reads them. Repeats without harm."""
    async for item in table.query_all(keys.api_keys(tenant_id), index=keys.CHILDREN_INDEX):
        await table.write(Delete(Key(item["pk"], item["sk"])))
    async for item in table.query_all(keys.members(tenant_id), index=keys.CHILDREN_INDEX):
        await table.write(Delete(keys.person_tenant(item["person_id"], tenant_id)))
        await table.write(Delete(keys.member(tenant_id, item["person_id"])))
