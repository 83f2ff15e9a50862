"""Accounts at providers of models: a tenant's own where it has set a key, the deployment's otherwise.

What a tenant names as a provider's address is called from here, so it is a wall, too: https, no redirects, and each
connection goes only where `almanac.hosts` allows.
"""

import asyncio
import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from almanac import tenancy
from almanac.aws import keys
from almanac.aws.secrets import BrokenEnvelope, Secrets
from almanac.aws.table import Item, Table
from almanac.embeddings.base import refuse_network
from almanac.errors import TerminalError
from almanac.hosts import RefusedHost, looks_public, resolve

if TYPE_CHECKING:
    import httpx

PROVIDERS = ("openai",)
CACHE_SECONDS = 60.0
"""So long a key that was changed or removed may still be used."""
_CACHE_LIMIT = 256


@dataclass(frozen=True)
class Account:
    """Where a provider is called, and with which key. `own`: the tenant's, so the address is not the operator's."""

    base_url: str
    api_key: str | None = field(default=None, repr=False)
    own: bool = False

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.api_key}"} if self.api_key else {}

    def url(self, path: str) -> str:
        return f"{self.base_url.rstrip('/')}{path}"


AccountSource = Callable[[], Awaitable[Account]]
"""Returns the account to call with, for whichever tenant the work at hand is."""


def fixed(base_url: str, api_key: str | None) -> AccountSource:
    """Return the source of one account for everybody."""

    async def account() -> Account:
        return Account(base_url, api_key)

    return account


