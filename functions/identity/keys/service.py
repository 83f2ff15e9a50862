"""What can be done with API keys."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from almanac.access import Permission, Principal, spell
from almanac.audit import trail
from almanac.aws.table import Table, Update
from almanac.clock import iso, now
from almanac.errors import Busy
from almanac.ids import new_id
from identity.accounts.errors import ServiceAccountDisabled, ServiceAccountNotFound
from identity.accounts.model import AccountRecord, HeldKey
from identity.accounts.repository import AccountRepository, holding
from identity.keys.errors import ApiKeyEnded, ScopeNotHeld, TooManyApiKeys
from identity.keys.model import ApiKeyRecord
from identity.keys.repository import KeyRepository
from identity.tenants import standing
from identity.tokens import api_keys

MOST_KEYS = 200
MOST_KEYS_OF_AN_ACCOUNT = 20
_ATTEMPTS = 4
_ENDING_CHARACTERS = 4


@dataclass(frozen=True)
class NewKey:
    """A key at the only moment when its text is known."""

    record: ApiKeyRecord
    text: str


class KeyService:
    """What a caller does with the keys of its tenant."""

    def __init__(self, table: Table, principal: Principal) -> None:
        self._principal = principal
        self._keys = KeyRepository(table, principal.tenant_id)
        self._accounts = AccountRepository(table, principal.tenant_id)
        self._standing = standing.still(principal)

    async def create(
        self, name: str, scopes: frozenset[Permission], ends_at: str | None, account_id: str | None
    ) -> NewKey:
        """Create a key, of a service account if one is named.

        Raises `ScopeNotHeld`, `TooManyApiKeys`, `ServiceAccountNotFound`, `ServiceAccountDisabled`, `TenantNotFound`,
        `StandingChanged` or `Busy`.
        """
        must_hold(self._principal, scopes)
        await self._must_have_room()
        created = new_key(self._principal.tenant_id, name, scopes, created_by=self._principal.actor_id)
        record = replace(created.record, ends_at=ends_at, service_account_id=account_id)
        await self._write(record, [], lambda account: self._keys.create(record, account, self._standing))
        return NewKey(record, created.text)

    async def rename(self, key_id: str, name: str) -> ApiKeyRecord:
        """Give a key another name; raises `ApiKeyNotFound` or `StandingChanged`."""
        key = await self._keys.get(key_id)
        await self._keys.rename(key, name, self._standing)
        return replace(key, name=name)

    async def rotate(self, key_id: str, overlap: timedelta) -> NewKey:
        """Create a key that does what the old one does and lives as long; the old one ends after the overlap.

        Raises `ApiKeyNotFound`, `ApiKeyEnded`, `ScopeNotHeld` or what `create` raises.
        """
        old = await self._keys.get(key_id)
        present = datetime.now(UTC)
        if old.replaced_by or old.has_ended(iso(present.timestamp())):
            raise ApiKeyEnded("The key has expired, or another one has taken its place already: create a new one.")
        must_hold(self._principal, old.scopes)
        created = new_key(old.tenant_id, old.name, old.scopes, created_by=self._principal.actor_id)
        record = replace(
            created.record, ends_at=_as_long(old, present), service_account_id=old.service_account_id, name=old.name
        )
        ended = old.ending_by(iso((present + overlap).timestamp()), record.id)
        await self._write(record, [ended], lambda account: self._keys.replace(ended, record, account, self._standing))
        return NewKey(record, created.text)

    async def delete(self, key_id: str) -> None:
        """Revoke a key; raises `ApiKeyNotFound`, `LastAdminKey`, `StandingChanged` or `Busy`."""
        for attempt in range(_ATTEMPTS):
            key = await self._keys.get(key_id)
            try:
                await self._keys.delete(key, await self._without_key(key), self._standing)
            except Busy:
                if attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    async def _write(
        self,
        key: ApiKeyRecord,
        also: Sequence[ApiKeyRecord],
        write: Callable[[Sequence[Update]], Awaitable[None]],
    ) -> None:
        """Write a new key and, in its account, it and what `also` changed; again where that changed meanwhile."""
        for attempt in range(_ATTEMPTS):
            account = await self._account_of(key)
            try:
                await write(_with_key(account, key, *also))
            except Busy:
                if account is None or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return

    async def _must_have_room(self) -> None:
        if await self._keys.count_living(now()) >= MOST_KEYS:
            raise TooManyApiKeys(f"A tenant has at most {MOST_KEYS} keys that have not expired: revoke one first.")

    async def _account_of(self, key: ApiKeyRecord) -> AccountRecord | None:
        if key.service_account_id is None:
            return None
        account = await self._accounts.get(key.service_account_id, field="body.service_account_id")
        if account.disabled:
            raise ServiceAccountDisabled
        return account

    async def _without_key(self, key: ApiKeyRecord) -> Sequence[Update]:
        if key.service_account_id is None:
            return []
        try:
            account = await self._accounts.get(key.service_account_id)
        except ServiceAccountNotFound:
            return []
        return [holding(account, {key_id: held for key_id, held in account.held.items() if key_id != key.id})]


async def create_for_operator(table: Table, tenant_id: str, name: str, scopes: frozenset[Permission]) -> NewKey:
    """Create another key of a tenant for whom the account's own rights let in; raises `TenantNotFound`."""
    created = new_key(tenant_id, name, scopes)
    entry = trail.by_operator(tenant_id, "create_api_key", created=created.record.id)
    await KeyRepository(table, tenant_id).create(
        created.record, entry=trail.with_change(entry, 201, scopes=spell(scopes))
    )
    return created


def new_key(tenant_id: str, name: str, scopes: frozenset[Permission], *, created_by: str = "") -> NewKey:
    """Return a key that is not written yet."""
    text = api_keys.create(tenant_id)
    record = ApiKeyRecord(
        id=new_id("key"),
        tenant_id=tenant_id,
        name=name,
        scopes=scopes,
        created_at=now(),
        ending=text[-_ENDING_CHARACTERS:],
        sha256=api_keys.digest(text),
        created_by=created_by,
    )
    return NewKey(record, text)


def must_hold(principal: Principal, scopes: frozenset[Permission]) -> None:
    """Raise `ScopeNotHeld` unless the caller itself may do all that the scopes allow."""
    beyond = [scope for scope in Permission if scope in scopes and not principal.may(scope)]
    if beyond:
        raise ScopeNotHeld(f"You do not have `{beyond[0]}` yourself, so no key of yours can.", field="body.scopes")


def _as_long(key: ApiKeyRecord, present: datetime) -> str | None:
    """Return when a key ends that is made now and lives as long as another."""
    if key.ends_at is None:
        return None
    lifetime = datetime.fromisoformat(key.ends_at) - datetime.fromisoformat(key.created_at)
    return iso((present + lifetime).timestamp())


def _with_key(account: AccountRecord | None, *changed: ApiKeyRecord) -> Sequence[Update]:
    """Return what is written of the account that a new key is of; raises `TooManyApiKeys`."""
    if account is None:
        return []
    at = now()
    held: Mapping[str, HeldKey] = {key_id: key for key_id, key in account.held.items() if key.lives(at)}
    held = {**held, **{key.id: key.held for key in changed if not key.has_ended(at)}}
    if len(held) > MOST_KEYS_OF_AN_ACCOUNT:
        raise TooManyApiKeys(
            f"A service account has at most {MOST_KEYS_OF_AN_ACCOUNT} keys that have not expired: revoke one first."
        )
    return [holding(account, held)]
