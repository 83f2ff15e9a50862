"""Messages in the table. The guard of a message's content lies in its checkpoint's partition: it keeps the content
unique there, and it lets the checkpoint's delete find each message.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from almanac.active import is_active
from almanac.aws import keys, outbox
from almanac.aws.table import Delete, Put
from almanac.aws.transactions import Refused
from almanac.dependencies import Dependencies
from almanac.errors import Busy, VersionConflict
from almanac.events import Event, IndexSources
from almanac.ids import is_id
from almanac.index.sources import SourceRef
from almanac.visible import Sight
from projects.batches import awaited
from projects.errors import CheckpointNotFound, DuplicateContent, MessageNotFound
from projects.model import Message
from projects.stores.base import Listing, Store, listing_start
from projects.stores.checkpoints import checkpoint_active

_SEEN = "#version = :version AND #indexed.#state = :indexed"


class IndexedMeanwhile(Exception):
    """The index answered for the version at hand since it was read: read it again."""


class MessageStore(Store):
    """Writes that replace or remove a version hold its state in the index fast: whoever ends that version, the index's
    answer or the write itself, sees to its objects, and the embedding worker never misses one. Until that answer the
    index awaits the version, so that search finds it by its words from the moment that it is acknowledged.
    """

    def __init__(self, dependencies: Dependencies, tenant_id: str, sight: Sight) -> None:
        super().__init__(dependencies, tenant_id)
        self._sight = sight

    async def get(self, message_id: str) -> Message:
        """Return a message whose checkpoint and project are active and seen; raises `MessageNotFound`."""
        item = await self._table.get(keys.message(self._tenant_id, message_id)) if is_id(message_id, "msg") else None
        if item is None:
            raise MessageNotFound
        message = Message.from_item(item)
        checkpoint, project = await asyncio.gather(
            self._table.get(keys.checkpoint(self._tenant_id, message.checkpoint_id)),
            self._table.get(keys.project(self._tenant_id, message.project_id)),
        )
        if not is_active(checkpoint) or not is_active(project):
            raise MessageNotFound
        if not await self._sight.shows(project):
            raise MessageNotFound
        return message

    async def list(self, checkpoint_id: str, limit: int, after: str | None) -> Listing[Message]:
        partition = keys.messages(self._tenant_id, checkpoint_id)
        start = listing_start(keys.message(self._tenant_id, after), partition, after) if after else None
        return await self._list(partition, Message, limit, start)

    async def with_content(self, checkpoint_id: str, content_sha256: str) -> str | None:
        """Return the id of the checkpoint's message with this content, or None."""
        item = await self._table.get(keys.message_hash(self._tenant_id, checkpoint_id, content_sha256))
        return item["message_id"] if item else None

    async def create(self, message: Message, then: IndexSources, remembered: Sequence[Put]) -> None:
        """Write a new message; raises `CheckpointNotFound`, `DuplicateContent`, or `Refused` when another call
        remembered its answer first.
        """
        try:
            await self._commit(
                {
                    "checkpoint": checkpoint_active(self._tenant_id, message.checkpoint_id),
                    "message": Put(message.to_item(self._tenant_id)),
                    "guard": self._guard(message),
                    "index": self._manifest.await_(awaited(message)),
                    "outbox": outbox.message(then),
                    "idempotency": remembered,
                }
            )
        except Refused as refused:
            raise await self._cause(refused, message) from None

    async def replace(self, old: Message, new: Message, then: Sequence[Event]) -> None:
        """Write the next version of a message.

        Raises `MessageNotFound`, `VersionConflict`, `IndexedMeanwhile`, or `DuplicateContent` when another message has
        the new content.
        """
        swapped = old.content_sha256 != new.content_sha256
        try:
            await self._commit(
                {
                    "checkpoint": checkpoint_active(self._tenant_id, old.checkpoint_id),
                    "message": Put(new.to_item(self._tenant_id), condition=_SEEN, values=_seen(old)),
                    "guard": [self._unguard(old), self._guard(new)] if swapped else [],
                    "index": self._manifest.await_(awaited(new)),
                    "outbox": [outbox.message(event) for event in then],
                }
            )
        except Refused as refused:
            raise await self._cause(refused, new, old) from None

    async def delete(self, message: Message, then: Sequence[Event]) -> None:
        """Remove a message, also from search; raises `MessageNotFound`, `VersionConflict` or `IndexedMeanwhile`."""
        try:
            await self._commit(
                {
                    "message": Delete(
                        keys.message(self._tenant_id, message.id), condition=_SEEN, values=_seen(message)
                    ),
                    "guard": self._unguard(message),
                    "index": [
                        *self._manifest.hide([SourceRef(source_id=message.source_id, version=message.version)]),
                        self._manifest.settled(message.id),
                    ],
                    "outbox": [outbox.message(event) for event in then],
                }
            )
        except Refused as refused:
            raise await self._cause(refused, message, message) from None

    def _guard(self, message: Message) -> Put:
        key = keys.message_hash(self._tenant_id, message.checkpoint_id, message.content_sha256)
        return Put({**key.as_dict(), "entity": "message_hash", "message_id": message.id})

    def _unguard(self, message: Message) -> Delete:
        key = keys.message_hash(self._tenant_id, message.checkpoint_id, message.content_sha256)
        return Delete(key, condition="#message_id = :message", values={":message": message.id})

    async def _cause(self, refused: Refused, message: Message, seen: Message | None = None) -> Exception:
        match refused.part:
            case "checkpoint":
                return CheckpointNotFound(field="body.checkpoint_id") if seen is None else MessageNotFound()
            case "message":
                if refused.item is None:
                    return MessageNotFound()
                version = refused.item["version"]
                return IndexedMeanwhile() if seen and version == seen.version else VersionConflict(version)
            case "guard":
                holder = await self.with_content(message.checkpoint_id, message.content_sha256)
                return DuplicateContent(holder) if holder and holder != message.id else Busy()
        return refused


def _seen(message: Message) -> dict[str, Any]:
    return {":version": message.version, ":indexed": message.indexed.state}
