"""Telling what happened: each event gets its number in each of its topics, and goes to who follows them.

A caller who cannot be reached in time is cut off, and comes again for what it missed: whatever a connection receives of
a topic is without a gap, and one that is slow or dead holds nobody up for longer than that time.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from almanac.aws import keys
from almanac.aws.table import Table
from almanac.events import ACCESS_ENDED, Happened
from almanac.ids import is_id
from almanac.visible import Sight
from realtime import frames, topics
from realtime.connections import ConnectionStore
from realtime.gateway import Gateway, Posted
from realtime.log import TopicLog
from realtime.model import Connection, Follower, Told
from realtime.standing import Standings, View

AT_ONCE = 32
"""Posts on their way at the same time."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Teller:
    """Tells the followers of topics."""

    table: Table
    gateway: Gateway
    standings: Standings

    async def tell(self, event: Happened) -> None:
        """Number an event in its topics, then send it; the same event again keeps its numbers and is sent again."""
        if event.type == ACCESS_ENDED:
            await self._cut_off(event.tenant_id, event.resource_id)
            return
        log = TopicLog(self.table, event.tenant_id)
        private = await self._private(event)
        shown = [topic for topic in event.topics if topics.tells(topic, event.owners, private)]
        # All are numbered before any is sent: a failure here repeats nothing.
        told = await _all(log.append(event, topic) for topic in shown)
        slots = asyncio.Semaphore(AT_ONCE)
        await _all(self._send(event.tenant_id, each, private, slots) for each in told if each is not None)

    async def give_up(self, event: Happened) -> None:
        """Cut off who follows a topic in which an event has a number and may not have been sent: it comes for it."""
        store, log = ConnectionStore(self.table, event.tenant_id), TopicLog(self.table, event.tenant_id)
        for topic in event.topics:
            for follower in await store.followers(topic) if await log.has(event, topic) else []:
                await self._end(store, follower, topic)

    async def _cut_off(self, tenant_id: str, actor_id: str) -> None:
        """Close the connections of somebody who may not read any more."""
        store = ConnectionStore(self.table, tenant_id)
        async for row in self.table.query_all(keys.connections(tenant_id)):
            connection = Connection.from_item(row)
            ended = connection.actor_id == actor_id and await self.standings.principal(tenant_id, connection) is None
            if ended:
                await self.gateway.close(connection.connection_id)
                await store.remove(connection.connection_id)

    async def _private(self, event: Happened) -> frozenset[str]:
        """Return which of an event's owners are private now."""
        if not event.owners:
            return frozenset()
        rows = [keys.private_project(event.tenant_id, owner) for owner in event.owners]
        found = await asyncio.gather(*(self.table.get(row) for row in rows))
        return frozenset(owner for owner, row in zip(event.owners, found, strict=True) if row is not None)

    async def _send(self, tenant_id: str, told: Told, private: frozenset[str], slots: asyncio.Semaphore) -> None:
        store = ConnectionStore(self.table, tenant_id)
        followers = [each for each in await store.followers(told.topic) if each.after < told.sequence]
        if not followers:
            return
        # One look for all connections of a caller; where only some may see it, none of an earlier time will do.
        actors = {each.actor for each in followers}
        anew = not private.isdisjoint(told.owners)
        seen_by = await _all(self.standings.lately(tenant_id, each, anew=anew) for each in actors)
        views = dict(zip(actors, seen_by, strict=True))
        (text,) = frames.events(told.topic, [told])

        async def one(follower: Follower) -> None:
            async with slots:
                view = views[follower.actor]
                await self._reach(store, follower, view, told, text)

        await _all(one(each) for each in followers)

    async def _reach(
        self, store: ConnectionStore, follower: Follower, view: View | None, told: Told, text: str
    ) -> None:
        if view is not None and not view.sees(told.owners):
            return
        posted = await self.gateway.post(follower.connection_id, text) if view is not None else Posted.FAILED
        if posted is Posted.DELIVERED:
            return
        await self._end(store, follower, told.topic, is_open=posted is Posted.FAILED)

    async def _end(self, store: ConnectionStore, follower: Follower, topic: str, *, is_open: bool = True) -> None:
        if is_open:
            await self.gateway.close(follower.connection_id)
        # A row of a connection that is not known any more, too.
        await store.unfollow(follower.connection_id, topic)
        await store.remove(follower.connection_id)


async def _all(works: Iterable[Coroutine[Any, Any, Result]]) -> list[Result]:
    """Return what all came to. When some fail the others come to their end all the same, before the first is raised."""
    done = await asyncio.gather(*works, return_exceptions=True)
    for result in done:
        if isinstance(result, BaseException):
            raise result
    return [result for result in done if not isinstance(result, BaseException)]


async def seen(table: Table, tenant_id: str, told: Sequence[Told], sight: Sight) -> list[Told]:
    """Return what a caller may be told of what happened before: it must see each thing where it was, and is now."""
    if not told or sight.unlimited:
        return list(told)
    documents = {each.resource_id for each in told if is_id(each.resource_id, "doc")}
    places = await table.batch_get([keys.document(tenant_id, name) for name in documents], consistent=True)
    # Last, so that nothing is shown by an answer that is older than what was read.
    hidden = await sight.hidden()
    unseen = {item["id"] for item in places if hidden & {item.get("project_id"), item.get("collection_id")}}
    return [each for each in told if hidden.isdisjoint(each.owners) and each.resource_id not in unseen]
