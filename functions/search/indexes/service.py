"""What can be done with a tenant's indexes. Every change is one conditional write of the directory."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from almanac.aws import outbox
from almanac.aws.table import ConditionFailed, Table, Write
from almanac.clock import iso, now
from almanac.events import BuildIndex, CompactIndex, Event, ResendSources
from almanac.ids import new_ulid
from almanac.index.manifest import (
    Directory,
    IndexInfo,
    IndexState,
    Manifest,
    ManifestState,
    SegmentEntry,
    Snapshot,
)
from almanac.observability import correlation_id, log
from search.indexes.builds import Build, Builds, Origin
from search.indexes.errors import (
    IndexBeingBuilt,
    IndexesChanged,
    IndexIncomplete,
    IndexNotFound,
    IndexServedLately,
    IndexServes,
)

if TYPE_CHECKING:
    from almanac.index.reader import Reader
    from search.indexes.opening import Difference, Opened

GRACE_SECONDS = 15 * 60
"""Longer than any query, and than any worker's invocation but the compactor's, which reads no retained index."""
_REMOVED_AT_ONCE = 100


@dataclass(frozen=True)
class Listed:
    """An index, and how far its filling is where it was filled beside another."""

    info: IndexInfo
    build: Build | None


class IndexService:
    """One tenant's indexes. `default` is the directory of a tenant that never changed it."""

    def __init__(self, table: Table, reader: "Reader", tenant_id: str, default: Directory) -> None:
        self._table = table
        self._reader = reader
        self._tenant_id = tenant_id
        self._manifest = Manifest(table, tenant_id, default)
        self._builds = Builds(table, tenant_id)

    async def state(self) -> ManifestState:
        return await self._manifest.read()

    async def serving(self) -> "tuple[ManifestState, Opened | None]":
        """Return the manifest, and the index that answers queries opened; None when it cannot be read."""
        from almanac.index.reader import IndexUnavailable

        state = await self.state()
        try:
            return state, await self._open(state, state.directory.serving.id)
        except IndexUnavailable:
            return state, None

    async def list(self) -> list[Listed]:
        """Return the tenant's indexes, the serving one first, then the newest."""
        state = await self.state()
        infos = sorted(state.directory.indexes.values(), key=lambda info: info.created_at, reverse=True)
        infos.sort(key=lambda info: info.state is not IndexState.SERVING)
        return [Listed(info, await self._builds.get(info.id)) for info in infos]

    async def get(self, index_id: str) -> Listed:
        """Return an index; one that fills through ordinary indexing is compared with the serving one.

        Raises `IndexNotFound`, or `IndexUnavailable` when one of the two cannot be read.
        """
        state = await self.state()
        info = _known(state, index_id)
        build = await self._builds.get(index_id)
        if build is not None and build.origin == "sources" and info.state is IndexState.BUILDING:
            found = await self._difference(state, index_id, build)
            build = build.compared(found.total, found.missing, found.unexpected)
        return Listed(info, build)

    async def create(self, model: str | None, origin: Origin, shards: int | None) -> Listed:
        """Begin to build an index beside the others: of this model, or of the serving one's.

        Raises `IndexBeingBuilt`, or `IndexesChanged` when somebody else began at the same moment.
        """
        from search import wiring

        state = await self.state()
        directory, serving = state.directory, state.directory.serving
        for info in directory.indexes.values():
            if info.state is IndexState.BUILDING:
                raise IndexBeingBuilt(info.id)
        embedder = wiring.embedder_for(model or serving.model)
        index_id = f"{embedder.slug}-{new_ulid()}"
        info = IndexInfo(index_id, embedder.model, IndexState.BUILDING, shards or serving.shards, now())
        runs = {name: head.run for name, head in state.heads.items()}
        build = Build(index_id, origin, info.created_at, runs=runs)
        event: Event = self._event(BuildIndex, index_id=index_id) if origin == "index" else self._event(ResendSources)
        grown = Directory({**directory.indexes, index_id: info}, directory.version + 1)
        await self._direct(grown, self._builds.put(build), outbox.message(event))
        return Listed(info, build)

    async def activate(self, index_id: str) -> Listed:
        """Let an index answer the queries from now on; the one before it stays, and goes on taking in what is written.

        Raises `IndexNotFound`, `IndexIncomplete`, `IndexUnavailable`, or `IndexesChanged`.
        """
        state = await self.state()
        info, before = _known(state, index_id), state.directory.serving
        build = await self._builds.get(index_id)
        if info.id == before.id:
            return Listed(info, build)
        found = await self._difference(state, index_id, build)
        if found.missing or found.unexpected:
            raise IndexIncomplete(found.missing, found.unexpected)
        served = replace(before, state=IndexState.RETAINED, served_until=now())
        serving = replace(info, state=IndexState.SERVING, served_until="")
        indexes = {**state.directory.indexes, before.id: served, index_id: serving}
        await self._direct(Directory(indexes, state.directory.version + 1))
        log("info", "another index serves", index=index_id, before=before.id)
        return Listed(serving, build)

    async def delete(self, index_id: str) -> None:
        """Remove an index; the sweep removes its objects. Killed half-way, a second call finishes.

        Raises `IndexNotFound`, `IndexServes`, `IndexServedLately` or `IndexesChanged`.
        """
        state = await self.state()
        info = state.directory.indexes.get(index_id)
        if info is None and not state.segments(index_id) and not state.snapshots.get(index_id):
            raise IndexNotFound
        if info is not None:
            _refuse_in_use(info)
            left = {name: each for name, each in state.directory.indexes.items() if name != index_id}
            await self._direct(Directory(left, state.directory.version + 1), self._builds.remove(index_id))
            # What was appended between the reading and the write is named now, and by nobody's leave any more.
            state = await self.state()
        entries: list[SegmentEntry | Snapshot] = [
            *state.segments(index_id).values(),
            *state.snapshots.get(index_id, {}).values(),
        ]
        writes = [self._manifest.remove(entry) for entry in entries]
        lost = [each for each in state.lost.values() if each.index_id == index_id]
        writes += [self._manifest.found(index_id, each.sha256) for each in lost]
        for start in range(0, len(writes), _REMOVED_AT_ONCE):
            await self._table.transact(writes[start : start + _REMOVED_AT_ONCE])

    async def compact(self) -> IndexInfo:
        """Have the log of each shard of the serving index merged into its snapshot."""
        serving = (await self.state()).directory.serving
        for shard in range(serving.shards):
            await self._table.write(outbox.message(self._event(CompactIndex, index_id=serving.id, shard=shard)))
        return serving

    async def _difference(self, state: ManifestState, index_id: str, build: Build | None) -> "Difference":
        """Compare an index with the serving one, or with the sources where that one cannot be read."""
        import asyncio

        from almanac.index.reader import IndexUnavailable
        from search.indexes import recovery
        from search.indexes.opening import Difference

        other = await self._open(state, index_id)
        try:
            serving = await self._open(state, state.directory.serving.id)
        except IndexUnavailable:
            if build is None or build.origin != "sources":
                raise
            return await recovery.difference(self._table, self._tenant_id, build, other)
        return await asyncio.to_thread(Difference.between, serving, other)

    async def _open(self, state: ManifestState, index_id: str) -> "Opened":
        from search.indexes.opening import open_index

        return await open_index(self._reader, self._tenant_id, state, index_id)

    def _event(self, kind: type[Event], **fields: object) -> Event:
        common = {"tenant_id": self._tenant_id, "correlation_id": correlation_id()}
        return kind.model_validate({**common, **fields})

    async def _direct(self, directory: Directory, *others: Write) -> None:
        try:
            await self._table.transact([self._manifest.direct(directory), *others])
        except ConditionFailed:
            raise IndexesChanged from None


def _known(state: ManifestState, index_id: str) -> IndexInfo:
    info = state.directory.indexes.get(index_id)
    if info is None:
        raise IndexNotFound
    return info


def _refuse_in_use(info: IndexInfo) -> None:
    if info.state is IndexState.SERVING:
        raise IndexServes
    if info.served_until:
        deletable = datetime.fromisoformat(info.served_until) + timedelta(seconds=GRACE_SECONDS)
        if iso(deletable.timestamp()) > now():
            raise IndexServedLately(iso(deletable.timestamp()))
