"""Bringing one repository up to date: look at the remote, fetch, plan, send what differs to be indexed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import perf_counter

from almanac.aws import keys
from almanac.aws.blobs import TRANSIENT
from almanac.aws.table import ConditionFailed, Update
from almanac.events import SyncRepository
from almanac.ids import new_ulid
from almanac.limits.quotas import QuotaExceeded
from almanac.observability import emit, log, log_failure
from almanac.worker.batch import Deadline
from projects import news
from projects.model import RepositoryState
from projects.sync import completion, failures
from projects.sync.dependencies import SyncDependencies
from projects.sync.emit import Emission, Step
from projects.sync.fetch import Fetcher
from projects.sync.objects import Objects
from projects.sync.packs import forget
from projects.sync.records import STALE_SECONDS, Repository, Run, counts_after, error_of
from projects.sync.remote import Target
from projects.sync.sources import Origin
from projects.sync.state import LEASE_SECONDS, Gone, LeaseLost, SyncStore

MAX_SUBMODULES = 100
MAX_ATTEMPTED = 12
MAX_NUDGES = 3
MAX_STARTS = 8
"""A sync whose workers were killed this often in a row rests until the next check, or until a person asks."""
_NUDGED_BATCHES = 80
_ROUNDS = 5
_COUNTED_HERE = {"push", "reconcile"}
"""Requests of these reasons are counted by the worker; the API counts its own when it queues them."""
_RETRIED = {"requested", "reconcile", "rebuild"}
_BY_PEOPLE = {"requested", "rebuild"}


async def sync(dependencies: SyncDependencies, message: SyncRepository, deadline: Deadline) -> None:
    """Do what a message asks for, as far as the deadline allows; idempotent, and safe beside others doing the same."""
    store = SyncStore(
        dependencies.table,
        message.tenant_id,
        message.repository_id,
        new_ulid(),
        message.correlation_id,
        dependencies.clock,
    )
    try:
        repository = await store.acquire(counted=message.reason in _COUNTED_HERE)
    except Gone:
        log("info", "repository is gone", repository_id=message.repository_id)
        return
    if repository is None:
        log("info", "repository is being synced by another worker", repository_id=message.repository_id)
        return
    began = perf_counter()
    async with _kept(store):
        try:
            await _Sync(dependencies, message, deadline, store).work(repository)
        except LeaseLost:
            log("warning", "lease lost", repository_id=message.repository_id)
        except Exception:
            with suppress(Exception):
                # Whatever it was, the next try begins with what is stored.
                await asyncio.to_thread(forget, dependencies.cache, message.tenant_id, message.repository_id)
                await store.let_go()
            raise
    emit({"Sync": ((perf_counter() - began) * 1000, "Milliseconds")}, worker="sync")


async def give_up(dependencies: SyncDependencies, message: SyncRepository, code: str) -> None:
    """Show a failure that is not the host's, whoever holds the lease."""
    cause = "The sync stopped on an error of Almanac's own. It is tried again by itself; the log has the details."
    error = error_of(failures.SyncFailed(code, cause), dependencies.clock())
    key = keys.repository(message.tenant_id, message.repository_id)
    item = await dependencies.table.get(key)
    if item is None:
        return
    failed = Update(
        key,
        set={"state": RepositoryState.FAILED.value, "last_error": error.model_dump()},
        condition="attribute_exists(#pk) AND #state <> :deleting",
        values={":deleting": RepositoryState.DELETING.value},
    )
    told = news.repository(
        message.tenant_id,
        message.correlation_id,
        Repository.from_item(item),
        RepositoryState.FAILED,
        dependencies.clock(),
        error=error,
    )
    with suppress(ConditionFailed):
        await dependencies.table.transact([failed, told])


