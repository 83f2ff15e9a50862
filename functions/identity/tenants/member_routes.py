"""Members over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from almanac.access import Principal
from almanac.errors import Busy, Unprocessable, VersionConflict
from almanac.ids import id_pattern
from almanac.web import recording
from almanac.web.auth import PersonRequired
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from identity import wiring
from identity.dependencies import MemberManager, MemberReader, TenantReader
from identity.tenants import membership
from identity.tenants.errors import LastOwner, MemberNotFound, RoleAboveOwn, StandingChanged
from identity.tenants.member_repository import MemberRepository
from identity.tenants.schemas import Member, MemberList, MemberUpdate

router = APIRouter(tags=["identity"])

PersonIdInPath = Annotated[str, Path(pattern=id_pattern("usr"))]

_LISTING = "members"
_REFUSALS = (MemberNotFound, RoleAboveOwn, StandingChanged, LastOwner, VersionConflict, Unprocessable, Busy)


@router.get("/members", response_model=MemberList, responses=problem_responses(InvalidCursor, Unprocessable))
async def list_members(principal: MemberReader, limit: Limit = 50, cursor: Cursor = None) -> MemberList:
    """List the tenant's members, by id."""
    cursors = await wiring.cursor_secrets().cursors(principal.tenant_id)
    after = cursors.decode(_LISTING, cursor) if cursor else None
    page = await _repository(principal).list(limit, after)
    next_cursor = cursors.encode(_LISTING, page.last_key) if page.last_key else None
    return MemberList(items=[Member.of(member) for member in page.members], next_cursor=next_cursor)


@router.get("/members/{person_id}", response_model=Member, responses=problem_responses(MemberNotFound, Unprocessable))
async def get_member(principal: MemberReader, person_id: PersonIdInPath) -> Member:
    """Show a member."""
    return Member.of(await _repository(principal).get(person_id))


@router.patch("/members/{person_id}", response_model=Member, responses=problem_responses(*_REFUSALS))
async def update_member(
    principal: MemberManager, person_id: PersonIdInPath, body: MemberUpdate, request: Request
) -> Member:
    """Give a member another role. Only roles whose every permission the caller has are given, or taken away."""
    recording.note(request, role=body.role.value)
    changed = await membership.change_role(_repository(principal), principal, person_id, body.role, body.version)
    return Member.of(changed)


@router.delete("/members/{person_id}", status_code=204, response_model=None, responses=problem_responses(*_REFUSALS))
async def remove_member(principal: MemberManager, person_id: PersonIdInPath) -> None:
    """Remove a member. Its next call is refused, within 20 seconds at the latest."""
    await membership.remove(_repository(principal), principal, person_id)


@router.post(
    "/members/me/leave",
    status_code=204,
    response_model=None,
    responses=problem_responses(MemberNotFound, PersonRequired, LastOwner, VersionConflict, Busy),
)
async def leave_tenant(principal: TenantReader) -> None:
    """Leave the tenant. Its last owner hands it over first."""
    await membership.leave(_repository(principal), principal)


def _repository(principal: Principal) -> MemberRepository:
    return MemberRepository(wiring.table(), principal.tenant_id)
