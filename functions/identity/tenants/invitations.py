"""What can be done with invitations, and who is invited by address: what sign-up asks before it lets somebody in."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from almanac import tenancy
from almanac.access import ROLES, Person, Principal, Role
from almanac.audit import trail
from almanac.aws import keys
from almanac.aws.table import Check, Table, Write
from almanac.aws.transactions import Refused
from almanac.clock import now
from almanac.errors import Busy
from almanac.ids import new_id
from identity.tenants import people, standing
from identity.tenants.addresses import address_sha256, canonical
from identity.tenants.errors import (
    AlreadyMember,
    InvitationExpired,
    InvitationNotFound,
    InvitationRevoked,
    InvitationUsed,
    MemberNotFound,
    NotTheInvited,
    StandingChanged,
    TenantNotFound,
    TooManyInvitations,
)
from identity.tenants.invitation_repository import SENT_PER_DAY, InvitationRepository, exists, seconds_of_day_left
from identity.tenants.mail import Letter, Post
from identity.tenants.member_repository import MemberRepository
from identity.tenants.model import Invitation, Mail, Member, Membership, State
from identity.tenants.repository import TenantRepository
from identity.tokens import invitations as tokens
from identity.tokens import opaque

_ATTEMPTS = 5
_DAY = 24 * 3600
OPERATOR = "operator"


@dataclass(frozen=True)
class Sent:
    """An invitation just made. `token` is there for its sender to hand over: where no letter takes it."""

    invitation: Invitation
    token: str | None


async def is_invited(table: Table, email: str) -> bool:
    """Tell whether any tenant waits for an answer from this address."""
    # What has expired may lie in the table for days.
    page = await table.query(keys.invited_address(address_sha256(email)))
    return any(item["expires_at"] > time.time() for item in page.items)


async def invite(table: Table, post: Post, principal: Principal, email: str, role: Role, days: int) -> Sent:
    """Invite an address, in the place of what it was sent before.

    Raises `RoleAboveOwn`, `StandingChanged`, `TenantNotFound`, `TooManyInvitations` or `Busy`.
    """
    standing.must_decide(principal, role, field="body.role")
    repository = InvitationRepository(table, principal.tenant_id)
    invitation, token = _new(principal.tenant_id, canonical(email), role, days, principal.actor_id, post)
    for _ in range(_ATTEMPTS):
        earlier = await repository.pending(invitation.address_sha256)
        if earlier is not None:
            standing.must_decide(principal, earlier.role)
        try:
            await repository.create(invitation, earlier, standing.still(principal))
        except Refused as refused:
            _explain_sender(refused)
        else:
            return await _send(table, post, invitation, token)
    raise Busy


async def invite_owner(table: Table, post: Post, tenant_id: str, email: str, days: int = 30) -> Sent:
    """Invite the first owner of a new tenant, in the operator's name."""
    with tenancy.working_for(tenant_id):
        invitation, token = _new(tenant_id, canonical(email), Role.OWNER, days, OPERATOR, post)
        call = trail.by_operator(tenant_id, "create_invitation", created=invitation.id)
        entry = trail.with_change(call, 201, role=Role.OWNER.value)
        await InvitationRepository(table, tenant_id).create(invitation, None, [], entry)
        return await _send(table, post, invitation, token)


async def resend(table: Table, post: Post, principal: Principal, invitation_id: str) -> Sent:
    """Send an invitation once more, with a new token and as many days as before; the old token ends.

    Raises `InvitationNotFound`, `InvitationRevoked`, `InvitationUsed`, `RoleAboveOwn`, `StandingChanged` or `Busy`.
    """
    repository = InvitationRepository(table, principal.tenant_id)
    before = await repository.get(invitation_id)
    standing.must_decide(principal, before.role)
    _must_be(before, State.PENDING, State.EXPIRED)
    token = tokens.create(principal.tenant_id, before.id)
    renewed = replace(
        before,
        invited_by=principal.actor_id,
        ends_at=int(time.time()) + before.days * _DAY,
        token_sha256=opaque.digest(token),
        mail=post.begins,
        mail_cause=None,
    )
    try:
        await repository.renew(renewed, before, standing.still(principal))
    except Refused as refused:
        _explain_sender(refused)
        raise Busy from None
    return await _send(table, post, renewed, token)


async def revoke(table: Table, principal: Principal, invitation_id: str) -> None:
    """Take an invitation back; a second time does nothing.

    Raises `InvitationNotFound`, `InvitationUsed`, `RoleAboveOwn`, `StandingChanged` or `Busy`.
    """
    repository = InvitationRepository(table, principal.tenant_id)
    for _ in range(_ATTEMPTS):
        invitation = await repository.get(invitation_id)
        standing.must_decide(principal, invitation.role)
        if invitation.stored is State.REVOKED:
            return
        _must_be(invitation, State.PENDING, State.EXPIRED)
        try:
            await repository.revoke(invitation, standing.still(principal))
        except Refused as refused:
            _explain_sender(refused)
        else:
            return
    raise Busy


