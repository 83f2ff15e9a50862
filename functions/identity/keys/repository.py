"""Reads and writes of one tenant's API keys."""

from collections.abc import Sequence
from dataclasses import dataclass

from almanac.aws import keys
from almanac.aws.table import Check, Delete, Item, Put, Table, Update, Write
from almanac.aws.transactions import Parts, Refused, commit
from almanac.errors import Busy
from almanac.observability import correlation_id
from identity.keys.errors import ApiKeyEnded, ApiKeyNotFound, LastAdminKey
from identity.keys.model import ApiKeyRecord, ends
from identity.tenants.errors import StandingChanged, TenantNotFound
from identity.tenants.follow_up import access_ended


@dataclass(frozen=True)
class KeyPage:
    """Some of a tenant's keys, oldest first; `last_key` continues the listing."""

    keys: Sequence[ApiKeyRecord]
    last_key: Item | None


class KeyRepository:
    """One tenant's API keys.

    The tenant's item counts the keys that are a way in, in the transaction that adds or removes one. What is written of
    a key's service account in the same transaction is given as `account`; a change of it in between raises `Busy`.
    """

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id
        self._tenant = keys.tenant(tenant_id)

    async def create(
        self,
        key: ApiKeyRecord,
        account: Sequence[Write] = (),
        standing: Sequence[Check] = (),
        entry: Sequence[Write] = (),
    ) -> None:
        """Write a new key, and its `entry` in the audit log where no call has one.

        Raises `TenantNotFound`, `StandingChanged` or `Busy`.
        """
        counted: Write = Update(self._tenant, add={"admin_keys": 1}) if key.is_way_in else Check(self._tenant)
        await self._commit(
            {"tenant": counted, "account": account, "new": Put(key.to_item()), "standing": standing, "entry": entry}
        )

    async def list(self, limit: int, after: Item | None = None) -> KeyPage:
        """Return one page of the tenant's keys."""
        page = await self._table.query(
            keys.api_keys(self._tenant_id), index=keys.CHILDREN_INDEX, limit=limit, after=after
        )
        return KeyPage([ApiKeyRecord.from_item(item) for item in page.items], page.last_key)

    async def count_living(self, at: str) -> int:
        """Return how many of the tenant's keys have not ended."""
        found = self._table.query_all(keys.api_keys(self._tenant_id), index=keys.CHILDREN_INDEX)
        return sum([not ApiKeyRecord.from_item(item).has_ended(at) async for item in found])

    async def get(self, key_id: str) -> ApiKeyRecord:
        """Return a key by its id; raises `ApiKeyNotFound`."""
        page = await self._table.query(
            keys.api_keys(self._tenant_id), index=keys.CHILDREN_INDEX, prefix=key_id, limit=1
        )
        # The index follows the table within milliseconds: the item itself says what is true now.
        item = await self._table.get(keys.Key(page.items[0]["pk"], page.items[0]["sk"])) if page.items else None
        if item is None:
            raise ApiKeyNotFound
        return ApiKeyRecord.from_item(item)

    async def rename(self, key: ApiKeyRecord, name: str, standing: Sequence[Check]) -> None:
        """Give a key another name; raises `ApiKeyNotFound` or `StandingChanged`."""
        await self._commit({"key": Update(key.key, set={"name": name}), "standing": standing})

    async def replace(
        self, old: ApiKeyRecord, new: ApiKeyRecord, account: Sequence[Write], standing: Sequence[Check]
    ) -> None:
        """Write a new key and when the one that it takes the place of ends. The two count as the old one did.

        Raises `ApiKeyNotFound`, `ApiKeyEnded`, `StandingChanged` or `Busy`.
        """
        ended = Update(
            old.key,
            set={**ends(old.ends_at), "replaced_by": new.id},
            condition="attribute_exists(#pk) AND attribute_not_exists(#replaced_by)",
        )
        await self._commit(
            {
                "tenant": Check(self._tenant),
                "key": ended,
                "new": Put(new.to_item()),
                "account": account,
                "standing": standing,
            }
        )

    async def delete(self, key: ApiKeyRecord, account: Sequence[Write] = (), standing: Sequence[Check] = ()) -> None:
        """Revoke a key.

        Raises `ApiKeyNotFound`, `LastAdminKey` when nobody could manage the tenant afterwards, `StandingChanged` or
        `Busy`.
        """
        counted: Sequence[Write] = ()
        same, values = "attribute_exists(#pk) AND attribute_not_exists(#ends_at)", dict[str, str]()
        if key.is_way_in:
            others = "#admin_keys > :one OR #owners > :none"
            counted = [Update(self._tenant, add={"admin_keys": -1}, condition=others, values={":one": 1, ":none": 0})]
        elif key.ends_at is not None:
            same, values = "#ends_at = :ends_at", {":ends_at": key.ends_at}
        gone = Delete(key.key, condition=same, values=values)
        told = access_ended(self._tenant_id, key.service_account_id or key.id, correlation_id())
        await self._commit({"key": gone, "tenant": counted, "account": account, "standing": standing, "outbox": told})

    async def _commit(self, parts: Parts) -> None:
        try:
            await commit(self._table, parts)
        except Refused as refused:
            raise _problem(refused, revoking="new" not in parts) from None


def _problem(refused: Refused, *, revoking: bool) -> Exception:
    match refused.part:
        case "key" if refused.item is None:
            return ApiKeyNotFound()
        case "key" if not revoking:
            return ApiKeyEnded("Another key has taken the place of this one already.")
        case "tenant":
            return LastAdminKey() if revoking else TenantNotFound()
        case "standing":
            return StandingChanged()
    return Busy()
