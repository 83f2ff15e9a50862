"""Building an index beside another: what the embedding worker does with `BuildIndex`.

Nothing is remembered between messages but what the new index holds: each looks at what is missing and goes on. So it
does not matter where one was killed, whether one comes twice, or what was written or compacted meanwhile.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from almanac.aws import keys, outbox
from almanac.aws.table import ConditionFailed, Put, Write
from almanac.errors import AppError, RetryableError, TerminalError
from almanac.events import BuildIndex, CompactIndex
from almanac.index.manifest import IndexInfo, Manifest, ManifestState, SegmentEntry
from almanac.observability import emit, log
from almanac.worker.batch import Deadline
from search import wiring
from search.indexes.builds import Build, Builds

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes
    from almanac.index.encoding import EncodedPart
    from almanac.index.segments import Model
    from search.indexes.copying import Batch
    from search.indexes.opening import Opened

_RESERVE_SECONDS = 20
_TEXTS_PER_STEP = 128
_SEGMENTS_PER_COMPACTION = 64
_ROUNDS = 5
"""What is written meanwhile goes into both indexes, so that a second look seldom finds anything."""


class _OutOfTime(Exception):
    """The deadline is near."""


class _Changed(Exception):
    """The tenant's indexes are not those that the work began with."""


async def run(event: BuildIndex, deadline: Deadline) -> None:
    """Copy what is missing into an index; near the deadline another message goes on.

    Raises `TerminalError` or `RetryableError`, and leaves the cause where whoever waits can see it.
    """
    await asyncio.to_thread(_load)
    manifest = Manifest(wiring.table(), event.tenant_id, wiring.default_directory())
    state = await manifest.read()
    if event.index_id not in state.directory.indexes or state.directory.serving.id == event.index_id:
        log("info", "nothing to build", index=event.index_id)
        return
    builds = Builds(wiring.table(), event.tenant_id)
    build = await builds.get(event.index_id) or Build(event.index_id, "index", "")
    filling = _Filling(
        event, deadline, manifest, builds, replace(build, error_code=None, error_cause=None, error_at=None)
    )
    try:
        await filling.go(state)
    except (_OutOfTime, _Changed) as stopped:
        if not filling.progress:
            raise RetryableError(f"{type(stopped).__name__}: nothing was done") from None
        log("info", "build continues in the next message", index=event.index_id, chunks=filling.build.chunks)
        await wiring.table().transact([builds.put(filling.build), outbox.message(_next(event))])
    except TerminalError as error:
        await wiring.table().write(builds.put(filling.build.failed(error.code, error.cause)))
        raise
    except Exception as error:
        # What an unexpected error says of itself is for the log; only its kind is for people.
        known = isinstance(error, RetryableError | AppError)
        cause = str(error) if known else f"an error of Almanac's own: {type(error).__name__}"
        await wiring.table().write(builds.put(filling.build.failed("build_interrupted", cause)))
        raise


