"""Whether those who follow something may still read, and what is hidden from them: looked up again all the time.

A connection lives longer than the call that opened it. Before anything is told on one, this says who its caller is now:
somebody who was taken out of the tenant or has signed out, or whose key ended, is nobody.
"""

import time
from collections import OrderedDict
from dataclasses import dataclass

from almanac.access import ROLES, Permission, Principal, Role, read
from almanac.aws import keys
from almanac.aws.table import Item, Table
from almanac.clock import now
from almanac.visible import Sight
from realtime.model import Actor

REMEMBERED_SECONDS = 20
"""Events that happen within this time are told by one look."""
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True)
class View:
    """A caller who may read, and the private projects and collections that it does not see."""

    principal: Principal
    hidden: frozenset[str]

    def sees(self, owners: tuple[str, ...]) -> bool:
        return self.hidden.isdisjoint(owners)


class Standings:
    """Looks callers up in the table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: OrderedDict[tuple[str, Actor], tuple[float, View | None]] = OrderedDict()

    async def lately(self, tenant_id: str, actor: Actor, *, anew: bool = False) -> View | None:
        """Return how a caller stood at most `REMEMBERED_SECONDS` ago, or stands now; None when it may not read."""
        known = (tenant_id, actor.actor)
        until, view = self._known.get(known, (0.0, None))
        if time.monotonic() < until and not anew:
            return view
        until = time.monotonic() + REMEMBERED_SECONDS
        view = await self.view(tenant_id, actor)
        self._known[known] = (until, view)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return view

    async def view(self, tenant_id: str, actor: Actor) -> View | None:
        """Return how a caller stands now."""
        principal = await self.principal(tenant_id, actor)
        if principal is None:
            return None
        return View(principal, (await Sight(self._table, principal).access()).hidden)

    async def principal(self, tenant_id: str, actor: Actor) -> Principal | None:
        """Return who a caller is now, or None when it may not read."""
        if actor.key_id is None:
            principal = await self._member(tenant_id, actor.actor_id, actor.session_id)
        else:
            principal = await self._key(tenant_id, actor.actor_id, actor.key_id)
        return principal if principal is not None and principal.may(Permission.CONTENT_READ) else None

    async def _member(self, tenant_id: str, person_id: str, session_id: str | None) -> Principal | None:
        item = await self._table.get(keys.member(tenant_id, person_id))
        if item is None or (session_id and await self._has_ended(person_id, session_id)):
            return None
        role = Role(item["role"])
        return Principal(tenant_id, person_id, ROLES[role], role=role)

    async def _has_ended(self, person_id: str, session_id: str) -> bool:
        """Tell whether a person has signed out of a session; of another issuer's there is no row."""
        session = await self._table.get(keys.person_session(person_id, session_id))
        return session is not None and "ended_at" in session

    async def _key(self, tenant_id: str, actor_id: str, key_id: str) -> Principal | None:
        item = await self._key_item(tenant_id, key_id)
        if item is None or item.get("disabled") or item.get("ends_at", "9") <= now():
            return None
        return Principal(tenant_id, actor_id, read(item["scopes"]), key_id=key_id)

    async def _key_item(self, tenant_id: str, key_id: str) -> Item | None:
        """Return a key as it is now: the index that finds it by its id lags behind."""
        page = await self._table.query(keys.api_keys(tenant_id), index=keys.CHILDREN_INDEX, prefix=key_id, limit=1)
        if not page.items:
            return None
        return await self._table.get(keys.Key(page.items[0]["pk"], page.items[0]["sk"]))
