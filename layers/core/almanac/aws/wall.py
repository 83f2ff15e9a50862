"""The second wall: a tenant's data is touched under credentials that are made out to that tenant alone.

A function's own role grants no tenant's data. Its data role does, to sessions tagged with a tenant (`tenant`), and only
that tenant's. One client per service serves all: it asks here, each time it signs, for the credentials of the tenant
that the current task is bound to (`almanac.tenancy`). Bound to none, it signs as the function itself, which fails.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

from almanac import tenancy
from almanac.errors import Unavailable
from almanac.observability import log_failure

TAG = "tenant"
CLOSED = "The tenant's data cannot be reached at the moment: try again."
SESSION_SECONDS = 3600
"""The most that AWS gives to a role which assumes another."""
_RENEW_SECONDS = 600
_UNUSABLE_SECONDS = 30
_MOST_SESSIONS = 1000

_lasting: ContextVar[float] = ContextVar("lasting", default=_UNUSABLE_SECONDS)


@contextmanager
def lasting(seconds: float) -> Iterator[None]:
    """Sign with sessions that last as long as this at least: an address signed with one ends when the session does."""
    token = _lasting.set(seconds)
    try:
        yield
    finally:
        _lasting.reset(token)


class WallClosed(Unavailable):
    """No credentials for the tenant could be had."""

    code = "store_unavailable"


@dataclass(frozen=True)
class Session:
    """Credentials as a client signs with them, and when they end in seconds since 1970."""

    credentials: Any
    expires_at: float


Assume = Callable[[str], Awaitable[Session]]
"""Have a session made out to a tenant."""


class Sessions:
    """The sessions of the tenants that an environment works for, the least recently used given up first.

    A session is renewed while it still serves, so only a tenant's first call waits for one.
    """

    def __init__(self, assume: Assume, *, most: int = _MOST_SESSIONS) -> None:
        self._assume = assume
        self._most = most
        self._held: OrderedDict[str, Session] = OrderedDict()
        self._renewing: dict[str, asyncio.Task[Session]] = {}

    async def of(self, tenant_id: str) -> Any:
        """Return the tenant's credentials; raises `WallClosed`."""
        session = self._held.get(tenant_id)
        left = session.expires_at - time.time() if session is not None else 0.0
        if session is None or left < _lasting.get():
            try:
                session = await asyncio.shield(self._renewal(tenant_id))
            except Exception as error:
                raise WallClosed(CLOSED) from error
        else:
            self._held.move_to_end(tenant_id)
            if left < _RENEW_SECONDS:
                self._renewal(tenant_id)
        return session.credentials

    def _renewal(self, tenant_id: str) -> asyncio.Task[Session]:
        """Return the one renewal that is on its way; whoever waits for it may be cancelled without ending it."""
        task = self._renewing.get(tenant_id)
        if task is None:
            task = self._renewing[tenant_id] = asyncio.ensure_future(self._renew(tenant_id))
            task.add_done_callback(partial(self._settle, tenant_id))
        return task

    async def _renew(self, tenant_id: str) -> Session:
        session = await self._assume(tenant_id)
        self._held[tenant_id] = session
        self._held.move_to_end(tenant_id)
        while len(self._held) > self._most:
            self._held.popitem(last=False)
        return session

    def _settle(self, tenant_id: str, task: asyncio.Task[Session]) -> None:
        del self._renewing[tenant_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log_failure("no session for a tenant", error, tenant_id=tenant_id)


class BoundCredentials:
    """What a client of tenants' data signs with: botocore asks before each request, in the task that makes it."""

    method = "assume-role"

    def __init__(self, sessions: Sessions, own: Callable[[], Awaitable[Any]]) -> None:
        self._sessions = sessions
        self._own = own

    def get_account_id(self) -> None:
        """Name no account: a client with one would take an endpoint of the account's own."""

    def get_deferred_property(self, _: str) -> Callable[[], None]:
        """Return how botocore asks for the account."""
        return self.get_account_id

    async def get_frozen_credentials(self) -> Any:
        """Return the credentials of the bound tenant, else the function's own."""
        tenant_id = tenancy.bound()
        if tenant_id is not None:
            return await self._sessions.of(tenant_id)
        own = await self._own()
        return await own.get_frozen_credentials() if own is not None else None

    async def load_credentials(self) -> "BoundCredentials":
        """Answer as botocore's provider of credentials."""
        return self


async def assume(sts: Any, role_arn: str, tenant_id: str) -> Session:
    """Ask STS for a session of the data role, tagged with the tenant."""
    from botocore.credentials import ReadOnlyCredentials

    answer = await sts.assume_role(
        RoleArn=role_arn,
        RoleSessionName=tenant_id,
        DurationSeconds=SESSION_SECONDS,
        Tags=[{"Key": TAG, "Value": tenant_id}],
    )
    given = answer["Credentials"]
    frozen = ReadOnlyCredentials(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
    return Session(frozen, given["Expiration"].timestamp())
