"""What tenants keep of the persons in them."""

from almanac.access import Person, Role
from almanac.aws import keys
from almanac.aws.table import Table
from almanac.clock import now
from identity.tenants.addresses import canonical
from identity.tenants.model import Member


async def as_member(table: Table, person: Person, tenant_id: str, role: Role) -> Member:
    """Return the person as a member that is not written yet, under the name that it gave itself."""
    item = await table.get(keys.person(person.id)) or {}
    return Member(
        tenant_id=tenant_id,
        person_id=person.id,
        email=canonical(person.email),
        name=item.get("name", ""),
        role=role,
        joined_at=now(),
    )
