"""A message as the index takes it in: one batch of one source, at `batch_key` in the bucket."""

import asyncio
from datetime import datetime

from almanac.aws.blobs import TRANSIENT, Blobs
from almanac.events import IndexSources, MessageOrigin
from almanac.index.manifest import Awaited
from almanac.index.sources import Citation, Kind, Source, SourceBatch
from projects.model import Message

_TITLE_CHARACTERS = 120


async def put_batch(blobs: Blobs, message: Message, content: str, *, lasting: bool = False) -> None:
    """Write a message's object: the same bytes for a version however often.

    Content that lies in the table too lets the object go after two weeks, unless it is to be `lasting`.
    """
    body = await asyncio.to_thread(batch_of(message, content).encode)
    keep = lasting or message.content is None
    await blobs.put(message.batch_key, body, tags=None if keep else TRANSIENT)


def indexing(tenant_id: str, correlation_id: str, message: Message) -> IndexSources:
    """Return what has the current version of a message indexed."""
    return IndexSources(
        tenant_id=tenant_id, correlation_id=correlation_id, batch_key=message.batch_key, origin=_origin(message)
    )


def awaited(message: Message) -> Awaited:
    """Return what lets search find the current version by its words, from its object, before it is indexed."""
    return Awaited(
        name=message.id,
        origin=_origin(message),
        batch_key=message.batch_key,
        container_id=message.checkpoint_id,
        source_id=message.source_id,
        version=message.version,
        since=message.updated_at,
    )


def batch_of(message: Message, content: str) -> SourceBatch:
    source = Source(
        source_id=message.source_id,
        version=message.version,
        kind=Kind.MESSAGE,
        project_id=message.project_id,
        container_id=message.checkpoint_id,
        title=title_of(content),
        text=content,
        author=message.author,
        occurred_at=datetime.fromisoformat(message.occurred_at),
        written_at=datetime.fromisoformat(message.updated_at),
        citation=Citation(checkpoint_id=message.checkpoint_id, message_id=message.id),
    )
    return SourceBatch(sources=[source])


def title_of(content: str) -> str:
    """Return the first line that says something, cut at a word where it is long."""
    lines = (" ".join(line.split()) for line in content.splitlines())
    line = next((line for line in lines if line), "Message")
    if len(line) <= _TITLE_CHARACTERS:
        return line
    head = line[: _TITLE_CHARACTERS - 1]
    return f"{head.rpartition(' ')[0] or head}…"


def _origin(message: Message) -> MessageOrigin:
    return MessageOrigin(message_id=message.id, version=message.version)
