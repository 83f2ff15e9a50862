"""What can be done with tenants."""

import secrets
from collections.abc import Callable, Sequence

from almanac import tenancy
from almanac.access import GRANTABLE, Person, Principal, Role
from almanac.audit import trail
from almanac.aws.table import Table, Write
from almanac.aws.transactions import Refused
from almanac.clock import now
from almanac.events import TenantRenamed
from almanac.ids import new_id
from almanac.observability import correlation_id
from identity.keys.service import NewKey, new_key
from identity.tenants import people, standing
from identity.tenants.errors import FoundingClosed, StandingChanged
from identity.tenants.model import Member, TenantRecord
from identity.tenants.repository import TenantRepository

_CURSOR_SECRET_BYTES = 32


async def create_with_key(table: Table, name: str, key_name: str) -> NewKey:
    """Create a tenant and its first key, an admin's, in the operator's name."""
    tenant = _new(name)
    created = new_key(tenant.id, key_name, GRANTABLE)
    with tenancy.working_for(tenant.id):
        entry = trail.by_operator(tenant.id, "create_tenant", created=tenant.id, key_id=created.record.id)
        await TenantRepository(table, tenant.id).create(tenant, created.record, trail.with_change(entry, 201))
    return created


async def found(
    table: Table, person: Person, name: str, limit: int, entry: Callable[[str], Sequence[Write]]
) -> tuple[TenantRecord, Member]:
    """Create a tenant that the person owns; raises `TooManyTenants` when it has founded `limit` already.

    `FoundingClosed` where nobody may found one.

    `entry` returns the writes of the audit log for the new tenant's id.
    """
    if limit < 1:
        raise FoundingClosed
    tenant = _new(name)
    founder = await people.as_member(table, person, tenant.id, Role.OWNER)
    with tenancy.working_for(tenant.id):
        await TenantRepository(table, tenant.id).found(tenant, founder, limit, entry(tenant.id))
    return tenant, founder


async def rename(table: Table, principal: Principal, name: str, version: int) -> TenantRecord:
    """Rename the caller's tenant; raises `TenantNotFound`, `VersionConflict` or `StandingChanged`."""
    repository = TenantRepository(table, principal.tenant_id)
    then = TenantRenamed(tenant_id=principal.tenant_id, correlation_id=correlation_id())
    try:
        await repository.rename(name, version, standing.still(principal), then)
    except Refused:
        raise StandingChanged from None
    return await repository.get()


def _new(name: str) -> TenantRecord:
    cursor_secret = secrets.token_bytes(_CURSOR_SECRET_BYTES)
    return TenantRecord(id=new_id("ten"), name=name, created_at=now(), cursor_secret=cursor_secret)
