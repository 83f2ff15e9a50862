"""Compaction: the log of a shard is merged into its snapshot, which takes the place of both in one write.

Nothing here is lost by dying, at any point. Uploads that no manifest names are swept. The swap is one conditional
write: of two compactions of one shard, one takes place and the other leaves nothing but such uploads. What a snapshot
covers may stay in the log for a while: readers pass over it, and the next compaction removes it first.
"""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.keys import Key
from almanac.aws.table import ConditionFailed, Table, Write
from almanac.clock import iso, now
from almanac.errors import RetryableError
from almanac.events import CompactIndex
from almanac.index.copies import Copies, place_of
from almanac.index.manifest import Directory, IndexInfo, Manifest, ManifestState, PartRef, SegmentEntry, Snapshot
from almanac.index.merge import Written, holds_deleted, merge, merge_history
from almanac.index.parts import Part, open_part
from almanac.index.segments import Model
from almanac.index.visibility import facts_of
from almanac.observability import correlation_id, log

_MOST_SEGMENTS = 512
_MOST_BYTES = 512 << 20
"""A longer log is merged in several compactions, each asking for the next."""
_RETIRED_SECONDS = 86_400
_MOST_RETIRED = 1000
_DELETES_AT_ONCE = 99


@dataclass(frozen=True)
class Workshop:
    """Where indexes are worked on: the stores, the models of indexes, and a directory for files."""

    table: Table
    blobs: Blobs
    models: Callable[[IndexInfo], Model]
    default: Directory
    copies: Copies
    directory: Path


@dataclass(frozen=True)
class Compacted:
    """What a compaction did: how many segments it merged, and the rows that are in the snapshot then.

    `lost_race` tells that somebody else's came first.
    """

    segments: int = 0
    rows: int = 0
    lost_race: bool = False


async def compact(workshop: Workshop, tenant_id: str, index_id: str, shard: int) -> Compacted:
    """Merge a shard's log into its snapshot, and remove what is then said twice. Raises `CorruptPart`."""
    state = await Manifest(workshop.table, tenant_id, workshop.default).read()
    info = state.directory.indexes.get(index_id)
    if info is None:
        return Compacted()
    done = await _Compaction(workshop, tenant_id, info, shard, state).run()
    await tidy(workshop, tenant_id)
    return done


async def tidy(workshop: Workshop, tenant_id: str) -> None:
    """Remove from the manifest what every snapshot of every index knows, and where dropped repositories stood."""
    manifest = Manifest(workshop.table, tenant_id, workshop.default)
    state = await manifest.read()
    snapshots = [
        state.snapshot(info.id, shard) for info in state.directory.indexes.values() for shard in range(info.shards)
    ]
    # A shard without a snapshot knows nothing: what was erased may still come to it.
    known = set.intersection(*(set(snapshot.folded) if snapshot else set() for snapshot in snapshots))
    folded = [tombstones for digest, tombstones in state.tombstones.items() if digest in known]
    heads = [keys.index_head(tenant_id, name) for name in state.heads if name in state.drops]
    for start in range(0, len(folded), _DELETES_AT_ONCE):
        group = folded[start : start + _DELETES_AT_ONCE]
        try:
            # An index that was added meanwhile may not know them.
            removals = [manifest.remove(tombstones) for tombstones in group]
            await workshop.table.transact([manifest.unchanged(state.directory), *removals])
        except ConditionFailed:
            return
    await workshop.table.batch_delete(heads)


