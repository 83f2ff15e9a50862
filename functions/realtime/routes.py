"""Tickets and events over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query

from almanac.web.auth import Reader
from almanac.web.pagination import Limit
from almanac.web.problems import problem_responses
from realtime import wiring
from realtime.errors import EventsGone, TopicNotFound
from realtime.schemas import RealtimeTicket, TopicEvent, TopicEventList

router = APIRouter(tags=["realtime"])

TopicName = Annotated[
    str,
    Query(
        max_length=100,
        description="`document:`, `collection:`, `project:` or `repository:`, and the id of one.",
        examples=["document:doc_01k9zq3v7m8x2c4b6n0d1f5g7h"],
    ),
]
After = Annotated[
    int | None,
    Query(ge=0, le=2**53, description="The last sequence that you have. Default: everything that is kept, 7 days."),
]
Wait = Annotated[
    float, Query(ge=0, le=20, description="How many seconds the call waits for an event while there is none.")
]


@router.post("/realtime/tickets", status_code=201, response_model=RealtimeTicket)
async def create_realtime_ticket(principal: Reader) -> RealtimeTicket:
    """Take a ticket that opens one connection of the WebSocket API, within a minute."""
    made = await wiring.tickets(principal).create()
    return RealtimeTicket(ticket=made.ticket, url=made.url, expires_at=made.expires_at)


@router.get("/events", response_model=TopicEventList, responses=problem_responses(TopicNotFound, EventsGone))
async def list_events(
    principal: Reader, topic: TopicName, after: After = None, limit: Limit = 50, wait: Wait = 0
) -> TopicEventList:
    """Read what happened about something: the events that the WebSocket API sends, by polling."""
    page = await wiring.events(principal).after(topic, after, limit, wait)
    return TopicEventList(topic=topic, items=[TopicEvent.of(told) for told in page.told], after=page.last)
