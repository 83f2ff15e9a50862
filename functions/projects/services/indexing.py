"""What the index says of messages, kept where their readers see it."""

from almanac.aws import keys
from almanac.aws.table import ConditionFailed, Update
from almanac.clock import now
from almanac.events import MessageOrigin, SourcesFailed, SourcesIndexed
from projects.dependencies import Dependencies
from projects.model import Indexed, IndexedState, Message


async def message_indexed(dependencies: Dependencies, event: SourcesIndexed, origin: MessageOrigin) -> None:
    """Show that a version of a message is searchable."""
    state = Indexed(state=IndexedState.INDEXED, at=now(), chunks=event.chunks)
    await _show(dependencies, event.tenant_id, origin, state)


async def message_failed(dependencies: Dependencies, event: SourcesFailed, origin: MessageOrigin) -> None:
    """Show that a version of a message will not be searchable, and why."""
    state = Indexed(state=IndexedState.FAILED, at=now(), code=event.code, cause=event.cause)
    await _show(dependencies, event.tenant_id, origin, state)


async def _show(dependencies: Dependencies, tenant_id: str, origin: MessageOrigin, state: Indexed) -> None:
    """Write the state of the current version and remove the objects of earlier ones. Old versions have no state."""
    update = Update(
        keys.message(tenant_id, origin.message_id),
        set={"indexed": state.model_dump(exclude_none=True)},
        condition="#version = :version",
        values={":version": origin.version},
    )
    try:
        item = await dependencies.table.write(update)
    except ConditionFailed:
        return
    if item is not None and origin.version > 1:
        await _remove_earlier(dependencies, tenant_id, Message.from_item(item))


async def _remove_earlier(dependencies: Dependencies, tenant_id: str, message: Message) -> None:
    """Remove every object up to the current version but its own; a later one may belong to an update under way."""
    end = keys.message_object(tenant_id, message.id, message.version + 1, "")
    found = [key async for key in dependencies.blobs.list(keys.message_prefix(tenant_id, message.id))]
    await dependencies.blobs.delete([key for key in found if key < end and key != message.batch_key])
