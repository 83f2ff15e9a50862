"""Messages over HTTP."""

import asyncio
from typing import Annotated, cast

from fastapi import APIRouter, Query, Response

from almanac.access import Permission
from almanac.errors import Busy, Unprocessable, VersionConflict
from almanac.ids import id_pattern
from almanac.limits.quotas import QuotaExceeded
from almanac.text.secrets import clean
from almanac.web.app import API_PREFIX
from almanac.web.auth import Editor, Reader
from almanac.web.idempotency import IdempotencyKey, IdempotencyKeyReused
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from projects import wiring
from projects.errors import CheckpointNotFound, DuplicateContent, MessageNotFound
from projects.schemas.messages import (
    Message,
    MessageAccepted,
    MessageCreate,
    MessageList,
    MessageSummary,
    MessageUpdate,
)
from projects.services.messages import MessageChanges

router = APIRouter(tags=["messages"])

OfCheckpoint = Annotated[
    str,
    Query(pattern=id_pattern("chk"), description="The checkpoint.", examples=["chk_01k9zq3v7m8x2c4b6n0d1f5g7h"]),
]


@router.post(
    "/messages",
    status_code=201,
    response_model=MessageAccepted,
    responses={
        200: {"model": MessageAccepted, "description": "The checkpoint has a message with this content"},
        **problem_responses(CheckpointNotFound, QuotaExceeded, Unprocessable, IdempotencyKeyReused, Busy),
    },
)
async def create_message(
    principal: Editor, body: MessageCreate, response: Response, idempotency_key: IdempotencyKey = None
) -> MessageAccepted:
    """Add a message to a checkpoint; search finds it a moment later."""
    accepted = await wiring.messages(principal).create(
        body.checkpoint_id,
        body.content,
        body.author,
        body.metadata,
        body.occurred(),
        idempotency_key,
        body.model_dump_json(),
    )
    response.status_code = 201 if accepted.status == "created" else 200
    response.headers["location"] = f"{API_PREFIX}/messages/{accepted.id}"
    return MessageAccepted(id=accepted.id, status=accepted.status)


@router.get(
    "/messages",
    response_model=MessageList,
    responses=problem_responses(InvalidCursor, CheckpointNotFound, Unprocessable),
)
async def list_messages(
    principal: Reader, checkpoint_id: OfCheckpoint, limit: Limit = 50, cursor: Cursor = None
) -> MessageList:
    """List a checkpoint's messages, oldest first, with the beginning of each."""
    listing = f"messages?checkpoint_id={checkpoint_id}"
    after = await wiring.cursor_secrets().start_after(principal.tenant_id, listing, cursor)
    page = await wiring.messages(principal).list(checkpoint_id, limit, after)
    items = await asyncio.to_thread(lambda: [MessageSummary.of(record) for record in page.records])
    return MessageList(
        items=items,
        next_cursor=await wiring.cursor_secrets().next_cursor(principal.tenant_id, listing, page.next_id),
    )


@router.get("/messages/{message_id}", response_model=Message, responses=problem_responses(MessageNotFound))
async def get_message(principal: Reader, message_id: str) -> Message:
    """Show a message with its whole content; secrets in it only to those who may change it."""
    message, content = await wiring.messages(principal).get(message_id)
    shown = content if principal.may(Permission.CONTENT_WRITE) else await asyncio.to_thread(clean, content)
    return Message.of(message, shown)


@router.patch(
    "/messages/{message_id}",
    response_model=Message,
    responses=problem_responses(MessageNotFound, VersionConflict, DuplicateContent, Unprocessable, Busy),
)
async def update_message(principal: Editor, message_id: str, body: MessageUpdate) -> Message:
    """Change a message; search finds the new version a moment later."""
    changes = cast("MessageChanges", body.changes())
    return Message.of(*await wiring.messages(principal).update(message_id, body.version, changes))


@router.delete(
    "/messages/{message_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(MessageNotFound, VersionConflict, Busy),
)
async def delete_message(principal: Editor, message_id: str) -> None:
    """Delete a message; it is gone at once, also from search."""
    await wiring.messages(principal).delete(message_id)
