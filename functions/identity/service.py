"""What can be done with tenants and their API keys."""

import secrets
from dataclasses import dataclass

from almanac.access import GRANTABLE, Permission
from almanac.aws.table import Table
from almanac.clock import now
from almanac.ids import new_id
from identity import tokens
from identity.model import ApiKeyRecord, TenantRecord
from identity.repository import IdentityRepository

_CURSOR_SECRET_BYTES = 32
_ENDING_CHARACTERS = 4


@dataclass(frozen=True)
class NewKey:
    """A key at the only moment when its text is known."""

    record: ApiKeyRecord
    text: str


async def create_tenant(table: Table, name: str, key_name: str) -> NewKey:
    """Create a tenant and its first key, an admin's."""
    tenant = TenantRecord(
        id=new_id("ten"), name=name, created_at=now(), cursor_secret=secrets.token_bytes(_CURSOR_SECRET_BYTES)
    )
    created = _new_key(tenant.id, key_name, GRANTABLE)
    await IdentityRepository(table, tenant.id).create_tenant(tenant, created.record)
    return created


async def create_key(table: Table, tenant_id: str, name: str, scopes: frozenset[Permission]) -> NewKey:
    """Create another key of a tenant; raises `TenantNotFound`."""
    created = _new_key(tenant_id, name, scopes)
    await IdentityRepository(table, tenant_id).create_key(created.record)
    return created


async def delete_key(repository: IdentityRepository, key_id: str) -> None:
    """Revoke a key; raises `ApiKeyNotFound` or `LastAdminKey`."""
    await repository.delete_key(await repository.get_key(key_id))


def _new_key(tenant_id: str, name: str, scopes: frozenset[Permission]) -> NewKey:
    text = tokens.create(tenant_id)
    record = ApiKeyRecord(
        id=new_id("key"),
        tenant_id=tenant_id,
        name=name,
        scopes=scopes,
        created_at=now(),
        ending=text[-_ENDING_CHARACTERS:],
        sha256=tokens.digest(text),
    )
    return NewKey(record, text)
