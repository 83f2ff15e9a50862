"""What can be done with messages. A message is written to S3 as what the index takes in, then to the table."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal, TypedDict

from almanac.access import Principal
from almanac.aws import keys
from almanac.aws.clients import StoreUnavailable, error_code
from almanac.aws.transactions import Refused
from almanac.clock import now
from almanac.dependencies import Dependencies
from almanac.errors import AppError, Busy, VersionConflict
from almanac.events import DeleteMessage, IndexSources
from almanac.ids import new_id, new_ulid
from almanac.index.sources import SourceBatch
from almanac.observability import correlation_id, log_failure
from almanac.text.secrets import preview
from almanac.visible import Sight
from almanac.web.idempotency import Idempotent
from projects.batches import indexing, put_batch
from projects.errors import DuplicateContent
from projects.model import Indexed, IndexedState, Message
from projects.services.base import Answer, once
from projects.stores.base import Listing
from projects.stores.checkpoints import CheckpointStore
from projects.stores.messages import IndexedMeanwhile, MessageStore

INLINE_BYTES = 300_000
"""Content up to this size lies in the item, larger content in S3 only."""
PREVIEW_CHARACTERS = 1000
_ATTEMPTS = 5
_REFUSALS = (Refused, IndexedMeanwhile, AppError)

Status = Literal["created", "duplicate"]


class MessageChanges(TypedDict, total=False):
    """What an update gives; None clears the author."""

    content: str
    author: str | None
    metadata: dict[str, str]
    occurred_at: str


@dataclass(frozen=True)
class Accepted:
    """The message that holds the content now: a new one, or the one that had it already."""

    id: str
    status: Status


class MessageService:
    def __init__(self, dependencies: Dependencies, principal: Principal) -> None:
        sight = Sight(dependencies.table, principal)
        self._table = dependencies.table
        self._blobs = dependencies.blobs
        self._tenant_id = principal.tenant_id
        self._actor_id = principal.actor_id
        self._store = MessageStore(dependencies, principal.tenant_id, sight)
        self._checkpoints = CheckpointStore(dependencies, principal.tenant_id, sight)
        self._usage = dependencies.usage

    async def get(self, message_id: str) -> tuple[Message, str]:
        """Return a message and its whole content; raises `MessageNotFound`."""
        # A new version may replace the object between the two reads; then the second look finds the new one.
        for _ in range(3):
            message = await self._store.get(message_id)
            content = await self._content(message)
            if content is not None:
                return message, content
        raise StoreUnavailable("The message's content cannot be read now: try again.")

    async def list(self, checkpoint_id: str, limit: int, after: str | None) -> Listing[Message]:
        """Return a page of a checkpoint's messages; raises `CheckpointNotFound`."""
        await self._checkpoints.get(checkpoint_id, field="query.checkpoint_id")
        return await self._store.list(checkpoint_id, limit, after)

    async def create(
        self,
        checkpoint_id: str,
        content: str,
        author: str | None,
        metadata: dict[str, str],
        occurred_at: str | None,
        idempotency_key: str | None,
        request: str,
    ) -> Accepted:
        """Create a message unless the checkpoint has one with this content.

        Raises `CheckpointNotFound`, `QuotaExceeded` or `IdempotencyKeyReused`.
        """
        idempotent = Idempotent(self._table, self._tenant_id, self._actor_id, "messages", idempotency_key, request)

        async def create() -> Answer:
            checkpoint = await self._checkpoints.get(checkpoint_id, field="body.checkpoint_id")
            time = now()
            message = await self._with_content(
                Message(
                    id=new_id("msg"),
                    project_id=checkpoint.project_id,
                    checkpoint_id=checkpoint_id,
                    content_sha256="",
                    content_bytes=0,
                    batch_key="",
                    author=author,
                    metadata=metadata,
                    occurred_at=occurred_at or time,
                    created_at=time,
                    updated_at=time,
                ),
                content,
            )
            holder = await self._store.with_content(checkpoint_id, message.content_sha256)
            if holder is not None:
                raise DuplicateContent(holder)
            await self._usage.refuse_content(self._tenant_id)
            answer = {"id": message.id, "status": "created"}
            async with self._written(message, content):
                await self._store.create(message, self._indexing(message), idempotent.record(answer))
            return answer

        async def still(_: Answer) -> None:
            await self._checkpoints.check_shown(checkpoint_id, field="body.checkpoint_id")

        try:
            answer = await once(idempotent, create, still)
        except DuplicateContent as duplicate:
            return Accepted(duplicate.extra["message_id"], "duplicate")
        return Accepted(answer["id"], answer["status"])

    async def update(self, message_id: str, version: int, changes: MessageChanges) -> tuple[Message, str]:
        """Write the next version of a message that is still at `version`, and have it indexed.

        Raises `MessageNotFound`, `VersionConflict` or `DuplicateContent`.
        """
        for _ in range(_ATTEMPTS):
            old, old_content = await self.get(message_id)
            if old.version != version:
                raise VersionConflict(old.version)
            content = changes.get("content", old_content)
            attributes = {name: value for name, value in changes.items() if name != "content"}
            edited = {**attributes, "version": version + 1, "updated_at": now(), "indexed": Indexed()}
            new = await self._with_content(old.model_copy(update=edited), content)
            try:
                async with self._written(new, content):
                    await self._store.replace(old, new, [self._indexing(new), *self._removal(old)])
            except IndexedMeanwhile:
                continue
            return new, content
        raise Busy

    async def delete(self, message_id: str) -> None:
        """Remove a message, at once also from search; raises `MessageNotFound`."""
        for _ in range(_ATTEMPTS):
            message = await self._store.get(message_id)
            with suppress(VersionConflict, IndexedMeanwhile):
                return await self._store.delete(message, self._removal(message))
        raise Busy

    async def _with_content(self, message: Message, content: str) -> Message:
        body = content.encode()
        shown = await asyncio.to_thread(preview, content, PREVIEW_CHARACTERS)
        return message.model_copy(
            update={
                "content": content if len(body) <= INLINE_BYTES else None,
                "preview": shown,
                "content_sha256": hashlib.sha256(body).hexdigest(),
                "content_bytes": len(body),
                "batch_key": keys.message_object(self._tenant_id, message.id, message.version, new_ulid()),
            }
        )

    async def _content(self, message: Message) -> str | None:
        if message.content is not None:
            return message.content
        body = await self._blobs.get(message.batch_key)
        if body is None:
            return None
        batch = await asyncio.to_thread(SourceBatch.decode, body)
        return batch.sources[0].text

    @asynccontextmanager
    async def _written(self, message: Message, content: str) -> AsyncIterator[None]:
        """Have the message's object in the bucket while its transaction runs, and remove it if that was refused."""
        await put_batch(self._blobs, message, content)
        try:
            yield
        except Exception as error:
            # Without an answer from the table the transaction may have happened: then the object is the message.
            if isinstance(error, _REFUSALS) or error_code(error) not in {"", "InternalServerError"}:
                await self._remove(message.batch_key)
            raise

    async def _remove(self, key: str) -> None:
        try:
            await self._blobs.delete([key])
        except Exception as error:  # noqa: BLE001 - the refusal matters to the caller, an object left over does not
            log_failure("could not remove an object", error, key=key)

    def _removal(self, message: Message) -> Sequence[DeleteMessage]:
        """Return what has a version's objects removed. While the index owes an answer, that answer removes them."""
        if message.indexed.state is IndexedState.PENDING:
            return []
        common = {"tenant_id": self._tenant_id, "correlation_id": correlation_id()}
        return [DeleteMessage(**common, message_id=message.id, version=message.version)]

    def _indexing(self, message: Message) -> IndexSources:
        return indexing(self._tenant_id, correlation_id(), message)
