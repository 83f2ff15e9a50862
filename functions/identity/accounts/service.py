"""What can be done with service accounts."""

from collections.abc import Mapping
from typing import Any

from almanac.access import Principal
from almanac.aws.transactions import Refused
from almanac.clock import now
from almanac.errors import Busy, VersionConflict
from almanac.ids import new_id
from identity.accounts.errors import TooManyServiceAccounts
from identity.accounts.model import AccountRecord
from identity.accounts.repository import AccountRepository
from identity.tenants import standing
from identity.tenants.errors import StandingChanged

MOST_ACCOUNTS = 100
_ATTEMPTS = 4


async def create(repository: AccountRepository, principal: Principal, name: str, description: str) -> AccountRecord:
    """Create an account without keys; raises `TooManyServiceAccounts`, `TenantNotFound` or `StandingChanged`."""
    page = await repository.list(MOST_ACCOUNTS)
    if len(page.accounts) >= MOST_ACCOUNTS:
        raise TooManyServiceAccounts(f"A tenant has at most {MOST_ACCOUNTS} service accounts: delete one first.")
    account = AccountRecord(new_id("svc"), principal.tenant_id, name, description, now(), principal.actor_id)
    try:
        await repository.create(account, standing.still(principal))
    except Refused:
        raise StandingChanged from None
    return account


async def update(
    repository: AccountRepository, principal: Principal, account_id: str, version: int, changes: Mapping[str, Any]
) -> AccountRecord:
    """Change an account; disabling it stops its keys and enabling it starts them again, in the same transaction.

    Raises `ServiceAccountNotFound`, `VersionConflict` or `StandingChanged`.
    """
    account = await repository.get(account_id)
    if account.version != version:
        raise VersionConflict(account.version)
    if not changes:
        return account
    try:
        await repository.change(account, version, changes, standing.still(principal), now())
    except Refused as refused:
        # A key of it was revoked in between, which changed the account too.
        raise (StandingChanged if refused.part == "standing" else Busy) from None
    return await repository.get(account_id)


async def delete(repository: AccountRepository, principal: Principal, account_id: str) -> None:
    """Delete an account and its keys, whatever others do to it meanwhile; raises `ServiceAccountNotFound` or `Busy`."""
    for _ in range(_ATTEMPTS):
        account = await repository.get(account_id)
        try:
            await repository.delete(account, standing.still(principal))
        except VersionConflict:
            continue
        except Refused:
            raise StandingChanged from None
        return
    raise Busy
