"""What follows a change of members or of a tenant's name, by way of the queue: it survives a crash, and repeats."""

from almanac.aws import keys, outbox
from almanac.aws.table import ConditionFailed, Delete, Put, Table, Update
from almanac.clock import now
from almanac.events import ACCESS_ENDED, Happened, MemberRemoved, TenantRenamed
from almanac.ids import new_ulid
from identity.tenants.errors import TenantNotFound
from identity.tenants.repository import TenantRepository


async def member_removed(table: Table, event: MemberRemoved) -> None:
    """Take a person out of the tenant's private projects and collections.

    One that came back meanwhile keeps what it was given since. Whatever it still listens on is closed.
    """
    async for item in table.query_all(keys.private_projects(event.tenant_id)):
        project_id, _, actor_id = item["sk"].partition("#")
        if actor_id == event.person_id and item.get("added_at", "") <= event.removed_at:
            await table.write(Delete(keys.project_member(event.tenant_id, project_id, actor_id)))
    await table.write(access_ended(event.tenant_id, event.person_id, event.correlation_id))


def access_ended(tenant_id: str, actor_id: str, correlation_id: str) -> Put:
    """Return the write that has an actor's open connections closed, if it may not read any more."""
    return outbox.message(
        Happened(
            tenant_id=tenant_id,
            correlation_id=correlation_id,
            event_id=new_ulid(),
            type=ACCESS_ENDED,
            topics=(),
            resource_id=actor_id,
            at=now(),
            data={},
        )
    )


async def tenant_renamed(table: Table, event: TenantRenamed) -> None:
    """Copy the tenant's name, as it is now, to its members; an older copy never replaces a newer one."""
    try:
        tenant = await TenantRepository(table, event.tenant_id).get()
    except TenantNotFound:
        return
    async for item in table.query_all(keys.members(event.tenant_id), index=keys.CHILDREN_INDEX):
        copy = Update(
            keys.person_tenant(item["person_id"], event.tenant_id),
            set={"tenant_name": tenant.name, "tenant_version": tenant.version},
            condition="#tenant_version < :version",
            values={":version": tenant.version},
        )
        try:
            await table.write(copy)
        except ConditionFailed:
            continue