class _Compaction:
    """One compaction of one shard, from one state of the manifest."""

    def __init__(self, workshop: Workshop, tenant_id: str, info: IndexInfo, shard: int, state: ManifestState) -> None:
        self._workshop = workshop
        self._tenant_id = tenant_id
        self._info = info
        self._shard = shard
        self._state = state
        self._manifest = Manifest(workshop.table, tenant_id)
        self._model = workshop.models(info)
        self._facts = facts_of(state)
        self._before = state.snapshot(info.id, shard)

    async def run(self) -> Compacted:
        current = await self._open([self._before.current] if self._before and self._before.current else [])
        covered = {name for part in current for name in part.header.covers}
        log_entries = self._state.segments(self._info.id, self._shard)
        await self._forget(entry for name, entry in log_entries.items() if name in covered)
        entries = _first([entry for name, entry in sorted(log_entries.items()) if name not in covered])
        if not entries and not self._is_stale():
            return Compacted(rows=sum(part.rows for part in current))
        segments = await self._open([PartRef(entry.sha256, entry.rows, entry.size) for entry in entries])
        await asyncio.to_thread(self._workshop.directory.mkdir, parents=True, exist_ok=True)
        directory = Path(await asyncio.to_thread(mkdtemp, dir=self._workshop.directory, prefix="merge-"))
        try:
            snapshot = await self._merge([*current, *segments], entries, directory)
        finally:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)
        more = len(entries) < len(log_entries.keys() - covered)
        if not await self._swap(snapshot, more=more):
            log("info", "another compaction came first", index=self._info.id, shard=self._shard)
            return Compacted(lost_race=True)
        await self._forget(entries)
        return Compacted(len(entries), snapshot.current.rows if snapshot.current else 0)

    def _is_stale(self) -> bool:
        """Tell whether the snapshot holds what was erased or dropped since it was made."""
        if self._before is None:
            return False
        unknown = self._state.tombstones.keys() - set(self._before.folded)
        return bool(unknown) or self._before.drops != self._state.drops_digest

    async def _merge(self, parts: Sequence[Part], entries: Sequence[SegmentEntry], directory: Path) -> Snapshot:
        """Write the next snapshot's parts and put them into the bucket; nothing names them yet."""
        before = self._before
        current, past = None, None
        if parts:
            merged = await asyncio.to_thread(merge, parts, self._facts, directory, keep_history=True)
            current, past = merged.current, merged.history
        current_ref = await self._upload(current) if current else None
        kept, rewritten, added = await self._merge_history(past, directory)
        replaced = [entry.sha256 for entry in entries] + [ref.sha256 for ref in rewritten]
        replaced += [before.current.sha256] if before and before.current else []
        named = {ref.sha256 for ref in (current_ref, *kept, *added) if ref}
        return Snapshot(
            self._info.id,
            self._shard,
            (before.generation if before else 0) + 1,
            self._model.fingerprint,
            current_ref,
            history=(*kept, *added),
            folded=tuple(sorted(self._state.tombstones)),
            retired=_retired(before, [name for name in replaced if name not in named]),
            drops=self._state.drops_digest,
            at=now(),
        )

    async def _merge_history(
        self, past: Written | None, directory: Path
    ) -> tuple[list[PartRef], list[PartRef], list[PartRef]]:
        """Return the history parts that stay, those that are replaced, and what is new.

        A part is merged with what is new when it is hardly larger, so there are few, and a row is written again as
        often as the number of rows doubles. One that holds what was erased or dropped since is written without it.
        """
        known = [ref for ref in (self._before.history if self._before else ()) if ref.sha256 not in self._state.lost]
        lost = [ref for ref in (self._before.history if self._before else ()) if ref.sha256 in self._state.lost]
        unclean = set[str]()
        if self._is_stale():
            for ref in known:
                (part,) = await self._open([ref])
                if await asyncio.to_thread(holds_deleted, part, self._facts):
                    unclean.add(ref.sha256)
        total = past.size if past else 0
        chosen = [ref for ref in known if ref.sha256 in unclean]
        for ref in sorted(known, key=lambda ref: ref.size):
            if ref.sha256 not in unclean and ref.size <= 2 * total:
                chosen.append(ref)
                total += ref.size
        kept = [ref for ref in known if ref not in chosen] + lost
        if not chosen:
            return kept, [], [await self._upload(past)] if past else []
        parts = await self._open(chosen)
        if past is not None:
            parts.append(_open_file(past, self._model))
        written = await asyncio.to_thread(merge_history, parts, self._facts, directory)
        return kept, chosen, [await self._upload(written)] if written else []

    async def _swap(self, snapshot: Snapshot, *, more: bool) -> bool:
        # The directory stays as it was read: an index that was deleted meanwhile must not come back.
        writes: list[Write] = [self._manifest.swap(snapshot), self._manifest.unchanged(self._state.directory)]
        if more:
            event = CompactIndex(
                tenant_id=self._tenant_id, correlation_id=correlation_id(), index_id=self._info.id, shard=self._shard
            )
            writes.append(outbox.message(event))
        try:
            await self._workshop.table.transact(writes)
        except ConditionFailed as error:
            if error.position == 1:
                raise RetryableError("the directory of indexes changed during a compaction") from None
            return False
        return True

    async def _open(self, refs: Iterable[PartRef]) -> list[Part]:
        wanted = list(refs)
        places = [place_of(self._tenant_id, self._info.id, ref) for ref in wanted]
        bodies = await self._workshop.copies.open_all(places)
        return [
            open_part(body, name=place.name, key=place.key, model=self._model, verify=False)
            for place, body in zip(places, bodies, strict=True)
        ]

    async def _upload(self, written: Written) -> PartRef:
        await self._workshop.blobs.put_file(self._key(written.sha256), str(written.path))
        return PartRef(written.sha256, written.rows, written.size)

    async def _forget(self, entries: Iterable[SegmentEntry]) -> None:
        """Take segments out of the log that the snapshot covers."""
        removals: list[Key] = [self._manifest.remove(entry).key for entry in entries]
        if removals:
            await self._workshop.table.batch_delete(removals)

    def _key(self, name: str) -> str:
        return keys.part_object(self._tenant_id, self._info.id, name)


def _first(entries: Sequence[SegmentEntry]) -> list[SegmentEntry]:
    """Return as many segments as one compaction merges."""
    chosen: list[SegmentEntry] = []
    size = 0
    for entry in entries[:_MOST_SEGMENTS]:
        size += entry.size
        if chosen and size > _MOST_BYTES:
            break
        chosen.append(entry)
    return chosen


def _retired(before: Snapshot | None, replaced: Iterable[str]) -> dict[str, str]:
    """Return what was replaced and when, without what a sweep has long removed; as much as an item can hold.

    What is left out is not forgotten: a sweep removes it as it removes any object that nothing names, only later.
    """
    oldest = iso(time.time() - _RETIRED_SECONDS)
    known = {name: at for name, at in (before.retired if before else {}).items() if at > oldest}
    known |= dict.fromkeys(replaced, now())
    newest = sorted(known.items(), key=lambda entry: entry[1], reverse=True)
    return dict(newest[:_MOST_RETIRED])


def _open_file(written: Written, model: Model) -> Part:
    return open_part(written.path.read_bytes(), name=written.sha256, key=str(written.path), model=model, verify=False)
