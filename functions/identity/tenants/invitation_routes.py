"""Invitations over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from almanac.errors import Busy, Unprocessable
from almanac.ids import id_pattern
from almanac.limits.admission import RateLimited
from almanac.web import recording
from almanac.web.auth import SignedIn
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from identity import wiring
from identity.dependencies import MemberManager
from identity.tenants import invitations
from identity.tenants.entries import entry_of
from identity.tenants.errors import (
    AlreadyMember,
    InvitationExpired,
    InvitationNotFound,
    InvitationRevoked,
    InvitationUsed,
    NotTheInvited,
    RoleAboveOwn,
    StandingChanged,
    TenantNotFound,
    TooManyInvitations,
)
from identity.tenants.invitation_repository import InvitationRepository
from identity.tenants.schemas import (
    Invitation,
    InvitationAccept,
    InvitationCreate,
    InvitationList,
    InvitationSent,
    Membership,
)

router = APIRouter(tags=["identity"])

InvitationIdInPath = Annotated[str, Path(pattern=id_pattern("inv"))]

_LISTING = "invitations"
_SENDING = (RoleAboveOwn, StandingChanged, TenantNotFound, Unprocessable, RateLimited, TooManyInvitations, Busy)


@router.post("/invitations", status_code=201, response_model=InvitationSent, responses=problem_responses(*_SENDING))
async def create_invitation(principal: MemberManager, body: InvitationCreate, request: Request) -> InvitationSent:
    """Invite an address into the tenant. What was sent to it before no longer counts."""
    recording.note(request, role=body.role.value)
    sent = await invitations.invite(
        wiring.table(), wiring.post(), principal, body.email, body.role, body.expires_in_days
    )
    return InvitationSent.of_sent(sent)


@router.get("/invitations", response_model=InvitationList, responses=problem_responses(InvalidCursor, Unprocessable))
async def list_invitations(principal: MemberManager, limit: Limit = 50, cursor: Cursor = None) -> InvitationList:
    """List the tenant's invitations, oldest first; those that ended stay for 30 days."""
    cursors = await wiring.cursor_secrets().cursors(principal.tenant_id)
    after = cursors.decode(_LISTING, cursor) if cursor else None
    page = await InvitationRepository(wiring.table(), principal.tenant_id).list(limit, after)
    next_cursor = cursors.encode(_LISTING, page.last_key) if page.last_key else None
    return InvitationList(items=[Invitation.of(record) for record in page.invitations], next_cursor=next_cursor)


@router.post(
    "/invitations/{invitation_id}/resend",
    response_model=InvitationSent,
    responses=problem_responses(InvitationNotFound, InvitationRevoked, InvitationUsed, *_SENDING),
)
async def resend_invitation(principal: MemberManager, invitation_id: InvitationIdInPath) -> InvitationSent:
    """Send an invitation again, with a new token; the one before no longer counts."""
    return InvitationSent.of_sent(await invitations.resend(wiring.table(), wiring.post(), principal, invitation_id))


@router.delete(
    "/invitations/{invitation_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(InvitationNotFound, InvitationUsed, RoleAboveOwn, StandingChanged, Unprocessable, Busy),
)
async def revoke_invitation(principal: MemberManager, invitation_id: InvitationIdInPath) -> None:
    """Take an invitation back."""
    await invitations.revoke(wiring.table(), principal, invitation_id)


@router.post(
    "/invitations/accept",
    response_model=Membership,
    responses=problem_responses(
        InvitationNotFound,
        NotTheInvited,
        InvitationExpired,
        InvitationRevoked,
        InvitationUsed,
        AlreadyMember,
        Unprocessable,
        Busy,
    ),
)
async def accept_invitation(person: SignedIn, body: InvitationAccept, request: Request) -> Membership:
    """Become a member by an invitation to the caller's verified address. Accepting twice answers the same."""
    entry = entry_of(request, person, 200)
    return Membership.of(await invitations.accept(wiring.table(), person, body.token, entry))
