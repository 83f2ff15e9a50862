"""What can be done with API keys."""

from dataclasses import dataclass

from almanac.access import Permission
from almanac.aws.table import Table
from almanac.clock import now
from almanac.ids import new_id
from identity.keys.model import ApiKeyRecord
from identity.keys.repository import KeyRepository
from identity.tokens import api_keys

_ENDING_CHARACTERS = 4


@dataclass(frozen=True)
class NewKey:
    """A key at the only moment when its text is known."""

    record: ApiKeyRecord
    text: str


async def create(table: Table, tenant_id: str, name: str, scopes: frozenset[Permission]) -> NewKey:
    """Create another key of a tenant; raises `TenantNotFound`."""
    created = new_key(tenant_id, name, scopes)
    await KeyRepository(table, tenant_id).create(created.record)
    return created


async def delete(repository: KeyRepository, key_id: str) -> None:
    """Revoke a key; raises `ApiKeyNotFound` or `LastAdminKey`."""
    await repository.delete(await repository.get(key_id))


def new_key(tenant_id: str, name: str, scopes: frozenset[Permission]) -> NewKey:
    """Return a key that is not written yet."""
    text = api_keys.create(tenant_id)
    record = ApiKeyRecord(
        id=new_id("key"),
        tenant_id=tenant_id,
        name=name,
        scopes=scopes,
        created_at=now(),
        ending=text[-_ENDING_CHARACTERS:],
        sha256=api_keys.digest(text),
    )
    return NewKey(record, text)
