"""What the table holds of a repository's syncs, and the pure rules about it. Knows nothing of git: completion, which
runs without the git libraries, shares it with the sync worker.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from almanac.aws import keys, outbox
from almanac.aws.table import Delete, Put, Write
from almanac.clock import iso
from almanac.events import BatchOrigin, IndexSources
from almanac.index.manifest import Awaited, to_item
from projects.model import RepositoryRecord, SyncCounts, SyncError, SyncRun
from projects.sync.failures import SyncFailed
from projects.sync.order import AS_WALKED

STALE_SECONDS = 900
"""A run without progress for this long is stuck."""
FIRST_CHECK_SECONDS = 900
LAST_CHECK_SECONDS = 86_400
KEPT_SECONDS = 30 * 86_400
"""How long runs and batches stay to be looked at."""


class FailedSource(BaseModel):
    """A source that could not be indexed, what a person calls it, and why."""

    model_config = ConfigDict(frozen=True)

    source_id: str
    name: str
    code: str
    cause: str


class Repository(RepositoryRecord):
    """A repository with what only its syncs use.

    `main` is the branch that `head` is of. `unindexed` are sources of the completed state that failed: the next run
    tries them again. `check_seconds` is the pause before the next check, which grows while nothing happens. `starts`
    counts the workers since the last one that ended as it should: those in between were killed.

    The run numbered `rebuild_from`, or the first after it to complete, sends everything again, as if the index held
    nothing of the target; it makes itself the `floor`: what earlier runs sent is not shown from then on.
    """

    main: str | None = None
    unindexed: list[str] = Field(default_factory=list)
    check_seconds: int = 0
    starts: int = 0
    rebuild_from: int = 0
    floor: int = 0

    @property
    def wants_rebuild(self) -> bool:
        return self.rebuild_from > self.floor


class Run(SyncRun):
    """One run. `files`, `commits` and `skipped` are changes against the completed state, as far as the cursor got.

    `seen` is how many requests there were when it began: its end serves them.
    `failures` counts the entries of `failed`. `broken` says that the index may not hold the target when all batches
    are done. `missing` is why the target has no branches, or only those that were there before. `full` says that it
    sends all of its target, and counts it. `order` is the order (`projects.sync.order`) that its cursor counts in.
    """

    owner: str | None = None
    seen: int = 0
    order: int = AS_WALKED
    main: str | None = None
    missing: SyncError | None = None
    files: int = 0
    commits: int = 0
    chunks: int = 0
    skipped: dict[str, int] = Field(default_factory=dict)
    submodules: list[str] = Field(default_factory=list)
    failures: int = 0
    failed: list[FailedSource] = Field(default_factory=list)
    broken: SyncError | None = None
    full: bool = False
    done: bool = False
    nudges: int = 0
    progress_at: int = 0

    @property
    def position(self) -> int:
        return int(self.cursor or 0)


def batch_writes(message: IndexSources, now: float) -> list[Write]:
    """Return the three writes that send a batch of a run, remember that it is out, and have the index await it."""
    origin = message.origin
    if not isinstance(origin, BatchOrigin):
        raise TypeError("only a run sends batches")
    item = {
        **keys.sync_batch(message.tenant_id, origin.repository_id, origin.run, origin.batch).as_dict(),
        "entity": "sync_batch",
        "batch": origin.batch,
        "expires_at": int(now) + KEPT_SECONDS,
    }
    awaited = Awaited(
        name=_awaited_name(origin.repository_id, origin.run, origin.batch),
        origin=origin,
        batch_key=message.batch_key,
        container_id=origin.repository_id,
        since=iso(now),
    )
    return [
        Put(item),
        Put(to_item(message.tenant_id, awaited), overwrite=True),
        outbox.message(message),
    ]


def batch_removal(tenant_id: str, origin: BatchOrigin) -> list[Write]:
    """Return the writes that take back what remembers a batch; the first is refused when that was done before."""
    name = _awaited_name(origin.repository_id, origin.run, origin.batch)
    return [
        Delete(keys.sync_batch(tenant_id, origin.repository_id, origin.run, origin.batch), "attribute_exists(#pk)"),
        Delete(keys.index_awaiting(tenant_id, name)),
    ]


def awaited_batches(tenant_id: str, repository_id: str, run: int | None = None) -> keys.Key:
    """Return what the keys of a repository's or of a run's awaited batches begin with."""
    return keys.index_awaiting(tenant_id, f"{repository_id}#" if run is None else f"{repository_id}#{run}#")


def _awaited_name(repository_id: str, run: int, batch: int) -> str:
    return f"{repository_id}#{run}#{batch}"


def index_message(tenant_id: str, correlation_id: str, repository_id: str, run: int, batch: int) -> IndexSources:
    """Return the message for a batch whose object is in the bucket."""
    return IndexSources(
        tenant_id=tenant_id,
        correlation_id=correlation_id,
        batch_key=keys.batch_object(tenant_id, repository_id, run, batch),
        origin=BatchOrigin(repository_id=repository_id, run=run, batch=batch),
    )


def error_of(failure: SyncFailed, now: float) -> SyncError:
    return SyncError(code=failure.code, message=failure.cause, at=iso(now))


def counts_after(repository: Repository, run: Run, unindexed: int) -> SyncCounts:
    """Return the counts of the target. `chunks` counts what was written over time, not what is left of it."""
    old = SyncCounts(chunks=repository.counts.chunks) if run.full else repository.counts
    skipped = {
        reason: old.skipped.get(reason, 0) + run.skipped.get(reason, 0) for reason in {*old.skipped, *run.skipped}
    }
    skipped["indexing_failed"] = unindexed
    return SyncCounts(
        files=max(0, old.files + run.files),
        commits=max(0, old.commits + run.commits),
        chunks=old.chunks + run.chunks,
        skipped={reason: count for reason, count in sorted(skipped.items()) if count > 0},
    )


def next_check(repository: Repository, now: float, *, quiet: bool) -> dict[str, Any]:
    """Return when to look without being asked: soon after a change, ever less often while there is none."""
    pause = min(LAST_CHECK_SECONDS, 2 * repository.check_seconds) if quiet else FIRST_CHECK_SECONDS
    pause = max(FIRST_CHECK_SECONDS, pause)
    return {"check_seconds": pause, **due(now + pause)}


def due(at: float) -> dict[str, Any]:
    return {"next_check_at": iso(at), "gsi2pk": keys.due_repositories(), "gsi2sk": iso(at)}
