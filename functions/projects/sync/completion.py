"""What happens when batches of a run are indexed, or cannot be: counting them down, and the end of the run.

Called by the projects worker; knows nothing of git. Every step is one idempotent transaction.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from almanac.aws import keys, outbox
from almanac.aws.blobs import TRANSIENT
from almanac.aws.table import ConditionFailed, Table, Update, Write
from almanac.clock import iso
from almanac.dependencies import Dependencies
from almanac.errors import RetryableError
from almanac.events import BatchOrigin, Event, SourcesFailed, SourcesIndexed, SyncRepository
from almanac.index.history import HeadHistory
from almanac.index.manifest import Head
from almanac.index.sources import SourceBatch
from almanac.observability import emit, log
from projects import news
from projects.model import RepositoryState, SyncError
from projects.sync.records import (
    KEPT_SECONDS,
    FailedSource,
    Repository,
    Run,
    batch_removal,
    batch_writes,
    counts_after,
    index_message,
    next_check,
)

MAX_FAILED_SOURCES = 50
"""More than these are no bad files but a run that failed."""
_SPLIT_BASE, _SPLIT_WIDTH = 100_000, 64
"""Batch `b` that failed is sent again in parts, numbered from `_SPLIT_BASE + b * _SPLIT_WIDTH`; so are parts of it."""
_MAX_PARTS = 31
"""At three writes each, with one more part for what is hidden, they fit into a transaction of 100."""
_ATTEMPTS = 12
_INTERNAL = "an error of Almanac's own; the next sync tries again"

Clock = Callable[[], float]


async def batch_indexed(dependencies: Dependencies, event: SourcesIndexed, *, clock: Clock = time.time) -> None:
    """Count a batch as done; the last one completes the run."""
    ending = _Ending(dependencies, event, _origin(event), clock)
    await ending.count({"chunks": event.chunks})
    await ending.finish()


async def batch_failed(dependencies: Dependencies, event: SourcesFailed, *, clock: Clock = time.time) -> None:
    """Send a failed batch again in parts, down to its sources; one that fails alone is left out and named."""
    ending = _Ending(dependencies, event, _origin(event), clock)
    # What an unexpected error says of itself is for the log, not for people.
    cause = _INTERNAL if event.code == "attempts_exhausted" else event.cause
    await ending.isolate(event.code, cause)
    await ending.finish()


async def finish(
    dependencies: Dependencies, tenant_id: str, correlation_id: str, repository_id: str, run: int, *, clock: Clock
) -> None:
    """Complete a run when all of it is out and indexed; does nothing otherwise, or when that was done before."""
    origin = BatchOrigin(repository_id=repository_id, run=run, batch=0)
    await _Ending(dependencies, Event(tenant_id=tenant_id, correlation_id=correlation_id), origin, clock).finish()


def _origin(event: SourcesIndexed | SourcesFailed) -> BatchOrigin:
    if not isinstance(event.origin, BatchOrigin):
        raise TypeError("not a batch of a sync run")
    return event.origin


class _Ending:
    """One run, seen from one of its batches."""

    def __init__(self, dependencies: Dependencies, event: Event, origin: BatchOrigin, clock: Clock) -> None:
        self._dependencies = dependencies
        self._table: Table = dependencies.table
        self._tenant_id = event.tenant_id
        self._correlation_id = event.correlation_id
        self._origin = origin
        self._clock = clock
        self._repository_key = keys.repository(self._tenant_id, origin.repository_id)
        self._run_key = keys.sync_run(self._tenant_id, origin.repository_id, origin.run)
        self._batch = keys.sync_batch(self._tenant_id, origin.repository_id, origin.run, origin.batch)
        self._object = keys.batch_object(self._tenant_id, origin.repository_id, origin.run, origin.batch)

    async def count(self, add: Mapping[str, int]) -> None:
        """Take the batch off the run's pending ones, once."""
        progress = self._progress({"progress_at": int(self._clock())}, {"pending": -1, **add})
        try:
            await self._table.transact([*self._taken(), progress, *await self._told()])
        except ConditionFailed:
            return
        await self._dependencies.blobs.delete([self._object])

    async def _told(self) -> list[Write]:
        """Return what tells how far the run is, at some of its batches."""
        if not news.is_told(self._origin.batch):
            return []
        run, repository = await self._table.get(self._run_key), await self._table.get(self._repository_key)
        if run is None or repository is None or run["done"] or repository["state"] == RepositoryState.DELETING:
            return []
        progress = {"run": run["run"], "batches": run["batches"], "pending": max(0, run["pending"] - 1)}
        return [self._news(Repository.from_item(repository), RepositoryState(repository["state"]), **progress)]

    def _news(
        self, repository: Repository, state: RepositoryState, *, error: SyncError | None = None, **progress: Any
    ) -> Write:
        return news.repository(
            self._tenant_id, self._correlation_id, repository, state, self._clock(), error=error, **progress
        )

    async def isolate(self, code: str, cause: str) -> None:
        """Replace a failed batch by its parts, or record the failure of its only source."""
        if await self._table.get(self._batch) is None:
            return
        body = await self._dependencies.blobs.get(self._object)
        batch = SourceBatch.decode(body) if body is not None else None
        run = await self._table.get(self._run_key)
        is_broken = run is not None and run.get("broken") is not None
        if is_broken or batch is None or (not batch.sources and batch.deleted):
            # Without its refs, hidden sources would show again; without its object, nobody knows what is lacking;
            # and of a run that failed anyway, nobody needs to know which sources were the cause.
            await self._fail(None, code, cause)
        elif len(batch.sources) + bool(batch.deleted) > 1:
            await self._split(batch)
        else:
            (source,) = batch.sources
            name = source.path or source.title
            failed = FailedSource(source_id=source.source_id, name=name, code=code, cause=cause[:300])
            await self._fail(failed, code, cause)

    async def _split(self, batch: SourceBatch) -> None:
        size = max(1, -(-len(batch.sources) // _MAX_PARTS))
        starts = range(0, len(batch.sources), size)
        parts = [SourceBatch(sources=batch.sources[start : start + size]) for start in starts]
        parts += [SourceBatch(deleted=batch.deleted)] if batch.deleted else []
        writes: list[Write] = self._taken()
        for place, part in enumerate(parts):
            number = _SPLIT_BASE + self._origin.batch * _SPLIT_WIDTH + place
            message = index_message(
                self._tenant_id, self._correlation_id, self._origin.repository_id, self._origin.run, number
            )
            await self._dependencies.blobs.put(message.batch_key, part.encode(), tags=TRANSIENT)
            writes += batch_writes(message, self._clock())
        # Not of a run that was abandoned: nobody would take its batches off.
        writes.append(
            Update(
                self._run_key,
                set={"progress_at": int(self._clock())},
                add={"pending": len(parts) - 1},
                condition="#done = :no",
                values={":no": False},
            )
        )
        try:
            await self._table.transact(writes)
        except ConditionFailed:
            return
        log("warning", "batch split", run=self._origin.run, batch=self._origin.batch, parts=len(parts))
        await self._dependencies.blobs.delete([self._object])

    async def _fail(self, source: FailedSource | None, code: str, cause: str) -> None:
        for _ in range(_ATTEMPTS):
            item = await self._table.get(self._run_key)
            if item is None:
                return
            run = Run.from_item(item)
            failed = [*run.failed, *([source] if source else [])]
            changes: dict[str, Any] = {"progress_at": int(self._clock()), "failed": [f.model_dump() for f in failed]}
            if source is None or len(failed) > MAX_FAILED_SOURCES:
                changes["failed"] = changes["failed"][:MAX_FAILED_SOURCES]
                changes["broken"] = SyncError(code=code, message=cause[:300], at=iso(self._clock())).model_dump()
            progress = self._progress(changes, {"pending": -1, "failures": 1}, expected_failures=run.failures)
            try:
                await self._table.transact([*self._taken(), progress])
            except ConditionFailed as refused:
                if refused.position == 0:
                    return
                continue
            log("error", "source not indexed", run=run.run, code=code, source_id=source.source_id if source else None)
            return
        raise RetryableError("the run kept changing")

    def _taken(self) -> list[Write]:
        return batch_removal(self._tenant_id, self._origin)

    def _progress(
        self, changes: Mapping[str, Any], add: Mapping[str, int], *, expected_failures: int | None = None
    ) -> Update:
        if expected_failures is None:
            return Update(self._run_key, set=changes, add=add)
        values = {":failures": expected_failures}
        return Update(self._run_key, set=changes, add=add, condition="#failures = :failures", values=values)

    async def finish(self) -> None:
        """Complete the run if nothing of it is pending."""
        for _ in range(_ATTEMPTS):
            run_item = await self._table.get(self._run_key)
            repository_item = await self._table.get(self._repository_key)
            if run_item is None or repository_item is None:
                return
            run, repository = Run.from_item(run_item), Repository.from_item(repository_item)
            if run.done or not run.emitted or run.pending > 0 or repository.run != run.run:
                return
            if repository.state is RepositoryState.DELETING:
                return
            try:
                await self._table.transact(self._completion(repository, run))
            except ConditionFailed:
                continue
            self._report(run)
            return
        raise RetryableError("the repository kept changing")

    def _completion(self, repository: Repository, run: Run) -> list[Write]:
        """Return the writes that make the target the completed state, or that own up to its failure."""
        now = self._clock()
        error = self._error(run)
        changes: dict[str, Any] = {"state": _state(repository, run).value, "served": run.seen}
        if run.broken is None:
            changes |= {
                "heads": run.heads,
                "attempted": [],
                "counts": counts_after(repository, run, len(run.failed)).model_dump(),
                "submodules": run.submodules,
                "unindexed": [source.source_id for source in run.failed],
                "last_synced_at": max(iso(now), repository.last_synced_at or ""),
            }
            head = {"head": run.heads[run.main], "main": run.main} if run.main in run.heads else {}
            changes |= head | ({"floor": run.run} if run.full else {})
            removed = [] if head else ["head", "main"]
        else:
            removed = []
        # Trying once more what failed before is not news: without the pause it would go on like that for ever.
        repeated = bool(run.failed) and run.heads == repository.heads
        changes |= next_check(repository, now, quiet=run.broken is not None or repeated)
        changes |= {"last_error": error.model_dump()} if error else {}
        removed += [] if error else ["last_error"]
        counts = counts_after(repository, run, len(run.failed)).model_dump()
        told = self._news(repository, _state(repository, run), error=error, run=run.run, pending=0, counts=counts)
        writes: list[Write] = [self._repository_update(repository, run, changes, removed), self._closed(now), told]
        if run.broken is None:
            writes += self._shown(repository, run, now)
        if repository.wanted > run.seen:
            writes.append(self._again())
        return writes

    def _shown(self, repository: Repository, run: Run, now: float) -> list[Write]:
        """Return the writes that tell the index where the repository stands, from now on and for ever as of now."""
        commit = run.heads.get(run.main) if run.main else None
        branch, floor = run.main if commit else None, run.run if run.full else repository.floor
        head = Head(repository.id, run.run, commit, branch, run.heads, floor)
        # Clocks differ: of two runs, the later one must not have completed earlier.
        at = max(iso(now), repository.last_synced_at or "")
        manifest, history = self._dependencies.manifest(self._tenant_id), HeadHistory(self._table, self._tenant_id)
        return [manifest.head(head), *history.record(head, at)]

    def _repository_update(
        self, repository: Repository, run: Run, changes: Mapping[str, Any], removed: list[str]
    ) -> Update:
        return Update(
            self._repository_key,
            set=changes,
            remove=removed,
            condition="#run = :run AND #wanted = :wanted AND #state = :state",
            values={":run": run.run, ":wanted": repository.wanted, ":state": repository.state.value},
        )

    def _closed(self, now: float) -> Update:
        return Update(
            self._run_key,
            set={"done": True, "expires_at": int(now) + KEPT_SECONDS},
            condition="#done = :no AND #emitted = :yes AND #pending = :none",
            values={":no": False, ":yes": True, ":none": 0},
        )

    def _again(self) -> Write:
        return outbox.message(
            SyncRepository(
                tenant_id=self._tenant_id,
                correlation_id=self._correlation_id,
                repository_id=self._origin.repository_id,
                reason="continue",
            )
        )

    def _error(self, run: Run) -> SyncError | None:
        if run.broken is not None:
            return run.broken
        if run.failed:
            first = run.failed[0]
            more = f" and {len(run.failed) - 1} more" if len(run.failed) > 1 else ""
            message = f"{first.name}{more} could not be indexed: {first.cause}"
            return SyncError(code="indexing_failed", message=message, at=iso(self._clock()))
        return run.missing

    def _report(self, run: Run) -> None:
        log("info", "run completed", run=run.run, batches=run.batches, chunks=run.chunks, failed=len(run.failed))
        emit({"SyncRuns": (1, "Count")}, outcome="failed" if run.broken else "completed")


def _state(repository: Repository, run: Run) -> RepositoryState:
    if repository.state is RepositoryState.DISCONNECTED:
        return RepositoryState.DISCONNECTED
    return RepositoryState.FAILED if run.broken or run.missing else RepositoryState.SYNCED
