"""API keys over HTTP."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request

from almanac.access import Principal, spell
from almanac.clock import now
from almanac.errors import Busy, Unprocessable
from almanac.ids import id_pattern
from almanac.web import recording
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from identity import wiring
from identity.accounts.errors import ServiceAccountDisabled, ServiceAccountNotFound
from identity.dependencies import KeyManager
from identity.keys.errors import ApiKeyEnded, ApiKeyNotFound, LastAdminKey, ScopeNotHeld, TooManyApiKeys
from identity.keys.repository import KeyRepository
from identity.keys.schemas import ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyList, ApiKeyRotation, ApiKeyUpdate
from identity.keys.service import KeyService
from identity.tenants.errors import StandingChanged, TenantNotFound

router = APIRouter(tags=["identity"])

KeyIdInPath = Annotated[str, Path(pattern=id_pattern("key"))]

_LISTING = "api-keys"
_OF_CHANGES = (StandingChanged, Unprocessable, Busy)
_OF_CREATION = (
    TenantNotFound,
    ServiceAccountNotFound,
    ServiceAccountDisabled,
    ScopeNotHeld,
    TooManyApiKeys,
    *_OF_CHANGES,
)


@router.get(
    "/api-keys",
    response_model=ApiKeyList,
    responses=problem_responses(InvalidCursor, Unprocessable),
)
async def list_api_keys(principal: KeyManager, limit: Limit = 50, cursor: Cursor = None) -> ApiKeyList:
    """List the tenant's API keys, oldest first, without their secrets. Expired ones stay for 30 days."""
    cursors = await wiring.cursor_secrets().cursors(principal.tenant_id)
    after = cursors.decode(_LISTING, cursor) if cursor else None
    page = await _repository(principal).list(limit, after)
    next_cursor = cursors.encode(_LISTING, page.last_key) if page.last_key else None
    at = now()
    return ApiKeyList(items=[ApiKey.of(key, at) for key in page.keys], next_cursor=next_cursor)


@router.post("/api-keys", status_code=201, response_model=ApiKeyCreated, responses=problem_responses(*_OF_CREATION))
async def create_api_key(principal: KeyManager, body: ApiKeyCreate, request: Request) -> ApiKeyCreated:
    """Create an API key. The answer is the only place where its secret is shown."""
    account = {"service_account_id": body.service_account_id} if body.service_account_id else {}
    recording.note(request, scopes=spell(body.scopes), **account)
    created = await _service(principal).create(
        body.name, frozenset(body.scopes), body.ends_at(), body.service_account_id
    )
    return ApiKeyCreated.of_new(created)


@router.get("/api-keys/{key_id}", response_model=ApiKey, responses=problem_responses(ApiKeyNotFound, Unprocessable))
async def get_api_key(principal: KeyManager, key_id: KeyIdInPath) -> ApiKey:
    """Show an API key without its secret."""
    return ApiKey.of(await _repository(principal).get(key_id), now())


@router.patch("/api-keys/{key_id}", response_model=ApiKey, responses=problem_responses(ApiKeyNotFound, *_OF_CHANGES))
async def update_api_key(principal: KeyManager, key_id: KeyIdInPath, body: ApiKeyUpdate) -> ApiKey:
    """Give an API key another name. What it may do never changes."""
    return ApiKey.of(await _service(principal).rename(key_id, body.name), now())


@router.post(
    "/api-keys/{key_id}/rotate",
    status_code=201,
    response_model=ApiKeyCreated,
    responses=problem_responses(ApiKeyNotFound, ApiKeyEnded, *_OF_CREATION),
)
async def rotate_api_key(principal: KeyManager, key_id: KeyIdInPath, body: ApiKeyRotation) -> ApiKeyCreated:
    """Create a key that may do the same and lives as long. The old one works until the overlap is over."""
    created = await _service(principal).rotate(key_id, timedelta(hours=body.overlap_hours))
    return ApiKeyCreated.of_new(created)


@router.delete(
    "/api-keys/{key_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(ApiKeyNotFound, LastAdminKey, *_OF_CHANGES),
)
async def delete_api_key(principal: KeyManager, key_id: KeyIdInPath) -> None:
    """Revoke an API key. It stops working at once."""
    await _service(principal).delete(key_id)


def _service(principal: Principal) -> KeyService:
    return KeyService(wiring.table(), principal)


def _repository(principal: Principal) -> KeyRepository:
    return KeyRepository(wiring.table(), principal.tenant_id)
