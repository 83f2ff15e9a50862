"""Tenants over HTTP."""

from fastapi import APIRouter

from almanac.access import Principal
from almanac.web.problems import problem_responses
from identity import wiring
from identity.dependencies import TenantReader
from identity.tenants.errors import TenantNotFound
from identity.tenants.repository import TenantRepository
from identity.tenants.schemas import Caller, Tenant

router = APIRouter(tags=["identity"])


@router.get("/tenants/me", response_model=Tenant, responses=problem_responses(TenantNotFound))
async def get_tenant(principal: TenantReader) -> Tenant:
    """Show the tenant that the API key belongs to."""
    tenant = await _repository(principal).get()
    return Tenant(id=tenant.id, name=tenant.name, created_at=tenant.created_at, caller=Caller.of(principal))


def _repository(principal: Principal) -> TenantRepository:
    return TenantRepository(wiring.table(), principal.tenant_id)
