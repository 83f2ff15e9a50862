"""Checkpoints in the table. A link in the project's partition lets the project's delete find each one."""

from collections.abc import Mapping, Sequence
from typing import Any

from almanac.active import ACTIVE, DELETING, is_active
from almanac.aws import keys, outbox
from almanac.aws.table import Check, Delete, Put, Update
from almanac.aws.transactions import Parts, Refused
from almanac.dependencies import Dependencies
from almanac.events import DeleteCheckpoint
from almanac.ids import is_id
from almanac.visible import Sight
from projects.errors import CheckpointNotFound, ProjectNotFound
from projects.model import Checkpoint, State
from projects.stores.base import UNLISTED, Listing, Store, listing_start
from projects.stores.projects import still_active


class CheckpointStore(Store):
    """A checkpoint of a project that its reader does not see is not found."""

    def __init__(self, dependencies: Dependencies, tenant_id: str, sight: Sight) -> None:
        super().__init__(dependencies, tenant_id)
        self._sight = sight

    async def get(self, checkpoint_id: str, *, field: str | None = None) -> Checkpoint:
        """Return a checkpoint of an active project; raises `CheckpointNotFound`, which names `field`."""
        key = keys.checkpoint(self._tenant_id, checkpoint_id)
        item = await self._table.get(key) if is_id(checkpoint_id, "chk") else None
        if is_active(item):
            checkpoint = Checkpoint.from_item(item)
            project = await self._table.get(keys.project(self._tenant_id, checkpoint.project_id))
            if is_active(project) and await self._sight.shows(project):
                return checkpoint
        raise CheckpointNotFound(field=field)

    async def check_shown(self, checkpoint_id: str, *, field: str | None = None) -> None:
        """Refuse a checkpoint in a hidden project; of one that is gone nothing is said. Raises `CheckpointNotFound`."""
        item = await self._table.get(keys.checkpoint(self._tenant_id, checkpoint_id))
        if item is not None and item["project_id"] in await self._sight.hidden():
            raise CheckpointNotFound(field=field)

    async def list(self, project_id: str, limit: int, after: str | None) -> Listing[Checkpoint]:
        partition = keys.checkpoints(self._tenant_id, project_id)
        start = listing_start(keys.checkpoint(self._tenant_id, after), partition, after) if after else None
        return await self._list(partition, Checkpoint, limit, start)

    async def create(self, checkpoint: Checkpoint, remembered: Sequence[Put]) -> None:
        """Write a new checkpoint; raises `ProjectNotFound`, or `Refused` when another call remembered first."""
        link = keys.project_checkpoint(self._tenant_id, checkpoint.project_id, checkpoint.id)
        try:
            await self._commit(
                {
                    "project": still_active(self._tenant_id, checkpoint.project_id),
                    "checkpoint": Put(checkpoint.to_item(self._tenant_id)),
                    "link": Put({**link.as_dict(), "entity": "project_checkpoint", "checkpoint_id": checkpoint.id}),
                    "idempotency": remembered,
                }
            )
        except Refused as refused:
            if refused.part == "project":
                raise ProjectNotFound(field="body.project_id") from None
            raise

    async def update(self, checkpoint_id: str, version: int, changes: Mapping[str, Any]) -> Checkpoint:
        """Change a checkpoint that is still at `version`; raises `CheckpointNotFound` or `VersionConflict`."""
        key = keys.checkpoint(self._tenant_id, checkpoint_id)
        return Checkpoint.from_item(await self._edit(key, version, changes, CheckpointNotFound()))

    async def delete(self, checkpoint: Checkpoint, then: DeleteCheckpoint) -> None:
        """Hide a checkpoint and its messages, from readers and from search; raises `CheckpointNotFound`."""
        parts = {**self.deletion(checkpoint.project_id, then), "index": self._manifest.drop(checkpoint.id)}
        try:
            await self._commit(parts)
        except Refused:
            raise CheckpointNotFound from None

    async def delete_with_project(self, project_id: str, then: DeleteCheckpoint) -> None:
        """Begin the delete of a checkpoint whose project is hidden already; begun before, it only loses its link."""
        try:
            await self._commit(self.deletion(project_id, then))
        except Refused:
            link = keys.project_checkpoint(self._tenant_id, project_id, then.checkpoint_id)
            await self._table.write(Delete(link))

    def deletion(self, project_id: str, then: DeleteCheckpoint) -> Parts:
        """Return the parts of a transaction that hide a checkpoint and have it removed."""
        return {
            "checkpoint": Update(
                keys.checkpoint(self._tenant_id, then.checkpoint_id),
                set={"state": State.DELETING},
                remove=UNLISTED,
                condition=ACTIVE,
                values=DELETING,
            ),
            "link": Delete(keys.project_checkpoint(self._tenant_id, project_id, then.checkpoint_id)),
            "outbox": outbox.message(then),
        }


def checkpoint_active(tenant_id: str, checkpoint_id: str) -> Check:
    """Let a transaction depend on the checkpoint, so that no message is created in one that is being deleted."""
    return Check(keys.checkpoint(tenant_id, checkpoint_id), condition=ACTIVE, values=DELETING)
