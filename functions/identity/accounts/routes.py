"""Service accounts over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path

from almanac.access import Principal
from almanac.clock import now
from almanac.errors import Busy, Unprocessable, VersionConflict
from almanac.ids import id_pattern
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from identity import wiring
from identity.accounts import service
from identity.accounts.errors import ServiceAccountNotFound, TooManyServiceAccounts
from identity.accounts.repository import AccountRepository
from identity.accounts.schemas import ServiceAccount, ServiceAccountCreate, ServiceAccountList, ServiceAccountUpdate
from identity.dependencies import KeyManager
from identity.tenants.errors import StandingChanged, TenantNotFound

router = APIRouter(tags=["identity"])

AccountIdInPath = Annotated[str, Path(pattern=id_pattern("svc"))]

_LISTING = "service-accounts"


@router.get(
    "/service-accounts", response_model=ServiceAccountList, responses=problem_responses(InvalidCursor, Unprocessable)
)
async def list_service_accounts(principal: KeyManager, limit: Limit = 50, cursor: Cursor = None) -> ServiceAccountList:
    """List the tenant's service accounts, oldest first."""
    cursors = await wiring.cursor_secrets().cursors(principal.tenant_id)
    after = cursors.decode(_LISTING, cursor) if cursor else None
    page = await _repository(principal).list(limit, after)
    next_cursor = cursors.encode(_LISTING, page.last_key) if page.last_key else None
    at = now()
    return ServiceAccountList(items=[ServiceAccount.of(found, at) for found in page.accounts], next_cursor=next_cursor)


@router.post(
    "/service-accounts",
    status_code=201,
    response_model=ServiceAccount,
    responses=problem_responses(TenantNotFound, TooManyServiceAccounts, StandingChanged, Unprocessable, Busy),
)
async def create_service_account(principal: KeyManager, body: ServiceAccountCreate) -> ServiceAccount:
    """Create a service account. It can do nothing until it has a key."""
    created = await service.create(_repository(principal), principal, body.name, body.description)
    return ServiceAccount.of(created, now())


@router.get(
    "/service-accounts/{service_account_id}",
    response_model=ServiceAccount,
    responses=problem_responses(ServiceAccountNotFound, Unprocessable),
)
async def get_service_account(principal: KeyManager, service_account_id: AccountIdInPath) -> ServiceAccount:
    """Show a service account and which keys it has."""
    return ServiceAccount.of(await _repository(principal).get(service_account_id), now())


@router.patch(
    "/service-accounts/{service_account_id}",
    response_model=ServiceAccount,
    responses=problem_responses(ServiceAccountNotFound, VersionConflict, StandingChanged, Unprocessable, Busy),
)
async def update_service_account(
    principal: KeyManager, service_account_id: AccountIdInPath, body: ServiceAccountUpdate
) -> ServiceAccount:
    """Rename a service account, or disable it: its keys stop at once, and start again when it is enabled."""
    changed = await service.update(_repository(principal), principal, service_account_id, body.version, body.changes())
    return ServiceAccount.of(changed, now())


@router.delete(
    "/service-accounts/{service_account_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(ServiceAccountNotFound, StandingChanged, Unprocessable, Busy),
)
async def delete_service_account(principal: KeyManager, service_account_id: AccountIdInPath) -> None:
    """Delete a service account and all its keys, at once."""
    await service.delete(_repository(principal), principal, service_account_id)


def _repository(principal: Principal) -> AccountRepository:
    return AccountRepository(wiring.table(), principal.tenant_id)