async def accept(table: Table, person: Person, token: str, entry: Callable[[str], Sequence[Write]]) -> Membership:
    """Make the person a member by its invitation; the same person may repeat it, and gets the same membership.

    `entry` returns the writes of the audit log for the tenant's id.

    Raises `InvitationNotFound`, `NotTheInvited`, `InvitationExpired`, `InvitationRevoked`, `InvitationUsed`,
    `AlreadyMember` or `Busy`.
    """
    claim = tokens.parse(token.strip())
    if claim is None or not await exists(table, claim):
        raise InvitationNotFound("There is no invitation with this token.", field="body.token")
    with tenancy.working_for(claim.tenant_id):
        for _ in range(_ATTEMPTS):
            try:
                return await _accept(table, person, claim, entry(claim.tenant_id))
            except Refused:
                # Somebody changed what was read: the next look tells what it means.
                continue
    raise Busy


async def _accept(table: Table, person: Person, claim: tokens.Claim, entry: Sequence[Write]) -> Membership:
    repository = InvitationRepository(table, claim.tenant_id)
    invitation = await repository.get(claim.invitation_id)
    if not person.email or canonical(person.email) != invitation.email:
        raise NotTheInvited
    try:
        tenant = await TenantRepository(table, claim.tenant_id).get()
    except TenantNotFound:
        raise InvitationRevoked from None
    if tenant.closing:
        raise InvitationRevoked
    member = await _member(table, claim.tenant_id, person.id)
    if member is not None:
        # It may be one by this very invitation, since that was read.
        invitation = await repository.get(claim.invitation_id)
    if invitation.stored is State.ACCEPTED and invitation.accepted_by == person.id and member is not None:
        return Membership.of(member, tenant)
    _must_be(invitation, State.PENDING)
    if invitation.token_sha256 != claim.sha256:
        raise InvitationRevoked
    if member is not None:
        raise AlreadyMember(member.role)
    inviter = await _inviter(table, invitation)
    entering = await people.as_member(table, person, claim.tenant_id, invitation.role)
    await repository.accept(invitation, entering, tenant, inviter, entry)
    return Membership.of(entering, tenant)


async def _inviter(table: Table, invitation: Invitation) -> Sequence[Check]:
    """Return the condition that who invited may still give the role; raises `InvitationRevoked` when it may not."""
    if not invitation.invited_by.startswith("usr_"):
        return []
    inviter = await _member(table, invitation.tenant_id, invitation.invited_by)
    if inviter is None or not ROLES[invitation.role] <= ROLES[inviter.role]:
        raise InvitationRevoked
    return [Check(inviter.key, condition="#role = :role", values={":role": inviter.role.value})]


async def _member(table: Table, tenant_id: str, person_id: str) -> Member | None:
    try:
        return await MemberRepository(table, tenant_id).get(person_id)
    except MemberNotFound:
        return None


def _must_be(invitation: Invitation, *states: State) -> None:
    """Raise what says why the invitation is in none of these states."""
    if invitation.state in states:
        return
    raise {
        State.ACCEPTED: InvitationUsed,
        State.REVOKED: InvitationRevoked,
        State.EXPIRED: InvitationExpired,
    }[invitation.state]


def _explain_sender(refused: Refused) -> None:
    """Raise what a refusal says about who invites; any other may pass when it is tried again."""
    if refused.part == "standing":
        raise StandingChanged from None
    if refused.part == "tenant":
        raise TenantNotFound from None
    if refused.part == "day":
        raise TooManyInvitations(SENT_PER_DAY, seconds_of_day_left()) from None


def _new(tenant_id: str, email: str, role: Role, days: int, sender: str, post: Post) -> tuple[Invitation, str]:
    invitation_id = new_id("inv")
    token = tokens.create(tenant_id, invitation_id)
    invitation = Invitation(
        id=invitation_id,
        tenant_id=tenant_id,
        email=email,
        role=role,
        invited_by=sender,
        created_at=now(),
        ends_at=int(time.time()) + days * _DAY,
        days=days,
        token_sha256=opaque.digest(token),
        mail=post.begins,
    )
    return invitation, token


async def _send(table: Table, post: Post, invitation: Invitation, token: str) -> Sent:
    """Let the letter follow the invitation, which is written; a letter that fails leaves its cause there."""
    if post.begins is Mail.NOT_CONFIGURED:
        return Sent(invitation, token)
    tenant = await TenantRepository(table, invitation.tenant_id).get()
    sender = await _member(table, invitation.tenant_id, invitation.invited_by)
    named = "" if sender is None else sender.name or sender.email
    cause = await post.send(Letter.of(invitation, tenant.name, named, token))
    mail = Mail.SENT if cause is None else Mail.FAILED
    noted = await InvitationRepository(table, invitation.tenant_id).mailed(invitation, mail, cause)
    return Sent(noted, None)
