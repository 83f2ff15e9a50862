"""What deletes find and remove, read from base-table partitions: those show every write that was acknowledged."""

from collections.abc import Sequence
from dataclasses import dataclass

from almanac.aws import keys, outbox
from almanac.aws.keys import Key
from almanac.aws.table import ConditionFailed, Delete, Item, Table, Update
from almanac.clock import iso
from almanac.events import Event
from projects.model import IndexedState, RepositoryState
from projects.sync.records import awaited_batches

_PAGE = 100


@dataclass(frozen=True)
class Children:
    """Some of what a project holds: checkpoint ids, and repositories as (remote, id)."""

    checkpoints: list[str]
    repositories: list[tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.checkpoints or self.repositories)


@dataclass(frozen=True)
class Guarded:
    """A message of a checkpoint, and the guard that it was found by."""

    message_id: str
    guard: Key


class CascadeStore:
    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def children(self, project_id: str) -> Children:
        """Return some children of a project that are not being deleted yet; none means that none are left."""
        page = await self._table.query(keys.project(self._tenant_id, project_id).pk, limit=_PAGE)
        remotes = [item for item in page.items if item["entity"] == "project_remote"]
        links = [item for item in page.items if item["entity"] == "project_checkpoint"]
        return Children(
            [item["checkpoint_id"] for item in links], [(item["remote"], item["repository_id"]) for item in remotes]
        )

    async def messages(self, checkpoint_id: str) -> list[Guarded]:
        """Return some messages of a checkpoint; none means that none are left."""
        prefix = keys.message_hash(self._tenant_id, checkpoint_id, "")
        page = await self._table.query(prefix.pk, prefix=prefix.sk, limit=_PAGE)
        return [Guarded(item["message_id"], _key_of(item)) for item in page.items]

    async def remove_pending(self, message_id: str) -> bool:
        """Remove a message that the index still owes an answer for; False when there is none."""
        pending = Delete(
            keys.message(self._tenant_id, message_id),
            condition="#indexed.#state = :pending",
            values={":pending": IndexedState.PENDING},
        )
        try:
            await self._table.write(pending)
        except ConditionFailed:
            return False
        return True

    async def repository(self, repository_id: str) -> Item | None:
        return await self._table.get(keys.repository(self._tenant_id, repository_id))

    async def repository_parts(self, repository_id: str) -> list[Key]:
        """Return some items of a repository beside its own: runs, batches, deliveries, the hook."""
        own = keys.repository(self._tenant_id, repository_id)
        page = await self._table.query(own.pk, limit=_PAGE)
        return [key for item in page.items if (key := _key_of(item)) != own]

    async def awaited_batches(self, repository_id: str) -> list[Key]:
        """Return some of the batches of a repository that the index awaits."""
        prefix = awaited_batches(self._tenant_id, repository_id)
        page = await self._table.query(prefix.pk, prefix=prefix.sk, limit=_PAGE)
        return [_key_of(item) for item in page.items]

    async def remove(self, found: Sequence[Key]) -> None:
        """Remove items that may be gone already."""
        await self._table.batch_delete(found)

    async def remove_messages(self, found: Sequence[Guarded]) -> None:
        """Remove messages and what the index awaits of them, and only then the guards that they are found by."""
        await self.remove([keys.message(self._tenant_id, one.message_id) for one in found])
        await self.remove([keys.index_awaiting(self._tenant_id, one.message_id) for one in found])
        await self.remove([one.guard for one in found])

    async def remove_deleting(self, key: Key) -> None:
        """Remove an item that was marked as being deleted; any other stays."""
        try:
            await self._table.write(
                Delete(key, condition="#state = :deleting", values={":deleting": RepositoryState.DELETING.value})
            )
        except ConditionFailed:
            return

    async def look_again(self, repository_id: str, at: float) -> None:
        """Have the reconciler come back to a repository that is being deleted."""
        await self._table.write(
            Update(
                keys.repository(self._tenant_id, repository_id),
                set={"gsi2pk": keys.due_repositories(), "gsi2sk": iso(at), "next_check_at": iso(at)},
            )
        )

    async def send(self, event: Event) -> None:
        await self._table.write(outbox.message(event))


def _key_of(item: Item) -> Key:
    return Key(item["pk"], item["sk"])
