"""What a connection's caller asks for, frame by frame, and what it is told in answer.

Answers go the way that events go, so that they arrive in order with them: a topic's `subscribed` comes before the first
of its events.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from almanac.access import Principal
from almanac.aws.table import Table
from almanac.errors import AppError
from almanac.limits.admission import RateLimited
from almanac.visible import Sight
from realtime import frames, topics
from realtime.connections import ConnectionStore
from realtime.errors import ConnectionGone, InvalidFrame, TopicBusy, TopicNotFound
from realtime.gateway import Gateway, Posted
from realtime.log import TopicLog
from realtime.model import Connection
from realtime.standing import Standings
from realtime.telling import seen
from realtime.topics import Topic

SECONDS = 15.0
"""How long events are told again for one frame; who is not through by then asks once more."""
_PAGE = 100
_LONGEST_TOPIC = 100


class _Frame(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Subscribe(_Frame):
    """Follow a topic: from now on, or after the last sequence that the caller has of it."""

    action: Literal["subscribe"]
    topic: str = Field(max_length=_LONGEST_TOPIC)
    resume_from: int | None = Field(default=None, ge=0, le=2**53)


class Unsubscribe(_Frame):
    action: Literal["unsubscribe"]
    topic: str = Field(max_length=_LONGEST_TOPIC)


class Ping(_Frame):
    action: Literal["ping"]


Frame = Subscribe | Unsubscribe | Ping
_frame: TypeAdapter[Frame] = TypeAdapter(Annotated[Frame, Field(discriminator="action")])


@dataclass(frozen=True)
class Talk:
    """One tenant's open connections, as the socket's function sees them. `admit` spends a frame, as a call is spent."""

    table: Table
    gateway: Gateway
    standings: Standings
    tenant_id: str
    admit: Callable[[Principal], Awaitable[None]]

    async def answer(self, connection_id: str, body: str) -> None:
        """Do what a frame asks for. A connection that is closed or whose caller may not read any more ends with it."""
        store = ConnectionStore(self.table, self.tenant_id)
        connection = await store.get(connection_id)
        try:
            principal = await self.standings.principal(self.tenant_id, connection) if connection else None
            if connection is None or principal is None:
                raise ConnectionGone
            await self.admit(principal)
            await self._do(connection, principal, _read(body))
        except ConnectionGone:
            await self._end(store, connection_id)
        except RateLimited as error:
            # Whoever opens another connection spends of the same calls: nobody can take all that the gateway has.
            await self.gateway.post(connection_id, frames.error(error.code, error.detail))
            await self._end(store, connection_id)
        except AppError as error:
            topic = {"topic": named} if (named := _topic_in(body)) else {}
            await self._say(connection_id, frames.error(error.code, error.detail, **topic, **error.extra))

    async def _do(self, connection: Connection, principal: Principal, frame: Frame) -> None:
        match frame:
            case Ping():
                await self._say(connection.connection_id, frames.pong())
                await self._look_after(connection, principal)
            case Unsubscribe():
                await ConnectionStore(self.table, self.tenant_id).forget(connection, frame.topic)
                await self._say(connection.connection_id, frames.unsubscribed(frame.topic))
            case Subscribe():
                await self._follow(connection, principal, Topic.parse(frame.topic), frame.resume_from)

    async def _look_after(self, connection: Connection, principal: Principal) -> None:
        """Give up topics that the caller does not see any more, and say so: there is no event to say it."""
        sight = Sight(self.table, principal)
        for name in connection.topics:
            try:
                await topics.check(self.table, self.tenant_id, Topic.parse(name), sight)
            except TopicNotFound as error:
                await ConnectionStore(self.table, self.tenant_id).forget(connection, name)
                await self._say(connection.connection_id, frames.error(error.code, error.detail, topic=name))

    async def _follow(
        self, connection: Connection, principal: Principal, topic: Topic, resume_from: int | None
    ) -> None:
        """Tell a topic's events after `resume_from`, until there is none that was not told: then the tellers go on."""
        sight, store = Sight(self.table, principal), ConnectionStore(self.table, self.tenant_id)
        await topics.check(self.table, self.tenant_id, topic, sight)
        log = TopicLog(self.table, self.tenant_id)
        position = await log.head(topic.name) if resume_from is None else resume_from
        told = [] if resume_from is None else await log.after(topic.name, position, _PAGE)
        if topic.name in connection.topics:
            # Who follows it already is told nothing by others while it is told here what it asks for.
            await store.unfollow(connection.connection_id, topic.name)
        await self._say(connection.connection_id, frames.subscribed(topic.name, position))
        until = monotonic() + SECONDS
        while True:
            shown = await seen(self.table, self.tenant_id, told, sight)
            for text in frames.events(topic.name, shown):
                await self._say(connection.connection_id, text)
            position = told[-1].sequence if told else position
            if len(told) < _PAGE and await store.follow(connection, topic.name, position):
                return
            if monotonic() > until:
                raise TopicBusy
            told = await log.after(topic.name, position, _PAGE)

    async def _end(self, store: ConnectionStore, connection_id: str) -> None:
        await self.gateway.close(connection_id)
        await store.remove(connection_id)

    async def _say(self, connection_id: str, text: str) -> None:
        if await self.gateway.post(connection_id, text) is not Posted.DELIVERED:
            raise ConnectionGone


def _read(body: str) -> Frame:
    try:
        return _frame.validate_json(body)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part not in {"subscribe", "unsubscribe", "ping"})
        raise InvalidFrame(f"{where or 'frame'}: {first['msg']}"[:300]) from None


def _topic_in(body: str) -> str | None:
    """Return the topic that a frame is about, so that an error says which of several requests it answers."""
    try:
        topic = json.loads(body).get("topic")
    except (ValueError, AttributeError):
        return None
    return topic[:_LONGEST_TOPIC] if isinstance(topic, str) else None
