"""Tickets for connections, and the same events for who polls."""

import asyncio
from dataclasses import dataclass
from time import monotonic

from almanac.access import Principal
from almanac.aws.table import Table
from almanac.clock import iso
from almanac.visible import Sight
from realtime import tickets, topics
from realtime.connections import ConnectionStore
from realtime.log import TopicLog
from realtime.model import Actor, Told
from realtime.telling import seen
from realtime.topics import Topic

_LOOK_SECONDS = 0.5
"""How often a call that waits looks whether there is something."""


@dataclass(frozen=True)
class NewTicket:
    """A ticket in clear, the address to connect to with it, and until when."""

    ticket: str
    url: str
    expires_at: str


@dataclass(frozen=True)
class Tickets:
    """Makes tickets of one caller."""

    table: Table
    url: str
    principal: Principal

    async def create(self) -> NewTicket:
        """Return a ticket that opens one connection."""
        ticket = tickets.create(self.principal.tenant_id)
        store = ConnectionStore(self.table, self.principal.tenant_id)
        expires_at = await store.admit(Actor.of(self.principal), tickets.digest(ticket))
        return NewTicket(ticket, f"{self.url}?ticket={ticket}", iso(expires_at))


@dataclass(frozen=True)
class Page:
    """Some of a topic's events; the next come after `last`."""

    told: list[Told]
    last: int


@dataclass(frozen=True)
class Events:
    """Reads topics for one caller."""

    table: Table
    principal: Principal

    async def after(self, name: str, sequence: int | None, limit: int, wait: float) -> Page:
        """Return the events after `sequence`, or all that are kept; waits up to `wait` seconds while there are none.

        Raises `TopicNotFound` or `EventsGone`.
        """
        topic, sight = Topic.parse(name), Sight(self.table, self.principal)
        await topics.check(self.table, self.principal.tenant_id, topic, sight)
        log = TopicLog(self.table, self.principal.tenant_id)
        position = await log.oldest(name) - 1 if sequence is None else sequence
        until = monotonic() + wait
        while True:
            told = await log.after(name, position, limit)
            shown = await seen(self.table, self.principal.tenant_id, told, sight)
            position = told[-1].sequence if told else position
            if shown or monotonic() + _LOOK_SECONDS > until:
                return Page(shown, position)
            if not told:
                await asyncio.sleep(_LOOK_SECONDS)
