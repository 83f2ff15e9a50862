"""API keys over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path

from almanac.access import Principal
from almanac.errors import Unprocessable
from almanac.ids import id_pattern
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from identity import wiring
from identity.dependencies import KeyManager
from identity.keys import service
from identity.keys.errors import ApiKeyNotFound, LastAdminKey
from identity.keys.repository import KeyRepository
from identity.keys.schemas import ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyList
from identity.tenants.errors import TenantNotFound

router = APIRouter(tags=["identity"])

_LISTING = "api-keys"


@router.get(
    "/api-keys",
    response_model=ApiKeyList,
    responses=problem_responses(InvalidCursor, Unprocessable),
)
async def list_api_keys(principal: KeyManager, limit: Limit = 50, cursor: Cursor = None) -> ApiKeyList:
    """List the tenant's API keys, oldest first, without their secrets."""
    cursors = await wiring.cursor_secrets().cursors(principal.tenant_id)
    after = cursors.decode(_LISTING, cursor) if cursor else None
    page = await _repository(principal).list(limit, after)
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
    created = await service.create(wiring.table(), principal.tenant_id, body.name, frozenset(body.scopes))
    return ApiKeyCreated.of_new(created)


@router.delete(
    "/api-keys/{key_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(ApiKeyNotFound, LastAdminKey, Unprocessable),
)
async def delete_api_key(principal: KeyManager, key_id: Annotated[str, Path(pattern=id_pattern("key"))]) -> None:
    """Revoke an API key. It stops working within 60 seconds."""
    await service.delete(_repository(principal), key_id)


def _repository(principal: Principal) -> KeyRepository:
    return KeyRepository(wiring.table(), principal.tenant_id)
