"""Tenants over HTTP."""

from fastapi import APIRouter, Request

from almanac.access import Principal
from almanac.errors import Busy, Unprocessable, VersionConflict
from almanac.web import recording
from almanac.web.auth import PersonRequired, SignedIn
from almanac.web.problems import problem_responses
from identity import wiring
from identity.dependencies import TenantManager, TenantOwner, TenantReader
from identity.tenants import membership, service
from identity.tenants.entries import entry_of
from identity.tenants.errors import (
    FoundingClosed,
    LastOwner,
    MemberNotFound,
    StandingChanged,
    TenantNotFound,
    TooManyTenants,
)
from identity.tenants.member_repository import MemberRepository
from identity.tenants.model import Membership as MembershipRecord
from identity.tenants.repository import TenantRepository, memberships
from identity.tenants.schemas import (
    Member,
    Membership,
    MembershipList,
    Tenant,
    TenantCreate,
    TenantUpdate,
    TransferRequest,
)

router = APIRouter(tags=["identity"])


@router.post(
    "/tenants",
    status_code=201,
    response_model=Membership,
    responses=problem_responses(FoundingClosed, TooManyTenants, Unprocessable, Busy),
)
async def create_tenant(person: SignedIn, body: TenantCreate, request: Request) -> Membership:
    """Create a tenant, which the caller owns."""
    entry = entry_of(request, person, 201)
    tenant, founder = await service.found(wiring.table(), person, body.name, wiring.tenants_per_person(), entry)
    return Membership.of(MembershipRecord.of(founder, tenant))


@router.get("/tenants", response_model=MembershipList, responses=problem_responses())
async def list_tenants(person: SignedIn) -> MembershipList:
    """List the tenants that the caller belongs to."""
    found = memberships(wiring.table(), person.id)
    return MembershipList(items=[Membership.of(membership) async for membership in found])


@router.get("/tenants/me", response_model=Tenant, responses=problem_responses(TenantNotFound))
async def get_tenant(principal: TenantReader) -> Tenant:
    """Show the tenant that the caller works in."""
    return Tenant.of(await _repository(principal).get(), principal)


@router.patch(
    "/tenants/me",
    response_model=Tenant,
    responses=problem_responses(TenantNotFound, VersionConflict, StandingChanged, Unprocessable, Busy),
)
async def update_tenant(principal: TenantManager, body: TenantUpdate) -> Tenant:
    """Rename the tenant. Its members' lists of tenants follow within seconds."""
    return Tenant.of(await service.rename(wiring.table(), principal, body.name, body.version), principal)


@router.post(
    "/tenants/me/transfer",
    response_model=Member,
    responses=problem_responses(
        MemberNotFound, StandingChanged, LastOwner, VersionConflict, membership.SelfTransfer, PersonRequired, Busy
    ),
)
async def transfer_tenant(principal: TenantOwner, body: TransferRequest, request: Request) -> Member:
    """Hand the tenant over: the member becomes an owner, the caller an admin."""
    recording.note(request, person_id=body.person_id)
    members = MemberRepository(wiring.table(), principal.tenant_id)
    return Member.of(await membership.transfer(members, principal, body.person_id))


def _repository(principal: Principal) -> TenantRepository:
    return TenantRepository(wiring.table(), principal.tenant_id)
