"""What can be done with members: whoever may, by `identity.tenants.standing`."""

from almanac.access import Principal, Role
from almanac.clock import now
from almanac.errors import Unprocessable, VersionConflict
from almanac.events import MemberRemoved
from almanac.observability import correlation_id
from almanac.web.auth import PersonRequired
from identity.tenants import standing
from identity.tenants.errors import StandingChanged
from identity.tenants.member_repository import MemberRepository
from identity.tenants.model import Member

# What is left to an owner who handed the tenant over.
AFTER_TRANSFER = Role.ADMIN


class SelfTransfer(Unprocessable):
    """The tenant is handed over to who owns it."""

    code = "self_transfer"


async def change_role(
    repository: MemberRepository, principal: Principal, person_id: str, role: Role, version: int
) -> Member:
    """Give a member another role.

    Raises `MemberNotFound`, `RoleAboveOwn`, `VersionConflict`, `LastOwner`, `StandingChanged` or `Busy`.
    """
    member = await _decided(repository, principal, person_id)
    standing.must_decide(principal, role, field="body.role")
    if member.version != version:
        raise VersionConflict(member.version)
    return await repository.change(member, role, standing.still(principal, person_id))


async def remove(repository: MemberRepository, principal: Principal, person_id: str) -> None:
    """Remove a member; raises as `change_role` does."""
    member = await _decided(repository, principal, person_id)
    await repository.remove(member, standing.still(principal, person_id), removed(member))


async def leave(repository: MemberRepository, principal: Principal) -> None:
    """Remove the caller itself; raises `PersonRequired`, `MemberNotFound`, `LastOwner`, `VersionConflict` or `Busy`."""
    if not principal.is_person:
        raise PersonRequired("An API key is no member: delete it instead.")
    member = await repository.get(principal.actor_id)
    await repository.remove(member, [], removed(member))


async def transfer(repository: MemberRepository, principal: Principal, person_id: str) -> Member:
    """Make a member an owner and the caller an admin; raises as `change_role`, `PersonRequired`, `SelfTransfer`."""
    heir = await repository.get(person_id, field="body.person_id")
    if not principal.is_person:
        raise PersonRequired("An API key owns no tenant: sign in.")
    if person_id == principal.actor_id:
        raise SelfTransfer("You own the tenant already: name another member.", field="body.person_id")
    owner = await repository.get(principal.actor_id)
    if owner.role is not Role.OWNER:
        raise StandingChanged
    await repository.hand_over(owner, heir, AFTER_TRANSFER)
    return await repository.get(person_id)


async def _decided(repository: MemberRepository, principal: Principal, person_id: str) -> Member:
    """Return the member about whom the caller may decide."""
    member = await repository.get(person_id)
    if person_id == principal.actor_id and member.role is not principal.role:
        raise StandingChanged
    standing.must_decide(principal, member.role)
    return member


def removed(member: Member) -> MemberRemoved:
    """Return what follows when a member is one no more."""
    return MemberRemoved(
        tenant_id=member.tenant_id, correlation_id=correlation_id(), person_id=member.person_id, removed_at=now()
    )
