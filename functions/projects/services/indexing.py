"""What the index says of messages, kept where their readers see it."""

from typing import Any

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import ConditionFailed, Update
from almanac.clock import now
from almanac.events import MessageOrigin, SourcesFailed, SourcesIndexed
from projects.dependencies import Dependencies
from projects.model import Indexed, IndexedState

_INTERNAL = "an error of Almanac's own; write the message again to have it tried again"


async def message_indexed(dependencies: Dependencies, event: SourcesIndexed, origin: MessageOrigin) -> None:
    """Show that a version of a message is searchable."""
    state = Indexed(state=IndexedState.INDEXED, at=now(), chunks=event.chunks)
    await _show(dependencies, event.tenant_id, origin, state)


async def message_failed(dependencies: Dependencies, event: SourcesFailed, origin: MessageOrigin) -> None:
    """Show that a version of a message will not be searchable, and why; one that is searchable already stays so."""
    # What an unexpected error says of itself is for the log, not for people.
    cause = _INTERNAL if event.code == "attempts_exhausted" else event.cause
    state = Indexed(state=IndexedState.FAILED, at=now(), code=event.code, cause=cause)
    await _show(dependencies, event.tenant_id, origin, state)


async def _show(dependencies: Dependencies, tenant_id: str, origin: MessageOrigin, state: Indexed) -> None:
    """Write the state of the version, or remove its objects when it is superseded or gone."""
    condition, values = "#version = :version", dict[str, Any]({":version": origin.version})
    if state.state is IndexedState.FAILED:
        condition, values = f"{condition} AND #indexed.#state <> :indexed", {**values, ":indexed": IndexedState.INDEXED}
    update = Update(
        keys.message(tenant_id, origin.message_id),
        set={"indexed": state.model_dump(exclude_none=True)},
        condition=condition,
        values=values,
    )
    try:
        await dependencies.table.write(update)
    except ConditionFailed as refused:
        if refused.item is not None and refused.item["version"] == origin.version:
            return
        await remove_version(dependencies.blobs, tenant_id, origin.message_id, origin.version)


async def remove_version(blobs: Blobs, tenant_id: str, message_id: str, version: int) -> None:
    """Remove the objects of one version, also those of writes that were refused."""
    start, end = (keys.message_object(tenant_id, message_id, number, "") for number in (version, version + 1))
    found = [key async for key in blobs.list(keys.message_prefix(tenant_id, message_id))]
    await blobs.delete([key for key in found if start < key < end])
