"""Projects in the table."""

from collections.abc import Mapping, Sequence
from typing import Any

from almanac.aws import keys, outbox
from almanac.aws.table import Check, Put, Update
from almanac.events import DeleteProject
from almanac.ids import is_id
from projects.errors import ProjectNotFound
from projects.model import Project, State
from projects.stores.base import ACTIVE, DELETING, UNLISTED, Listing, Refused, Store, is_active, listing_start


class ProjectStore(Store):
    async def get(self, project_id: str, *, field: str | None = None) -> Project:
        """Return a project; raises `ProjectNotFound`, which names `field`."""
        item = await self._table.get(keys.project(self._tenant_id, project_id)) if is_id(project_id, "prj") else None
        if item is None or not is_active(item):
            raise ProjectNotFound(field=field)
        return Project.from_item(item)

    async def list(self, limit: int, after: str | None) -> Listing[Project]:
        partition = keys.projects(self._tenant_id)
        start = listing_start(keys.project(self._tenant_id, after), partition, after) if after else None
        return await self._list(partition, Project, limit, start)

    async def create(self, project: Project, remembered: Sequence[Put]) -> None:
        """Write a new project; raises `Refused` when another call remembered its answer first."""
        await self._commit({"project": Put(project.to_item(self._tenant_id)), "idempotency": remembered})

    async def update(self, project_id: str, version: int, changes: Mapping[str, Any]) -> Project:
        """Change a project that is still at `version`; raises `ProjectNotFound` or `VersionConflict`."""
        if not is_id(project_id, "prj"):
            raise ProjectNotFound
        key = keys.project(self._tenant_id, project_id)
        return Project.from_item(await self._edit(key, version, changes, ProjectNotFound()))

    async def delete(self, project_id: str, then: DeleteProject) -> None:
        """Hide a project and everything in it, from readers and from search; raises `ProjectNotFound`."""
        if not is_id(project_id, "prj"):
            raise ProjectNotFound
        try:
            await self._commit(
                {
                    "project": Update(
                        keys.project(self._tenant_id, project_id),
                        set={"state": State.DELETING},
                        remove=UNLISTED,
                        condition=ACTIVE,
                        values=DELETING,
                    ),
                    "index": self._manifest.drop(project_id),
                    "outbox": outbox.message(then),
                }
            )
        except Refused:
            raise ProjectNotFound from None


def still_active(tenant_id: str, project_id: str) -> Check:
    """Let a transaction depend on the project, so that nothing is created in one that is being deleted."""
    return Check(keys.project(tenant_id, project_id), condition=ACTIVE, values=DELETING)