@asynccontextmanager
async def _kept(store: SyncStore) -> AsyncIterator[None]:
    """Renew the lease while the body runs. A lost lease shows in the body's next write."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 4)
            try:
                await store.renew()
            except LeaseLost:
                return
            except Exception as error:  # noqa: BLE001 - the lease outlives three failed renewals
                log_failure("could not renew the lease", error)

    task = asyncio.create_task(renew())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


class _Sync:
    """One repository under this worker's lease."""

    def __init__(
        self, dependencies: SyncDependencies, message: SyncRepository, deadline: Deadline, store: SyncStore
    ) -> None:
        self._dependencies = dependencies
        self._tuning = dependencies.tuning
        self._message = message
        self._deadline = deadline
        self._store = store

    async def work(self, repository: Repository) -> None:
        """Go on with the run that is open, else look for something new until nothing is. Gives the lease back."""
        if repository.starts > MAX_STARTS and self._message.reason not in _BY_PEOPLE:
            failure = error_of(failures.unfinished(repository.starts - 1), self._dependencies.clock())
            if await self._store.settle(repository, failure, quiet=True):
                return None
        for _ in range(_ROUNDS):
            run = await self._store.run(repository)
            if run is not None and not await self._is_stuck(run):
                return await self._go_on(repository, run)
            if self._message.reason == "continue" and repository.wanted <= repository.served:
                return await self._store.let_go()
            if await self._look(repository):
                return None
            repository = await self._store.repository()
        return await self._store.go_again()

    async def _is_stuck(self, run: Run) -> bool:
        """Close a run that stayed without progress however often its batches were sent again."""
        stale = self._dependencies.clock() - run.progress_at > STALE_SECONDS
        if not (run.emitted and stale and run.nudges >= MAX_NUDGES):
            return False
        await self._store.abandon(run)
        log("error", "run abandoned", repository_id=self._message.repository_id, run=run.run, pending=run.pending)
        return True

    async def _go_on(self, repository: Repository, run: Run) -> None:
        if not run.emitted:
            await self._store.resume(run)
            objects = await self._fetcher(repository).packs.open()
            await self._emit(repository, run, objects)
        elif run.pending > 0 and self._dependencies.clock() - run.progress_at > STALE_SECONDS:
            sent = await self._store.nudge(run, _NUDGED_BATCHES)
            log("warning", "batches sent again", repository_id=repository.id, run=run.run, batches=sent)
        else:
            # Its completion looks whether more was wanted meanwhile.
            await self._store.let_go()
            await self._finish(run)

    async def _look(self, repository: Repository) -> bool:
        """Compare with the remote and bring in what is new; False when more was asked for in the meantime."""
        fetcher = self._fetcher(repository)
        try:
            target = await fetcher.look()
            if not self._is_new(repository, target):
                missing = error_of(target.missing, self._dependencies.clock()) if target.missing else None
                return await self._store.settle(repository, missing, quiet=True)
            await self._check_room()
            await self._store.mark(repository, RepositoryState.SYNCING)
            target, objects = await fetcher.fetch()
        except failures.SyncFailed as failure:
            try:
                target, objects = await self._recovered(fetcher, repository, failure)
            except failures.SyncFailed:
                return await self._store.settle(repository, error_of(failure, self._dependencies.clock()), quiet=True)
        try:
            run = await self._store.start(repository, _bounded(repository, target))
        except BaseException:
            objects.close()
            raise
        await self._emit(repository, run, objects)
        return True

    async def _check_room(self) -> None:
        """Raise `SyncFailed` when the tenant has as much content as it may. A run that has begun comes to its end."""
        try:
            await self._dependencies.usage.refuse_content(self._message.tenant_id)
        except QuotaExceeded as error:
            raise failures.over_quota(error.detail) from None

    async def _recovered(
        self, fetcher: Fetcher, repository: Repository, failure: failures.SyncFailed
    ) -> tuple[Target, Objects]:
        """Return what a rebuild can do without the remote; raises `SyncFailed` where there is nothing."""
        log("warning", "sync failed", repository_id=repository.id, code=failure.code)
        emit({"SyncFailures": (1, "Count")}, code=failure.code)
        if not repository.wants_rebuild:
            raise failure
        return await fetcher.stored(failure)

    def _is_new(self, repository: Repository, target: Target) -> bool:
        if target.heads != repository.heads or repository.attempted or repository.wants_rebuild:
            return True
        retried = self._message.reason in _RETRIED or repository.state is RepositoryState.FAILED
        return retried and bool(repository.unindexed)

    async def _emit(self, repository: Repository, run: Run, objects: Objects) -> None:
        """Send what differs, step by step, until all is out or the deadline is near."""
        ahead: asyncio.Task[Step] | None = None
        try:
            emission = Emission(
                objects,
                self._origin(repository, run),
                self._before(repository, run, objects),
                forced=frozenset() if run.full else frozenset(repository.unindexed),
                in_order=run.order,
                cursor=run.position,
                limits=self._tuning.step,
            )
            step = await asyncio.to_thread(emission.step)
            while True:
                enough = self._deadline.remaining() < self._tuning.margin
                # The next step is made ready while this one is written.
                ahead = None if step.last or enough else asyncio.create_task(asyncio.to_thread(emission.step))
                run = await self._write(run, step)
                if ahead is None:
                    break
                step = await ahead
            if not step.last:
                log("info", "continues in the next message", repository_id=repository.id, run=run.run)
                await self._store.hand_over(run)
                return
            gitlinks = counts_after(repository, run, 0).skipped.get("submodule", 0)
            submodules = await asyncio.to_thread(emission.submodules, MAX_SUBMODULES) if gitlinks > 0 else []
        finally:
            if ahead is not None:
                await asyncio.wait([ahead])
            objects.close()
        await self._store.emitted(repository, run, submodules)
        await self._finish(run)

    def _before(self, repository: Repository, run: Run, objects: Objects) -> list[dict[str, str]]:
        states = _states(repository, run)
        if not run.full:
            return states
        # A rebuild may follow the loss of packs, and whatever a lost state held is below the floor.
        return [state for state in states if all(objects.has_commit(head) for head in state.values())]

    async def _write(self, run: Run, step: Step) -> Run:
        if step.batch is not None:
            key = self._store.index_message(run.run, run.batches).batch_key
            await self._dependencies.blobs.put(key, step.batch, tags=TRANSIENT)
        return await self._store.add_step(run, step)

    async def _finish(self, run: Run) -> None:
        message = self._message
        await completion.finish(
            self._dependencies,
            message.tenant_id,
            message.correlation_id,
            message.repository_id,
            run.run,
            clock=self._dependencies.clock,
        )

    def _fetcher(self, repository: Repository) -> Fetcher:
        return Fetcher(self._dependencies, self._message.tenant_id, repository, self._deadline, self._store.renew)

    def _origin(self, repository: Repository, run: Run) -> Origin:
        return Origin(repository.project_id, repository.id, repository.name, run.run, run.heads, run.main)


def _states(repository: Repository, run: Run) -> list[dict[str, str]]:
    """Return the states that the index may hold a mixture of, the completed one first.

    For a full run that is nothing, so that all of the target differs. What the others hold gets tombstones all the
    same: the floor hides it from the present, but not from the past between this full run and the next.
    """
    states: list[dict[str, str]] = [{}, repository.heads] if run.full else [repository.heads]
    for attempt in repository.attempted:
        if attempt.run != run.run and attempt.heads not in states:
            states.append(attempt.heads)
    return states


def _bounded(repository: Repository, target: Target) -> Target:
    """Return the target, or the last attempted one when too many different ones were begun and not one completed."""
    attempted = repository.attempted
    if len(attempted) < MAX_ATTEMPTED or any(attempt.heads == target.heads for attempt in attempted):
        return target
    heads = attempted[-1].heads
    return Target(heads, target.main if target.main in heads else min(heads, default=None))
