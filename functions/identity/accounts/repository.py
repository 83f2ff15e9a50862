"""Reads and writes of one tenant's service accounts, and what their keys' transactions write of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from almanac.aws import keys
from almanac.aws.table import Check, Delete, Item, Put, Table, Update, Write
from almanac.aws.transactions import Refused, commit
from almanac.errors import VersionConflict
from almanac.observability import correlation_id
from identity.accounts.errors import ServiceAccountNotFound
from identity.accounts.model import AccountRecord, HeldKey, held_item
from identity.tenants.errors import TenantNotFound
from identity.tenants.follow_up import access_ended


@dataclass(frozen=True)
class AccountPage:
    """Some of a tenant's service accounts, oldest first; `last_key` continues the listing."""

    accounts: Sequence[AccountRecord]
    last_key: Item | None


class AccountRepository:
    """One tenant's service accounts."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def create(self, account: AccountRecord, standing: Sequence[Check]) -> None:
        """Write a new account; raises `TenantNotFound` or `Refused`."""
        tenant = Check(keys.tenant(self._tenant_id))
        try:
            await commit(self._table, {"tenant": tenant, "account": Put(account.to_item()), "standing": standing})
        except Refused as refused:
            if refused.part == "tenant":
                raise TenantNotFound from None
            raise

    async def list(self, limit: int, after: Item | None = None) -> AccountPage:
        """Return one page of the tenant's accounts."""
        page = await self._table.query(
            keys.service_accounts(self._tenant_id), index=keys.CHILDREN_INDEX, limit=limit, after=after
        )
        return AccountPage([AccountRecord.from_item(item) for item in page.items], page.last_key)

    async def get(self, account_id: str, *, field: str | None = None) -> AccountRecord:
        """Return an account; raises `ServiceAccountNotFound`."""
        item = await self._table.get(keys.service_account(self._tenant_id, account_id))
        if item is None:
            raise ServiceAccountNotFound(field=field)
        return AccountRecord.from_item(item)

    async def change(
        self, account: AccountRecord, version: int, changes: Mapping[str, Any], standing: Sequence[Check], at: str
    ) -> None:
        """Change an account at `version`, and its keys with it where it is disabled or enabled.

        Raises `VersionConflict`, `ServiceAccountNotFound` or `Refused`.
        """
        follow: list[Write] = []
        if "disabled" in changes:
            mark = True if changes["disabled"] else None
            living = [held for held in account.held.values() if held.lives(at)]
            follow = [Update(keys.api_key(self._tenant_id, held.sha256), set={"disabled": mark}) for held in living]
            follow.append(self._told(account))
        await self._commit({"account": changed(account, version, changes), "keys": follow, "standing": standing})

    async def delete(self, account: AccountRecord, standing: Sequence[Check]) -> None:
        """Delete an account and all its keys; raises `VersionConflict`, `ServiceAccountNotFound` or `Refused`."""
        gone = Delete(account.key, condition="#version = :version", values={":version": account.version})
        ended = [Delete(keys.api_key(self._tenant_id, held.sha256)) for held in account.held.values()]
        await self._commit({"account": gone, "keys": ended, "standing": standing, "outbox": self._told(account)})

    def _told(self, account: AccountRecord) -> Put:
        return access_ended(self._tenant_id, account.id, correlation_id())

    async def _commit(self, parts: Mapping[str, Write | Sequence[Write]]) -> None:
        try:
            await commit(self._table, parts)
        except Refused as refused:
            if refused.part != "account":
                raise
            if refused.item is None:
                raise ServiceAccountNotFound from None
            raise VersionConflict(refused.item["version"]) from None


def changed(account: AccountRecord, version: int, changes: Mapping[str, Any]) -> Update:
    """Return the write that changes an account which is still at `version`."""
    return Update(
        account.key,
        set={**changes, "version": version + 1},
        condition="attribute_exists(#pk) AND #version = :version",
        values={":version": version},
    )


def holding(account: AccountRecord, held: Mapping[str, HeldKey]) -> Update:
    """Return the write that makes these the account's keys, if nothing changed about it since it was read."""
    return changed(account, account.version, {"held": held_item(held)})
