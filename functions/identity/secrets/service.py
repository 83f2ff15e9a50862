"""What can be done with the tenant's keys for providers of models."""

import asyncio
from collections.abc import Sequence

from almanac import accounts
from almanac.access import Principal
from almanac.accounts import PROVIDERS
from almanac.aws import keys
from almanac.aws.secrets import Secrets
from almanac.aws.table import ConditionFailed, Delete, Item, Put, Table
from almanac.clock import now
from almanac.errors import NotFound, Unprocessable
from almanac.text.secrets import clean

_ENDING = 4
_LONG_ENOUGH = 20
"""Of a shorter key the ending would say too much."""


class ProviderUnknown(NotFound):
    """No such provider takes a key."""

    code = "provider_unknown"

    def __init__(self) -> None:
        super().__init__(f"The providers that take a key are: {', '.join(PROVIDERS)}.", field="path.provider")


class ProviderKeyNotFound(NotFound):
    """The tenant has set no key for the provider."""

    code = "provider_key_not_found"

    def __init__(self) -> None:
        super().__init__("The tenant has no key of its own for this provider.", field="path.provider")


class UnsuitableAddress(Unprocessable):
    """The provider's address cannot be used."""

    code = "unsuitable_provider_address"


class UnsuitableKey(Unprocessable):
    """The key holds characters that no header takes."""

    code = "unsuitable_provider_key"


class ProviderKeyService:
    def __init__(self, table: Table, secrets: Secrets, principal: Principal, *, allow_private: bool) -> None:
        self._table = table
        self._secrets = secrets
        self._principal = principal
        self._tenant_id = principal.tenant_id
        self._allow_private = allow_private

    async def set(self, provider: str, key: str, base_url: str | None) -> Item:
        """Keep a key in the place of the one before; raises `ProviderUnknown` or `Unprocessable`."""
        _check(provider)
        problem = accounts.problem_with(base_url, allow_private=self._allow_private) if base_url is not None else None
        if (
            problem is None
            and base_url is not None
            and (key in base_url or await asyncio.to_thread(clean, base_url) != base_url)
        ):
            # The address is shown to whoever lists the keys.
            problem = "The address holds a secret: give the key as `key` alone."
        if problem is not None:
            raise UnsuitableAddress(problem, field="body.base_url")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise UnsuitableKey("A key is printable ASCII without blanks.", field="body.key")
        cipher = await self._secrets.encrypt(
            accounts.sealed(key, base_url), tenant_id=self._tenant_id, resource_id=accounts.resource_of(provider)
        )
        ending = key[-_ENDING:] if len(key) >= _LONG_ENOUGH else ""
        item = accounts.item_of(self._tenant_id, provider, cipher, base_url, ending, self._principal.actor_id, now())
        await self._table.write(Put(item, overwrite=True))
        return item

    async def list(self) -> Sequence[Item]:
        """Return what is known of the keys."""
        found = [await self._table.get(keys.provider_key(self._tenant_id, provider)) for provider in PROVIDERS]
        return [{"base_url": None, **item} for item in found if item is not None]

    async def delete(self, provider: str) -> None:
        """Remove a key; raises `ProviderUnknown` or `ProviderKeyNotFound`."""
        _check(provider)
        try:
            await self._table.write(
                Delete(keys.provider_key(self._tenant_id, provider), condition="attribute_exists(#pk)")
            )
        except ConditionFailed:
            raise ProviderKeyNotFound from None


def _check(provider: str) -> None:
    if provider not in PROVIDERS:
        raise ProviderUnknown
