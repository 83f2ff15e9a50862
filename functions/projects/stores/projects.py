"""Projects in the table."""

from collections.abc import Mapping, Sequence
from typing import Any

from almanac.active import ACTIVE, DELETING, is_active
from almanac.aws import keys, outbox
from almanac.aws.table import Check, Put, Update, Write
from almanac.aws.transactions import Refused
from almanac.dependencies import Dependencies
from almanac.errors import VersionConflict
from almanac.events import DeleteDocuments, DeleteProject
from almanac.ids import is_id
from almanac.limits.quotas import Quota, one_less
from almanac.private_members import closed, opened
from almanac.visible import Sight, Visibility
from projects.errors import ProjectNotFound
from projects.model import Project, State
from projects.stores.base import UNLISTED, Listing, Store, edit, listing_start


class ProjectStore(Store):
    """A project that its reader does not see is not found, whatever is to be done with it."""

    def __init__(self, dependencies: Dependencies, tenant_id: str, sight: Sight) -> None:
        super().__init__(dependencies, tenant_id)
        self._sight = sight

    async def get(self, project_id: str, *, field: str | None = None) -> Project:
        """Return a project; raises `ProjectNotFound`, which names `field`."""
        item = await self._table.get(keys.project(self._tenant_id, project_id)) if is_id(project_id, "prj") else None
        if not is_active(item) or not await self._sight.shows(item):
            raise ProjectNotFound(field=field)
        return Project.from_item(item)

    async def check_shown(self, project_id: str, *, field: str | None = None) -> None:
        """Refuse a project that is hidden; of one that is gone nothing is said. Raises `ProjectNotFound`."""
        if project_id in await self._sight.hidden():
            raise ProjectNotFound(field=field)

    async def list(self, limit: int, after: str | None) -> Listing[Project]:
        """Return a page of what the reader sees; pages are filled whatever lies hidden in between."""
        partition = keys.projects(self._tenant_id)
        start = listing_start(keys.project(self._tenant_id, after), partition, after) if after else None
        # The listing lags behind the table. So the access is read by itself, and what is new since is not shown.
        access = await self._sight.access()
        return await self._list(
            partition, Project, limit, start, lambda item: access.shows(item["id"], item.get("visibility"))
        )

    async def create(self, project: Project, actor_id: str, remembered: Sequence[Put]) -> None:
        """Write a new project, with `actor_id` as the member of a private one.

        Raises `QuotaExceeded`, or `Refused` when another call remembered its answer first.
        """
        parts: dict[str, Write | Sequence[Write]] = {
            "project": Put(project.to_item(self._tenant_id)),
            "quota": self._quotas.one_more(self._tenant_id, Quota.PROJECTS),
        }
        if project.visibility is Visibility.PRIVATE:
            parts["members"] = opened(self._tenant_id, project.id, actor_id, project.created_at)
        try:
            await self._commit({**parts, "idempotency": remembered})
        except Refused as refused:
            if refused.part == "quota":
                raise self._quotas.exceeded(refused.item, Quota.PROJECTS) from None
            raise

    async def update(self, project_id: str, version: int, changes: Mapping[str, Any], actor_id: str) -> Project:
        """Change a project that is still at `version`; raises `ProjectNotFound` or `VersionConflict`.

        Who makes a project private is its first member; with the end of a private time its members are none any more.
        """
        old = await self.get(project_id)
        if old.version != version:
            raise VersionConflict(old.version)
        wanted = changes.get("visibility", old.visibility)
        key = keys.project(self._tenant_id, project_id)
        if wanted == old.visibility:
            return Project.from_item(await self._edit(key, version, changes, ProjectNotFound()))
        if wanted == Visibility.PRIVATE:
            members = opened(self._tenant_id, project_id, actor_id, changes["updated_at"])
        else:
            members = closed(self._tenant_id, project_id)
        try:
            await self._commit({"project": edit(key, version, changes), "members": members})
        except Refused as refused:
            if not is_active(refused.item):
                raise ProjectNotFound from None
            raise VersionConflict(refused.item["version"]) from None
        return old.model_copy(update={**changes, "version": version + 1})

    async def delete(self, project_id: str, *then: DeleteProject | DeleteDocuments) -> None:
        """Hide a project and everything in it, from readers and from search; raises `ProjectNotFound`."""
        await self.get(project_id)
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
                    "quota": one_less(self._tenant_id, Quota.PROJECTS),
                    "index": self._manifest.drop(project_id),
                    "outbox": [outbox.message(event) for event in then],
                }
            )
        except Refused:
            raise ProjectNotFound from None


def still_active(tenant_id: str, project_id: str) -> Check:
    """Let a transaction depend on the project, so that nothing is created in one that is being deleted."""
    return Check(keys.project(tenant_id, project_id), condition=ACTIVE, values=DELETING)