class Accounts:
    """The accounts of tenants, as they set them. `default` is the deployment's, by provider.

    `secrets` is asked for with the first key that a tenant has: functions that call no provider need none.
    """

    def __init__(
        self,
        table: Table,
        secrets: Callable[[], Secrets],
        default: dict[str, Account],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._table = table
        self._secrets = secrets
        self._default = default
        self._clock = clock
        self._known: OrderedDict[tuple[str, str], tuple[Account, float]] = OrderedDict()

    def of(self, provider: str) -> AccountSource:
        """Return what tells the account at a provider of the tenant that the work at hand is for."""
        return partial(self._current, provider)

    async def _current(self, provider: str) -> Account:
        tenant_id = tenancy.bound()
        if tenant_id is None:
            return self._default[provider]
        name = (tenant_id, provider)
        known = self._known.get(name)
        if known is not None and self._clock() < known[1]:
            self._known.move_to_end(name)
            return known[0]
        account = await self._read(tenant_id, provider)
        self._known[name] = (account, self._clock() + CACHE_SECONDS)
        self._known.move_to_end(name)
        while len(self._known) > _CACHE_LIMIT:
            self._known.popitem(last=False)
        return account

    async def _read(self, tenant_id: str, provider: str) -> Account:
        item = await self._table.get(keys.provider_key(tenant_id, provider))
        default = self._default[provider]
        if item is None:
            return default
        try:
            resource_id = resource_of(provider)
            plain = await self._secrets().decrypt(item["cipher"], tenant_id=tenant_id, resource_id=resource_id)
        except BrokenEnvelope:
            raise TerminalError("provider_key_unreadable", f"the tenant's key for {provider} cannot be read") from None
        # The address is in the envelope, too: whoever could change the item could have the key sent elsewhere.
        opened = json.loads(plain)
        return Account(opened.get("base_url") or default.base_url, opened["key"], own=True)


def sealed(key: str, base_url: str | None) -> str:
    """Return what the envelope of a key holds."""
    return json.dumps({"key": key, "base_url": base_url})


def resource_of(provider: str) -> str:
    """Return what an envelope of a provider's key is bound to, beside the tenant."""
    return f"provider:{provider}"


def problem_with(base_url: str, *, allow_private: bool) -> str | None:
    """Return why an address cannot be used, or None. `allow_private` (the local stage) lets loopback and http pass."""
    try:
        parts = urlsplit(base_url)
        host = (parts.hostname or "").lower()
        _ = parts.port
    except ValueError:
        return "This is not an address."
    if not host or not base_url.isascii() or not base_url.isprintable() or " " in base_url or "\\" in base_url:
        return "The address names no host, or holds characters that an address cannot."
    if parts.scheme != "https" and not (allow_private and parts.scheme == "http"):
        return "Use an https:// address."
    if "@" in parts.netloc or "?" in base_url or "#" in base_url:
        return "Leave user names and everything after '?' or '#' out of the address."
    if not allow_private and (host.endswith(".") or not looks_public(host)):
        return "This host is private or reserved; use a public one."
    return None


class Calls:
    """The HTTP clients of an adapter: one for the operator's address, and one behind the wall for tenants' own."""

    def __init__(self, seconds: float, transport: "httpx.AsyncBaseTransport | None", *, allow_private: bool) -> None:
        self._seconds = seconds
        self._transport = transport
        self._allow_private = allow_private
        self._plain: httpx.AsyncClient | None = None
        self._walled: httpx.AsyncClient | None = None

    async def post(self, account: Account, path: str, body: dict[str, Any]) -> "httpx.Response":
        """Send a request as the account; raises what httpx does."""
        url = account.url(path)
        if self._transport is None:
            refuse_network(url)
        client = await self._client(account)
        return await client.post(url, json=body, headers=account.headers)

    async def _client(self, account: Account) -> "httpx.AsyncClient":
        if account.own and self._transport is None:
            if self._walled is None:
                make = partial(walled_client, seconds=self._seconds, allow_private=self._allow_private)
                self._walled = await asyncio.to_thread(make)
            return self._walled
        if self._plain is None:
            import httpx

            self._plain = httpx.AsyncClient(transport=self._transport, timeout=self._seconds)
        return self._plain


def seconds_to_wait(answer: "httpx.Response", otherwise: float) -> float:
    """Return how many seconds a busy provider asks to be left alone; `otherwise` where it names no number."""
    header = answer.headers.get("retry-after")
    try:
        return max(0.0, float(header)) if header else otherwise
    except ValueError:  # a date
        return otherwise


def walled_client(*, seconds: float, allow_private: bool) -> "httpx.AsyncClient":
    """Return a client that follows no redirects, takes no proxies, and connects to public addresses only."""
    import httpcore
    import httpx
    from httpcore._backends.auto import AutoBackend  # what httpcore itself uses, and does not export

    class Wall(AutoBackend):
        async def connect_tcp(
            self,
            host: str,
            port: int,
            timeout: float | None = None,  # noqa: ASYNC109 - the backend's own signature
            local_address: str | None = None,
            socket_options: Iterable[Any] | None = None,
        ) -> Any:
            try:
                ((_, address), *_) = await asyncio.to_thread(resolve, host, port, allow_private=allow_private)
            except (RefusedHost, OSError, ValueError) as error:
                raise httpcore.ConnectError(f"{host} is not to be reached") from error
            return await super().connect_tcp(address, port, timeout, local_address, socket_options)

    transport = httpx.AsyncHTTPTransport(trust_env=False)
    # httpx offers no other way to give a transport its network; the version is pinned, and a test holds it to this.
    transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001
        ssl_context=httpx.create_ssl_context(trust_env=False), network_backend=Wall()
    )
    return httpx.AsyncClient(transport=transport, timeout=seconds, trust_env=False, follow_redirects=False)


def item_of(tenant_id: str, provider: str, cipher: bytes, base_url: str | None, ending: str, by: str, at: str) -> Item:
    """Return the item of a key. `ending` is what people may see of it."""
    return {
        **keys.provider_key(tenant_id, provider).as_dict(),
        "entity": "provider_key",
        "provider": provider,
        "cipher": cipher,
        "base_url": base_url,
        "ending": ending,
        "set_by": by,
        "set_at": at,
    }
