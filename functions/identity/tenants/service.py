"""What can be done with tenants."""

import secrets

from almanac.access import GRANTABLE
from almanac.aws.table import Table
from almanac.clock import now
from almanac.ids import new_id
from identity.keys.service import NewKey, new_key
from identity.tenants.model import TenantRecord
from identity.tenants.repository import TenantRepository

_CURSOR_SECRET_BYTES = 32


async def create_with_key(table: Table, name: str, key_name: str) -> NewKey:
    """Create a tenant and its first key, an admin's."""
    tenant = TenantRecord(
        id=new_id("ten"), name=name, created_at=now(), cursor_secret=secrets.token_bytes(_CURSOR_SECRET_BYTES)
    )
    created = new_key(tenant.id, key_name, GRANTABLE)
    await TenantRepository(table, tenant.id).create(tenant, created.record)
    return created
