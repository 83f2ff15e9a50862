"""What the compactor does with one message."""

import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from almanac.errors import RetryableError
from almanac.events import CompactIndex, IndexWork, RepairPart, SweepIndex
from almanac.limits import recount
from almanac.observability import correlation_id, emit, log
from almanac.worker.batch import Deadline
from search import wiring

if TYPE_CHECKING:
    from almanac.index.compaction import Workshop
    from almanac.index.manifest import Manifest

_RESERVE_SECONDS = 60
"""A compaction that begins with less goes on in the next message: merging a large shard takes minutes."""


async def work(message: IndexWork, deadline: Deadline) -> None:
    """Do what one message asks for."""
    match message:
        case CompactIndex():
            await compact(message, deadline)
        case SweepIndex():
            await sweep(message, deadline)
        case RepairPart():
            await repair(message)


async def compact(message: CompactIndex, deadline: Deadline) -> None:
    """Compact one shard, then remove what this left over; a part that cannot be read is repaired first."""
    from almanac.index import compaction
    from almanac.index import repair as repairs
    from almanac.index.parts import CorruptPart

    if deadline.remaining() < _RESERVE_SECONDS:
        raise RetryableError("no time was left to begin in")
    began = time.perf_counter()
    try:
        done = await compaction.compact(workshop(), message.tenant_id, message.index_id, message.shard)
    except CorruptPart as error:
        emit({"CorruptSegments": (1, "Count")})
        name = error.key.rpartition("/")[2]
        await repair(repairs.request(message.tenant_id, message.index_id, name, error.reason))
        raise RetryableError(f"the part {error.key} is damaged ({error.reason}) and is being repaired") from error
    milliseconds = (time.perf_counter() - began) * 1000
    log(
        "info", "compacted", index=message.index_id, shard=message.shard, **vars(done), milliseconds=round(milliseconds)
    )
    emit({"Compaction": (milliseconds, "Milliseconds"), "CompactedSegments": (done.segments, "Count")}, worker="index")
    await _remove_unnamed(message.tenant_id)
    await recount.index(wiring.table(), message.tenant_id, await _manifest(message.tenant_id).read())


async def sweep(message: SweepIndex, deadline: Deadline) -> None:
    """Sweep a tenant's indexes, compact what chance passed over, and look again after what was lost."""
    from almanac.index import repair as repairs
    from almanac.index import upkeep

    await _remove_unnamed(message.tenant_id)
    state = await _manifest(message.tenant_id).read()
    await recount.index(wiring.table(), message.tenant_id, state)
    common = {"tenant_id": message.tenant_id, "correlation_id": correlation_id()}
    for lost in state.lost.values():
        await repair(repairs.request(message.tenant_id, lost.index_id, lost.sha256, lost.reason))
    for info in state.directory.indexes.values():
        for shard in range(info.shards):
            if upkeep.is_overdue(state, info.id, shard) or upkeep.is_stale(state, info.id, shard):
                await compact(CompactIndex(**common, index_id=info.id, shard=shard), deadline)


async def repair(message: RepairPart) -> None:
    """Bring back a part, or ask for its sources."""
    from almanac.index import repair as repairs

    await repairs.repair(wiring.table(), wiring.blobs(), message)


def _manifest(tenant_id: str) -> "Manifest":
    from almanac.index.manifest import Manifest

    return Manifest(wiring.table(), tenant_id, wiring.default_directory())


async def _remove_unnamed(tenant_id: str) -> None:
    from almanac.index import sweep as sweeping

    swept = await sweeping.sweep(wiring.table(), wiring.blobs(), tenant_id)
    emit({"SweptObjects": (swept.versions, "Count"), "SweptBytes": (swept.size, "Bytes")}, worker="index")


@cache
def workshop() -> "Workshop":
    # numpy and the index come with the first message: in no import that others share.
    from almanac.index.compaction import Workshop
    from almanac.index.copies import Copies
    from almanac.index.ingest import model_of

    settings = wiring.settings()
    directory = Path(settings.copy_dir)
    return Workshop(
        wiring.table(),
        wiring.blobs(),
        lambda info: model_of(wiring.embedder_for(info.model)),
        wiring.default_directory(),
        Copies(wiring.blobs(), directory / "parts", budget=settings.copy_disk_bytes),
        directory / "merging",
    )
