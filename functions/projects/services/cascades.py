"""Deletes, after readers and search have lost sight of what goes. Each can be repeated and goes on where it was."""

import asyncio
import time
from collections.abc import AsyncIterator

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.dependencies import Dependencies
from almanac.events import DeleteCheckpoint, DeleteProject, DeleteRepository
from almanac.index.history import HeadHistory
from almanac.observability import log
from almanac.private_members import MemberStore
from almanac.visible import Sight
from almanac.worker.batch import Deadline
from projects.stores.cascades import CascadeStore
from projects.stores.checkpoints import CheckpointStore
from projects.stores.repositories import RepositoryStore

RESERVE_SECONDS = 10
"""Left for the step at hand. Nearer to the deadline, another message goes on."""
_OBJECTS_AT_ONCE = 1000
_PREFIXES_AT_ONCE = 8


class OutOfTime(Exception):
    """The deadline is near."""


async def delete_project(dependencies: Dependencies, event: DeleteProject, deadline: Deadline) -> None:
    """Begin the delete of everything in a project, then remove the project itself."""
    store = CascadeStore(dependencies.table, event.tenant_id)
    checkpoints = CheckpointStore(dependencies, event.tenant_id, Sight(dependencies.table, None))
    repositories = RepositoryStore(dependencies, event.tenant_id)
    common = {"tenant_id": event.tenant_id, "correlation_id": event.correlation_id}
    try:
        while children := await store.children(event.project_id):
            for checkpoint_id in children.checkpoints:
                _check(deadline)
                begun = DeleteCheckpoint(**common, checkpoint_id=checkpoint_id)
                await checkpoints.delete_with_project(event.project_id, begun)
            for remote, repository_id in children.repositories:
                _check(deadline)
                started = DeleteRepository(**common, repository_id=repository_id)
                await repositories.delete_with_project(event.project_id, remote, started)
    except OutOfTime:
        await store.send(event)
        return
    await MemberStore(dependencies.table, event.tenant_id).forget_deleted(event.project_id)
    await store.remove_deleting(keys.project(event.tenant_id, event.project_id))
    log("info", "project deleted", project_id=event.project_id)


async def delete_checkpoint(dependencies: Dependencies, event: DeleteCheckpoint, deadline: Deadline) -> None:
    """Remove a checkpoint's messages with their objects, then the checkpoint itself."""
    store = CascadeStore(dependencies.table, event.tenant_id)
    slots = asyncio.Semaphore(_PREFIXES_AT_ONCE)

    async def empty(message_id: str) -> None:
        async with slots:
            # What the index owes an answer for it may be about to read; that answer removes it.
            if not await store.remove_pending(message_id):
                await _empty(dependencies.blobs, keys.message_prefix(event.tenant_id, message_id), deadline)

    try:
        while messages := await store.messages(event.checkpoint_id):
            _check(deadline)
            await asyncio.gather(*(empty(message.message_id) for message in messages))
            await store.remove_messages(messages)
    except OutOfTime:
        await store.send(event)
        return
    await store.remove_deleting(keys.checkpoint(event.tenant_id, event.checkpoint_id))
    log("info", "checkpoint deleted", checkpoint_id=event.checkpoint_id)


async def delete_repository(dependencies: Dependencies, event: DeleteRepository, deadline: Deadline) -> None:
    """Remove a repository's objects and items, its own last.

    A sync that was running when the delete began writes no more items, but may still be putting an object: while its
    lease lasts the repository's item stays, and the reconciler asks for this delete again.
    """
    store = CascadeStore(dependencies.table, event.tenant_id)
    item = await store.repository(event.repository_id)
    busy_until = item["lease_until"] if item is not None and item.get("lease_owner") else 0
    try:
        await _empty(dependencies.blobs, keys.repository_prefix(event.tenant_id, event.repository_id), deadline)
        while parts := await store.repository_parts(event.repository_id):
            _check(deadline)
            await store.remove(parts)
        while batches := await store.awaited_batches(event.repository_id):
            _check(deadline)
            await store.remove(batches)
        history = HeadHistory(dependencies.table, event.tenant_id)
        while await history.forget(event.repository_id):
            _check(deadline)
        await store.remove([keys.index_head(event.tenant_id, event.repository_id)])
    except OutOfTime:
        await store.send(event)
        return
    if busy_until >= time.time():
        await store.look_again(event.repository_id, busy_until + 1)
        return
    await store.remove_deleting(keys.repository(event.tenant_id, event.repository_id))
    log("info", "repository deleted", repository_id=event.repository_id)


async def _empty(blobs: Blobs, prefix: str, deadline: Deadline) -> None:
    """Remove every object under a prefix; raises `OutOfTime`."""
    async for chunk in _chunks(blobs.list(prefix)):
        _check(deadline)
        await blobs.delete(chunk)


async def _chunks(found: AsyncIterator[str]) -> AsyncIterator[list[str]]:
    chunk: list[str] = []
    async for key in found:
        chunk.append(key)
        if len(chunk) == _OBJECTS_AT_ONCE:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _check(deadline: Deadline) -> None:
    if deadline.remaining() < RESERVE_SECONDS:
        raise OutOfTime
