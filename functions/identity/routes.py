"""Tenants and API keys over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path

from almanac.access import Principal
from almanac.errors import Unprocessable
from almanac.ids import id_pattern
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from identity import service, wiring
from identity.dependencies import KeyManager, TenantReader
from identity.errors import ApiKeyNotFound, LastAdminKey, TenantNotFound
from identity.repository import IdentityRepository
from identity.schemas import ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyList, Caller, Tenant

router = APIRouter(tags=["identity"])

_LISTING = "api-keys"


@router.get("/tenants/me", response_model=Tenant, responses=problem_responses(TenantNotFound))
async def get_tenant(principal: TenantReader) -> Tenant:
    """Show the tenant that the API key belongs to."""
    tenant = await _repository(principal).get_tenant()
    return Tenant(id=tenant.id, name=tenant.name, created_at=tenant.created_at, caller=Caller.of(principal))


@router.get(
    "/api-keys",
    response_model=ApiKeyList,
    responses=problem_responses(InvalidCursor, Unprocessable),
)
async def list_api_keys(principal: KeyManager, limit: Limit = 50, cursor: Cursor = None) -> ApiKeyList:
    """List the tenant's API keys, oldest first, without their secrets."""
    cursors = await wiring.cursor_secrets().cursors(principal.tenant_id)
    after = cursors.decode(_LISTING, cursor) if cursor else None
    page = await _repository(principal).list_keys(limit, after)
    next_cursor = cursors.encode(_LISTING, page.last_key) if page.last_key else None
    return ApiKeyList(items=[ApiKey.of(key) for key in page.keys], next_cursor=next_cursor)


@router.post(
    "/api-keys",
    status_code=201,
    response_model=ApiKeyCreated,
    responses=problem_responses(TenantNotFound, Unprocessable),
)
async def create_api_key(principal: KeyManager, body: ApiKeyCreate) -> ApiKeyCreated:
    """Create an API key. The answer is the only place where its secret is shown."""
    created = await service.create_key(wiring.table(), principal.tenant_id, body.name, frozenset(body.scopes))
    return ApiKeyCreated.of_new(created)


@router.delete(
    "/api-keys/{key_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(ApiKeyNotFound, LastAdminKey, Unprocessable),
)
async def delete_api_key(principal: KeyManager, key_id: Annotated[str, Path(pattern=id_pattern("key"))]) -> None:
    """Revoke an API key. It stops working within 60 seconds."""
    await service.delete_key(_repository(principal), key_id)


def _repository(principal: Principal) -> IdentityRepository:
    return IdentityRepository(wiring.table(), principal.tenant_id)
