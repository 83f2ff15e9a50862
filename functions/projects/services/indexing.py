"""What the index says of messages, kept where their readers see it."""

import time
from contextlib import suppress

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import ConditionFailed, Put, Update
from almanac.clock import now
from almanac.dependencies import Dependencies
from almanac.events import MessageOrigin, SourcesFailed, SourcesIndexed
from projects import news
from projects.batches import awaited, put_batch
from projects.model import Indexed, IndexedState, Message

_INTERNAL = "an error of Almanac's own; write the message again to have it tried again"


async def message_indexed(dependencies: Dependencies, event: SourcesIndexed, origin: MessageOrigin) -> None:
    """Show that a version of a message is searchable; its words need no help from now on."""
    state = Indexed(state=IndexedState.INDEXED, at=now(), chunks=event.chunks)
    message = await _current(dependencies, event.tenant_id, origin)
    told = []
    if message is not None and message.indexed.state is not IndexedState.INDEXED:
        told.append(_news(event, message, "indexed"))
    try:
        await dependencies.table.transact([_shown(event.tenant_id, origin, state), *told])
    except ConditionFailed:
        await remove_version(dependencies.blobs, event.tenant_id, origin.message_id, origin.version)
    # A newer version is awaited in the place of this one, and a deleted message not at all.
    with suppress(ConditionFailed):
        manifest = dependencies.manifest(event.tenant_id)
        await dependencies.table.write(manifest.settled_version(origin.message_id, origin.version))


async def message_failed(dependencies: Dependencies, event: SourcesFailed, origin: MessageOrigin) -> None:
    """Show that a version of a message will not be searchable by meaning, and why; one that is already stays so.

    It stays awaited, so that its words find it, and its object stays for as long.
    """
    message = await _current(dependencies, event.tenant_id, origin)
    if message is not None and message.indexed.state is IndexedState.INDEXED:
        return
    if message is not None and await _show_failure(dependencies, event, message, origin):
        return
    await remove_version(dependencies.blobs, event.tenant_id, origin.message_id, origin.version)


async def _show_failure(
    dependencies: Dependencies, event: SourcesFailed, message: Message, origin: MessageOrigin
) -> bool:
    """Return False when the version was superseded or its message deleted meanwhile."""
    # Before anybody may take the object away who sees the failure: who took it before finds the message gone below.
    if message.content is not None:
        await put_batch(dependencies.blobs, message, message.content, lasting=True)
    # What an unexpected error says of itself is for the log, not for people.
    cause = _INTERNAL if event.code == "attempts_exhausted" else event.cause
    state = Indexed(state=IndexedState.FAILED, at=now(), code=event.code, cause=cause)
    stays = dependencies.manifest(event.tenant_id).await_(awaited(message))
    try:
        told = _news(event, message, "failed", code=event.code)
        await dependencies.table.transact([_shown(event.tenant_id, origin, state), stays, told])
    except ConditionFailed as refused:
        return refused.item is not None and refused.item["version"] == origin.version
    return True


def _news(event: SourcesIndexed | SourcesFailed, message: Message, state: str, **more: str) -> Put:
    return news.message(event.tenant_id, event.correlation_id, message, state, time.time(), **more)


async def _current(dependencies: Dependencies, tenant_id: str, origin: MessageOrigin) -> Message | None:
    item = await dependencies.table.get(keys.message(tenant_id, origin.message_id))
    return Message.from_item(item) if item is not None and item["version"] == origin.version else None


def _shown(tenant_id: str, origin: MessageOrigin, state: Indexed) -> Update:
    """Return the write of a version's state; refused when it is superseded or gone, or indexed before it failed."""
    failed = state.state is IndexedState.FAILED
    return Update(
        keys.message(tenant_id, origin.message_id),
        set={"indexed": state.model_dump(exclude_none=True)},
        condition="#version = :version" + (" AND #indexed.#state <> :indexed" if failed else ""),
        values={":version": origin.version, **({":indexed": IndexedState.INDEXED} if failed else {})},
    )


async def remove_version(blobs: Blobs, tenant_id: str, message_id: str, version: int) -> None:
    """Remove the objects of one version, also those of writes that were refused."""
    start, end = (keys.message_object(tenant_id, message_id, number, "") for number in (version, version + 1))
    found = [key async for key in blobs.list(keys.message_prefix(tenant_id, message_id))]
    await blobs.delete([key for key in found if start < key < end])
