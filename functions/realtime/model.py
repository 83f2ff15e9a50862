"""The slice's records, and the one place where each becomes an item and is read back.

A topic's events are numbered from 1 without a gap. Whatever is kept of one lies in the topic's partition: its head (how
many events there were), the events, the newest state of each resource, and who follows it.
"""

import json
import time
from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, JsonValue

from almanac.access import Principal
from almanac.aws import keys
from almanac.aws.table import Item
from almanac.events import Happened

KEPT_SECONDS = 7 * 86_400
"""How long an event can be read again."""
CONNECTED_SECONDS = 2 * 3600 + 600
"""API Gateway ends a connection after two hours; what is left of one expires a little later."""
TICKET_SECONDS = 60
MAX_TOPICS = 50
"""What one connection may follow."""
MAX_FRAME_BYTES = 32 * 1024
"""What API Gateway takes as one frame of a WebSocket; a longer text may end the connection (code 1009)."""
MAX_EVENT_BYTES = MAX_FRAME_BYTES - 512
"""What one event may take in a frame, beside what stands around it; of a larger one the data are left out."""


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate(item)


class Told(Record):
    """An event of a topic. `text` is what its followers receive, as JSON; `owners` who must be seen to receive it."""

    topic: str
    sequence: int
    owners: tuple[str, ...] = ()
    text: str
    expires_at: int

    @property
    def shown(self) -> dict[str, JsonValue]:
        shown: dict[str, JsonValue] = json.loads(self.text)
        return shown

    @property
    def resource_id(self) -> str:
        return str(self.shown["resource_id"])

    @classmethod
    def of(cls, event: Happened, topic: str, sequence: int) -> Self:
        """Return an event as the topic tells it, within `MAX_EVENT_BYTES`."""
        shown = {"sequence": sequence, "type": event.type, "at": event.at, "resource_id": event.resource_id}
        text = _json({**shown, "data": event.data})
        if len(text.encode()) > MAX_EVENT_BYTES:
            text = _json({**shown, "data": {"left_out": "too_large"}})
        expires_at = int(time.time()) + KEPT_SECONDS
        return cls(topic=topic, sequence=sequence, owners=event.owners, text=text, expires_at=expires_at)

    def of_the_deleted(self) -> Self:
        """Return an event as it is told when what it is about was deleted: its number stays, what it said does not."""
        return self.model_copy(update={"text": _json({**self.shown, "data": {"left_out": "deleted"}})})

    def to_item(self, tenant_id: str) -> Item:
        key = keys.topic_event(tenant_id, self.topic, self.sequence)
        return {**key.as_dict(), "entity": "topic_event", **self.model_dump()}


class Actor(Record):
    """Who follows something: a person in a session of its, or a key with whoever it belongs to."""

    actor_id: str
    key_id: str | None = None
    session_id: str | None = None

    @classmethod
    def of(cls, principal: Principal) -> Self:
        return cls(actor_id=principal.actor_id, key_id=principal.key_id, session_id=principal.session_id)

    @property
    def actor(self) -> "Actor":
        """Who follows, without how."""
        return Actor(actor_id=self.actor_id, key_id=self.key_id, session_id=self.session_id)


class Ticket(Actor):
    """Leave to open one connection. `expires_at` is in epoch seconds."""

    expires_at: int

    def to_item(self, tenant_id: str, ticket_sha256: str) -> Item:
        return {**keys.ticket(tenant_id, ticket_sha256).as_dict(), "entity": "ticket", **self.model_dump()}


class Connection(Actor):
    """An open connection and the topics that it follows. `change` counts the writes to it."""

    connection_id: str
    topics: list[str] = []
    change: int = 1
    opened_at: str
    expires_at: int

    def to_item(self, tenant_id: str) -> Item:
        key = keys.connection(tenant_id, self.connection_id)
        return {**key.as_dict(), "entity": "connection", **self.model_dump()}


class Follower(Actor):
    """A connection that has a topic's events up to `after`, and receives the later ones when they happen."""

    connection_id: str
    after: int
    expires_at: int

    def to_item(self, tenant_id: str, topic: str) -> Item:
        key = keys.topic_follower(tenant_id, topic, self.connection_id)
        return {**key.as_dict(), "entity": "follower", **self.model_dump()}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
