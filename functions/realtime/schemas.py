"""Tickets and events as callers see them."""

from typing import Any

from pydantic import BaseModel, Field, JsonValue

from realtime.model import Told

_TOPIC = "document:doc_01k9zq3v7m8x2c4b6n0d1f5g7h"


class RealtimeTicket(BaseModel):
    """Leave to open one connection, within a minute."""

    ticket: str = Field(examples=["rtt_01k9zq3v7m8x2c4b6n0d1f5g7h_..."])
    url: str = Field(
        description="Connect to it with a WebSocket.", examples=["wss://live.example.org/live?ticket=rtt_..."]
    )
    expires_at: str = Field(description="UTC, ISO 8601.", examples=["2026-01-31T12:01:00.000Z"])


class TopicEvent(BaseModel):
    """Something that happened. `data` is how the resource stood then."""

    sequence: int = Field(description="Counts the topic's events.", examples=[8])
    type: str = Field(examples=["document.changed"])
    at: str = Field(description="UTC, ISO 8601.", examples=["2026-01-31T12:00:00.000Z"])
    resource_id: str = Field(examples=["doc_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    data: dict[str, JsonValue] = Field(examples=[{"state": "ready"}])

    @classmethod
    def of(cls, told: Told) -> "TopicEvent":
        shown: dict[str, Any] = told.shown
        return cls.model_validate(shown)


class TopicEventList(BaseModel):
    """A topic's events, oldest first."""

    topic: str = Field(examples=[_TOPIC])
    items: list[TopicEvent]
    after: int = Field(description="Send it as `after` to go on behind these.", examples=[8])
