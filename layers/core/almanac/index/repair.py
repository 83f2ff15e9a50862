"""Repair of parts whose objects are missing or damaged: from older versions of the object, else from the sources."""

import hashlib
import time

from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table, Write
from almanac.clock import iso, now
from almanac.events import BatchOrigin, DocumentOrigin, MessageOrigin, RepairPart, ResendDocuments, ResendSources
from almanac.index.manifest import Directory, Lost, Manifest, ManifestState, SegmentEntry
from almanac.observability import correlation_id, emit, log

_PATIENCE_SECONDS = 3_600
"""How long sources that were asked for may take to come before they are asked for again."""


def request(tenant_id: str, index_id: str, name: str, reason: str) -> RepairPart:
    """Return the message that asks for the repair of a part."""
    return RepairPart(
        tenant_id=tenant_id,
        correlation_id=correlation_id(),
        index_id=index_id,
        sha256=name,
        key=keys.part_object(tenant_id, index_id, name),
        reason=reason,
    )


async def repair(table: Table, blobs: Blobs, event: RepairPart) -> None:
    """Bring back a part's object, or what it holds; a repetition does no harm, nor does a false alarm.

    A segment of the log is made again from its sources: segments are a function of what they are made of, so the same
    object comes back. Where that cannot be, the entry goes as soon as nothing of it could be visible. A snapshot that
    is lost stays lost: answers are refused until an index that is built from the sources serves.
    """
    manifest = Manifest(table, event.tenant_id, Directory({}))
    state = await manifest.read()
    entry = state.segments(event.index_id).get(event.sha256)
    if entry is None and not _is_in_snapshot(state, event):
        await table.write(manifest.found(event.index_id, event.sha256))
        return
    if await _restore(blobs, event):
        log("info", "part restored", key=event.key)
        await table.write(manifest.found(event.index_id, event.sha256))
        return
    if entry is not None and await _is_obsolete(table, event.tenant_id, entry, state):
        log("warning", "lost segment removed: what it held was sent again or is gone", key=event.key)
        await table.transact([manifest.remove(entry), manifest.found(event.index_id, event.sha256)])
        return
    known = state.lost.get(event.sha256)
    if known is not None and known.at > iso(time.time() - _PATIENCE_SECONDS):
        return
    log("error", "part lost", key=event.key, reason=event.reason)
    emit({"PartsLost": (1, "Count")})
    writes: list[Write] = [manifest.lose(Lost(event.index_id, event.sha256, event.reason, now()))]
    if entry is not None or _is_current(state, event):
        writes.append(outbox.message(_asked(event, entry)))
    await table.transact(writes)


async def _restore(blobs: Blobs, event: RepairPart) -> bool:
    """Put the newest undamaged version of the object on top; True when it is there by now."""
    if _is_whole(await blobs.get(event.key), event):
        return True
    versions = [version async for version in blobs.versions(event.key) if version.key == event.key]
    for version in sorted(versions, key=lambda version: version.written_at, reverse=True):
        body = await blobs.get_version(event.key, version.version_id)
        if body is not None and _is_whole(body, event):
            await blobs.put(event.key, body)
            return True
    return False


def _is_whole(body: bytes | None, event: RepairPart) -> bool:
    return body is not None and hashlib.sha256(body).hexdigest() == event.sha256


async def _is_obsolete(table: Table, tenant_id: str, entry: SegmentEntry, state: ManifestState) -> bool:
    """Tell whether nothing of a segment could be visible, whatever it holds."""
    match entry.origin:
        case BatchOrigin(repository_id=repository_id, run=run):
            head = state.heads.get(repository_id)
            return repository_id in state.drops or (head is not None and head.floor > run)
        case DocumentOrigin(document_id=document_id, revision=revision):
            item = await table.get(keys.document(tenant_id, document_id))
            return item is None or document_id in state.drops or item["shown_revision"] > revision
        case MessageOrigin(message_id=message_id, version=version):
            item = await table.get(keys.message(tenant_id, message_id))
            return item is None or item["version"] > version
    return False


def _asked(event: RepairPart, entry: SegmentEntry | None) -> ResendSources | ResendDocuments:
    common = {"tenant_id": event.tenant_id, "correlation_id": event.correlation_id}
    match entry.origin if entry else None:
        case BatchOrigin(repository_id=repository_id):
            return ResendSources(**common, repository_id=repository_id)
        case DocumentOrigin(document_id=document_id):
            return ResendDocuments(**common, document_id=document_id)
        case MessageOrigin(message_id=message_id):
            return ResendSources(**common, message_id=message_id)
    return ResendSources(**common)


def _is_in_snapshot(state: ManifestState, event: RepairPart) -> bool:
    return _is_current(state, event) or any(
        ref.sha256 == event.sha256
        for snapshot in state.snapshots.get(event.index_id, {}).values()
        for ref in snapshot.history
    )


def _is_current(state: ManifestState, event: RepairPart) -> bool:
    snapshots = state.snapshots.get(event.index_id, {}).values()
    return any(snapshot.current is not None and snapshot.current.sha256 == event.sha256 for snapshot in snapshots)