@dataclass
class _Filling:
    """One message's share of a build. `progress` counts what it did: segments, and texts whose codes are cached now."""

    event: BuildIndex
    deadline: Deadline
    manifest: Manifest
    builds: Builds
    build: Build
    progress: int = 0

    async def go(self, state: ManifestState) -> None:
        """Copy until nothing is missing, then say that the index is ready, or what else is wrong with it."""
        for _ in range(_ROUNDS):
            if await self._fill(state) == 0:
                return
            state = await self.manifest.read()
            if self.event.index_id not in state.directory.indexes:
                return
        raise _OutOfTime

    async def _fill(self, state: ManifestState) -> int:
        """Copy what is missing as of one reading of the manifest; returns how many segments that took."""
        from almanac.index.visibility import facts_of
        from search.indexes import copying, opening

        serving = await opening.open_index(wiring.reader(), self.event.tenant_id, state, state.directory.serving.id)
        other = await opening.open_index(wiring.reader(), self.event.tenant_id, state, self.event.index_id)
        copied = await self._bury(serving, other)
        parts = [*serving.parts, *serving.history]
        held = await asyncio.to_thread(other.held)
        shown = await asyncio.to_thread(serving.shown)
        missing = len(shown - held)
        self.build = replace(self.build, total=len(shown), done=len(shown) - missing, missing=missing, ready=False)
        batches = copying.batches(parts, facts_of(state), held, other.info.shards)
        while (found := await asyncio.to_thread(next, batches, None)) is not None:
            shard, batch = found
            await self._copy(serving, other, shard, batch)
            missing -= len(shown.intersection(batch.claims))
            self.build = replace(self.build, done=len(shown) - missing, missing=missing)
            await wiring.table().write(self.builds.put(self.build))
            copied += 1
        if not copied:
            await self._compared(serving, other)
        return copied

    async def _bury(self, serving: "Opened", other: "Opened") -> int:
        """Let each shard of the index know what is gone: a grave does not tell its source's id, nor so its shard."""
        from search.indexes import copying

        found = await asyncio.to_thread(copying.graves, [*serving.parts, *serving.history])
        written = 0
        for number, shard in enumerate(other.shards):
            known = await asyncio.to_thread(copying.graves, [*shard.parts, *shard.history])
            missing = copying.unknown(found, known)
            if missing:
                part = await asyncio.to_thread(copying.part_of_graves, _model_of(other.info), missing, number)
                await self._append(other, number, part, rows=0)
                written += 1
        return written

    async def _copy(self, serving: "Opened", other: "Opened", shard: int, batch: "Batch") -> None:
        from almanac.index.encoding import encode

        vectors, embedded = await self._vectors(serving.info, other.info, batch)
        part = await asyncio.to_thread(encode, batch.segment(_model_of(other.info), vectors))
        await self._append(other, shard, part, rows=len(batch.rows))
        self.build = replace(
            self.build, chunks=self.build.chunks + len(batch.rows), embedded=self.build.embedded + embedded
        )
        emit({"Chunks": (len(batch.rows), "Count"), "Embeddings": (embedded, "Count")}, worker="build")

    async def _vectors(self, serving: IndexInfo, other: IndexInfo, batch: "Batch") -> "tuple[Codes, int]":
        """Return the batch's vectors: the old ones where the model is the same, else embedded, through the cache."""
        import numpy as np

        from almanac.embeddings.cache import EmbeddingService, VectorCache

        embedder = wiring.embedder_for(other.model)
        vectors = np.zeros((len(batch.rows), embedder.dimensions), np.int8)
        wanted = list(range(len(batch.rows)))
        if _model_of(serving) == _model_of(other) and batch.codes:
            vectors[:] = np.stack(batch.codes)
            wanted = np.flatnonzero(~vectors.any(axis=1)).tolist()
        texts, embedded = batch.texts, 0
        service = EmbeddingService(embedder, VectorCache(wiring.table(), self.event.tenant_id, embedder))
        for start in range(0, len(wanted), _TEXTS_PER_STEP):
            self._check()
            rows = wanted[start : start + _TEXTS_PER_STEP]
            vectors[rows], fresh = await service.embed([texts[row] for row in rows])
            embedded += fresh
            self.progress += fresh
        return vectors, embedded

    async def _append(self, other: "Opened", shard: int, part: "EncodedPart", rows: int) -> None:
        """Write a segment into the index, unless the tenant's indexes have changed: it may have been deleted."""
        self._check()
        index_id, tenant_id = other.info.id, self.event.tenant_id
        await wiring.blobs().put(keys.part_object(tenant_id, index_id, part.sha256), part.body)
        fingerprint = _model_of(other.info).fingerprint
        entry = SegmentEntry(index_id, part.sha256, rows, len(part.body), fingerprint, shard)
        long = (self.progress + 1) % _SEGMENTS_PER_COMPACTION == 0
        writes: list[Write] = [self.manifest.unchanged(other.state.directory), self.manifest.append(entry)]
        writes += [self._compaction(shard)] if long else []
        try:
            await wiring.table().transact(writes)
        except ConditionFailed as failed:
            if failed.position == 0:
                raise _Changed from None
            log("info", "segment was appended before", segment=part.sha256)
        self.progress += 1

    async def _compared(self, serving: "Opened", other: "Opened") -> None:
        from search.indexes.opening import Difference

        found = await asyncio.to_thread(Difference.between, serving, other)
        self.build = self.build.compared(found.total, found.missing, found.unexpected)
        if not self.build.ready:
            cause = f"{found.missing} sources are missing and {found.unexpected} should not be there"
            self.build = self.build.failed("index_differs", cause)
        # A log as long as a build leaves it makes each first query of an environment fetch many objects.
        compactions = [self._compaction(shard) for shard in range(other.info.shards)] if self.progress else []
        await wiring.table().transact([self.builds.put(self.build), *compactions])
        log("info", "index compared", index=other.info.id, missing=found.missing, unexpected=found.unexpected)

    def _compaction(self, shard: int) -> Put:
        return outbox.message(
            CompactIndex(
                tenant_id=self.event.tenant_id,
                correlation_id=self.event.correlation_id,
                index_id=self.event.index_id,
                shard=shard,
            )
        )

    def _check(self) -> None:
        if self.deadline.remaining() < _RESERVE_SECONDS:
            raise _OutOfTime


def _model_of(info: IndexInfo) -> "Model":
    from almanac.index.ingest import model_of

    return model_of(wiring.embedder_for(info.model))


def _next(event: BuildIndex) -> BuildIndex:
    return event.model_copy(update={"cursor": str(int(event.cursor or 0) + 1)})


def _load() -> None:
    import numpy  # noqa: F401 - what follows needs it on the event loop, where importing it would block

    from search.indexes import copying  # noqa: F401
