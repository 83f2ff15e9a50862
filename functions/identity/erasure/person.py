"""Erasing a person: it leaves its tenants, its account goes, and what is its own is removed.

What it wrote for a tenant is the tenant's, and the audit log still says what an id did that leads to nobody any more.
"""

from almanac import tenancy
from almanac.access import Person, Role
from almanac.audit import trail
from almanac.audit.trail import Call
from almanac.aws import keys
from almanac.aws.table import Table
from almanac.clock import now
from almanac.ids import new_id
from identity.erasure.errors import NotConfirmed, OwnsTenants
from identity.erasure.model import Erasure, ErasureKind, ErasureState
from identity.erasure.repository import ErasureRepository
from identity.people.account import Account
from identity.tenants.errors import LastOwner, MemberNotFound
from identity.tenants.member_repository import MemberRepository
from identity.tenants.membership import removed
from identity.tenants.model import Membership
from identity.tenants.repository import memberships


async def erase_person(table: Table, account: Account, person: Person, confirmed: str) -> Erasure:
    """Have a person erased; raises `NotConfirmed` and `OwnsTenants`.

    Each step may be repeated: a caller who was cut off calls again. The last one refuses the person's tokens.
    """
    if confirmed.strip().lower() not in {person.email.lower(), person.id} - {""}:
        raise NotConfirmed("Confirm with your verified e-mail address, or your id.", field="body.confirm")
    belongs = [membership async for membership in memberships(table, person.id)]
    await _must_own_nothing_alone(table, belongs)
    for membership in belongs:
        await _leave(table, membership)
    await account.delete()
    asked = now()
    erasure = Erasure(
        id=new_id("ers"),
        kind=ErasureKind.PERSON,
        subject_id=person.id,
        person_id=person.id,
        asked_at=asked,
        state=ErasureState.CLOSING,
        due_at=asked,
        tenants=[membership.tenant_id for membership in belongs],
    )
    await ErasureRepository(table).begin_person(erasure)
    return erasure


async def _must_own_nothing_alone(table: Table, belongs: list[Membership]) -> None:
    alone = []
    for membership in belongs:
        if membership.role is Role.OWNER:
            with tenancy.working_for(membership.tenant_id):
                tenant = await table.get(keys.tenant(membership.tenant_id))
            if tenant is not None and tenant["owners"] < 2:
                alone.append(membership.tenant_name)
    if alone:
        raise OwnsTenants(f"You are the last owner of {', '.join(alone[:5])}: hand over or erase first.", tenants=alone)


async def _leave(table: Table, membership: Membership) -> None:
    with tenancy.working_for(membership.tenant_id):
        repository = MemberRepository(table, membership.tenant_id)
        # Without a source: it would be erased with the person.
        call = Call(membership.tenant_id, {"id": membership.person_id}, "leave_tenant", "POST")
        try:
            member = await repository.get(membership.person_id)
            await repository.remove(member, [], removed(member), trail.with_change(call, 204))
        except MemberNotFound:
            return
        except LastOwner:
            raise OwnsTenants(
                f"You are the last owner of {membership.tenant_name}: hand over or erase first.",
                tenants=[membership.tenant_name],
            ) from None
