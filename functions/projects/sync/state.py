"""The sync worker's side of the table.

wanted   counts requests, served how many of them the last look at the remote had seen
lease    who works on the repository, and until when without renewing; every write names its holder
run      one target being brought into the index: cursor, batches out, batches pending
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from almanac.aws import keys, outbox
from almanac.aws.table import ConditionFailed, Delete, Item, Put, Table, Update, Write
from almanac.clock import iso
from almanac.events import IndexSources, SyncRepository
from projects import news
from projects.model import Attempt, RepositoryState, SyncError
from projects.sync.order import BY_RANK
from projects.sync.records import (
    KEPT_SECONDS,
    STALE_SECONDS,
    Repository,
    Run,
    awaited_batches,
    batch_writes,
    due,
    error_of,
    index_message,
    next_check,
)

if TYPE_CHECKING:
    from projects.sync.emit import Step
    from projects.sync.remote import Target

LEASE_SECONDS = 90
_SETTLED_AT_ONCE = 90
_NOT_DELETING = "#state <> :deleting"
_DELETING = {":deleting": RepositoryState.DELETING.value}


class Gone(Exception):
    """The repository does not exist any more, or is being deleted."""


class LeaseLost(Exception):
    """Somebody else works on the repository now: stop, and write nothing more."""


class SyncStore:
    """The table as one worker sees it, for one repository; `owner` names the worker's lease."""

    def __init__(
        self,
        table: Table,
        tenant_id: str,
        repository_id: str,
        owner: str,
        correlation_id: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._tenant_id = tenant_id
        self._repository_id = repository_id
        self._key = keys.repository(tenant_id, repository_id)
        self._owner = owner
        self._correlation_id = correlation_id
        self._clock = clock

    async def acquire(self, *, counted: bool) -> Repository | None:
        """Take the lease, counting a request; None when another holds it, who will see the count. Raises `Gone`."""
        add = {"starts": 1, **({"wanted": 1} if counted else {})}
        for _ in range(10):
            now = int(self._clock())
            take = Update(
                self._key,
                # Due before long: a worker that is killed here left nothing else that somebody would come for.
                set={"lease_owner": self._owner, "lease_until": now + LEASE_SECONDS, **due(now + STALE_SECONDS)},
                add=add,
                condition=f"attribute_exists(#pk) AND {_NOT_DELETING} AND "
                "(attribute_not_exists(#lease_owner) OR #lease_until < :now)",
                values={**_DELETING, ":now": now},
            )
            try:
                return Repository.from_item(await self._table.write(take) or {})
            except ConditionFailed as failed:
                holder = failed.item
            if holder is None or holder["state"] == RepositoryState.DELETING.value:
                raise Gone
            if holder.get("lease_owner") == self._owner:
                return Repository.from_item(holder)  # The answer to our write was lost, and the client repeated it.
            if not counted or await self._count_with(holder):
                return None
        return None

    async def _count_with(self, holder: Item) -> bool:
        """Count a request while the holder of the lease still holds it, and so has to see it when it lets go."""
        count = Update(
            self._key,
            add={"wanted": 1},
            condition="#lease_owner = :holder",
            values={":holder": holder.get("lease_owner", "")},
        )
        try:
            await self._table.write(count)
        except ConditionFailed:
            return False
        return True

    async def renew(self) -> None:
        """Hold the lease for longer; raises `LeaseLost`."""
        await self._held(Update(self._key, set={"lease_until": int(self._clock()) + LEASE_SECONDS}))

    async def mark(self, repository: Repository, state: RepositoryState) -> None:
        """Show a state while working, and tell it; raises `LeaseLost`."""
        shown = self._while_held(Update(self._key, set={"state": state.value}))
        await self._transact([shown, self._news(repository, state)])

    async def let_go(self) -> None:
        """Give the lease back with nothing else changed."""
        await self._held(Update(self._key, set={"starts": 0}, remove=["lease_owner"]))

    async def settle(self, repository: Repository, failure: SyncError | None, *, quiet: bool) -> bool:
        """Give the lease back after a look at the remote that led to no run; False when more was wanted meanwhile."""
        check = next_check(repository, self._clock(), quiet=quiet)
        changes: dict[str, Any] = {"served": repository.wanted, "starts": 0, **check}
        remove = ["lease_owner"]
        if failure is not None:
            changes |= {"state": RepositoryState.FAILED.value, "last_error": failure.model_dump()}
        elif not repository.unindexed:
            changes["state"] = RepositoryState.SYNCED.value
            remove.append("last_error")
        if failure is None:
            changes["last_synced_at"] = iso(self._clock())
        update = Update(
            self._key, set=changes, remove=remove, condition="#wanted = :wanted", values={":wanted": repository.wanted}
        )
        told = self._settled(repository, changes, failure)
        try:
            if told:
                await self._transact([self._while_held(update), *told])
            else:
                await self._held(update)
        except LeaseLost:
            item = await self._table.get(self._key)
            if item is None or item.get("lease_owner") != self._owner:
                raise
            return False
        return True

    def _settled(self, before: Repository, changes: Mapping[str, Any], failure: SyncError | None) -> Sequence[Write]:
        """Return what tells of a look at the remote: nothing where everything is as it was."""
        known = before.last_error.code if before.last_error else None
        state = RepositoryState(changes.get("state", before.state))
        if (state, failure.code if failure else None) == (before.state, known if failure else None):
            return []
        return [self._news(before, state, error=failure)]

    async def repository(self) -> Repository:
        """Return the repository as it is now; raises `LeaseLost` when it is not ours any more."""
        item = await self._table.get(self._key)
        if item is None or item.get("lease_owner") != self._owner:
            raise LeaseLost
        return Repository.from_item(item)

    async def run(self, repository: Repository) -> Run | None:
        """Return the run that is going on, if one is."""
        if repository.run == 0:
            return None
        item = await self._table.get(keys.sync_run(self._tenant_id, self._repository_id, repository.run))
        run = Run.from_item(item) if item else None
        return None if run is None or run.done else run

    async def start(self, repository: Repository, target: "Target") -> Run:
        """Begin a run: its target is known as attempted before anything of it is written. Raises `LeaseLost`."""
        now = self._clock()
        number = repository.run + 1
        missing = error_of(target.missing, now) if target.missing else None
        run = Run(
            run=number,
            heads=target.heads,
            main=target.main,
            missing=missing,
            owner=self._owner,
            seen=repository.wanted,
            order=BY_RANK,
            started_at=iso(now),
            progress_at=int(now),
            full=repository.wants_rebuild,
        )
        others = [attempt for attempt in repository.attempted if attempt.heads != target.heads]
        attempted = [*others, Attempt(run=number, heads=target.heads)]
        begin = Update(
            self._key,
            set={
                "run": number,
                "attempted": [attempt.model_dump() for attempt in attempted],
                "state": RepositoryState.SYNCING.value,
                **due(now + STALE_SECONDS),
            },
            condition="#lease_owner = :owner AND #run = :run AND " + _NOT_DELETING,
            values={":owner": self._owner, ":run": repository.run, **_DELETING},
        )
        item = {**run.to_item(self._tenant_id, self._repository_id), "expires_at": int(now) + KEPT_SECONDS}
        await self._transact([begin, Put(item)])
        return run

    async def resume(self, run: Run) -> None:
        """Take over a run that another worker began; whatever that one still writes is refused from here on."""
        await self._transact([self._renewal(), self._run_update(run, {"owner": self._owner}, owned=False)])

    async def add_step(self, run: Run, step: "Step") -> Run:
        """Record a step and, when it has a batch, send that to be indexed: all or nothing. Raises `LeaseLost`."""
        after = _stepped(run, step)
        changes: dict[str, Any] = {
            "cursor": after.cursor,
            "files": after.files,
            "commits": after.commits,
            "skipped": after.skipped,
            "progress_at": int(self._clock()),
        }
        if step.batch is None:
            await self._transact([self._run_update(run, changes)])
            return after
        sent = batch_writes(self.index_message(run.run, run.batches), self._clock())
        progress = self._run_update(run, {**changes, "batches": after.batches}, add={"pending": 1})
        await self._transact([progress, *sent])
        return after

    def index_message(self, run: int, batch: int) -> IndexSources:
        return index_message(self._tenant_id, self._correlation_id, self._repository_id, run, batch)

    async def hand_over(self, run: Run) -> None:
        """Give the lease back and ask for another invocation to go on from the cursor."""
        keep = self._run_update(run, {"progress_at": int(self._clock())})
        await self._transact([self._release(), keep, self.sync_message("continue")])

    async def emitted(self, repository: Repository, run: Run, submodules: Sequence[str]) -> None:
        """Record that the last batch is out, tell it, and give the lease back."""
        changes = {"emitted": True, "submodules": list(submodules), "progress_at": int(self._clock())}
        release = self._release({"state": RepositoryState.INDEXING.value})
        told = self._news(repository, RepositoryState.INDEXING, run=run.run, batches=run.batches)
        await self._transact([self._run_update(run, changes), release, told])

    async def nudge(self, run: Run, limit: int) -> int:
        """Send the batches that a stuck run waits for again, at most `limit`, and give the lease back."""
        page = await self._table.query(self._key.pk, prefix=keys.sync_batches(run.run), limit=limit)
        again = [outbox.message(self.index_message(run.run, item["batch"])) for item in page.items]
        progress = self._run_update(run, {"progress_at": int(self._clock())}, add={"nudges": 1}, owned=False)
        check = self._release(due(self._clock() + STALE_SECONDS))
        await self._transact([check, progress, *again])
        return len(again)

    async def abandon(self, run: Run) -> None:
        """Close a run that will not end; its target stays among the attempted ones. Nobody waits for its batches now.

        Raises `LeaseLost` also when the run went on meanwhile: its batches may be others than those taken off here.
        """
        while batches := await self._awaited(run):
            await self._transact([self._renewal(), *(Delete(key) for key in batches)])
        close = self._run_update(run, {"done": True}, owned=False)
        still = replace(
            close,
            condition=f"{close.condition} AND #pending = :pending",
            values={**close.values, ":pending": run.pending},
        )
        await self._transact([self._renewal(), still])

    async def _awaited(self, run: Run) -> list[keys.Key]:
        prefix = awaited_batches(self._tenant_id, self._repository_id, run.run)
        page = await self._table.query(prefix.pk, prefix=prefix.sk, limit=_SETTLED_AT_ONCE)
        return [keys.Key(item["pk"], item["sk"]) for item in page.items]

    def sync_message(self, reason: str) -> Put:
        return outbox.message(
            SyncRepository.model_validate(
                {
                    "tenant_id": self._tenant_id,
                    "correlation_id": self._correlation_id,
                    "repository_id": self._repository_id,
                    "reason": reason,
                }
            )
        )

    async def go_again(self) -> None:
        """Give the lease back and ask for another look."""
        await self._transact([self._release(), self.sync_message("requested")])

    def _news(
        self, repository: Repository, state: RepositoryState, *, error: SyncError | None = None, **progress: Any
    ) -> Put:
        return news.repository(
            self._tenant_id, self._correlation_id, repository, state, self._clock(), error=error, **progress
        )

    def _renewal(self) -> Update:
        return Update(
            self._key,
            set={"lease_until": int(self._clock()) + LEASE_SECONDS},
            condition=f"#lease_owner = :owner AND {_NOT_DELETING}",
            values={":owner": self._owner, **_DELETING},
        )

    def _release(self, changes: Mapping[str, Any] | None = None) -> Update:
        return Update(
            self._key,
            set={"starts": 0, **(changes or {})},
            remove=["lease_owner"],
            condition=f"#lease_owner = :owner AND {_NOT_DELETING}",
            values={":owner": self._owner, **_DELETING},
        )

    def _run_update(
        self, run: Run, changes: Mapping[str, Any], *, add: Mapping[str, int] | None = None, owned: bool = True
    ) -> Update:
        """Return a change of a run that is still where we know it to be."""
        condition = "#done = :no AND #run = :run"
        values: dict[str, Any] = {":no": False, ":run": run.run}
        if owned:
            condition += " AND #owner = :owner AND #emitted = :no"
            values |= {":owner": self._owner}
            condition += " AND #cursor = :cursor" if run.cursor is not None else " AND attribute_not_exists(#cursor)"
            values |= {":cursor": run.cursor} if run.cursor is not None else {}
        key = keys.sync_run(self._tenant_id, self._repository_id, run.run)
        return Update(key, set=changes, add=add or {}, condition=condition, values=values)

    async def _held(self, update: Update) -> None:
        try:
            await self._table.write(self._while_held(update))
        except ConditionFailed:
            raise LeaseLost from None

    def _while_held(self, update: Update) -> Update:
        """Return a change of the repository that is refused when it is not ours any more."""
        given = "" if update.condition == "attribute_exists(#pk)" else f" AND {update.condition}"
        return replace(
            update,
            condition=f"#lease_owner = :owner AND {_NOT_DELETING}{given}",
            values={":owner": self._owner, **_DELETING, **update.values},
        )

    async def _transact(self, writes: Sequence[Write]) -> None:
        try:
            await self._table.transact(writes)
        except ConditionFailed:
            raise LeaseLost from None


def _stepped(run: Run, step: "Step") -> Run:
    delta = step.delta
    skipped = {reason: run.skipped.get(reason, 0) + delta.skipped[reason] for reason in {*run.skipped, *delta.skipped}}
    return run.model_copy(
        update={
            "cursor": str(step.cursor),
            "files": run.files + delta.files,
            "commits": run.commits + delta.commits,
            "skipped": skipped,
            "batches": run.batches + (step.batch is not None),
        }
    )
