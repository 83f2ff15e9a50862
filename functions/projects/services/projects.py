"""What can be done with projects."""

from collections.abc import Mapping
from typing import Any

from almanac.access import Principal
from almanac.clock import now
from almanac.dependencies import Dependencies
from almanac.events import DeleteDocuments, DeleteProject
from almanac.ids import new_id
from almanac.observability import correlation_id
from almanac.private_members import MemberStore
from almanac.visible import Sight, Visibility
from almanac.web.idempotency import Idempotent
from projects.model import Project
from projects.services.base import Answer, once
from projects.stores.base import Listing
from projects.stores.projects import ProjectStore


class ProjectService:
    def __init__(self, dependencies: Dependencies, principal: Principal) -> None:
        self._table = dependencies.table
        self._tenant_id = principal.tenant_id
        self._actor_id = principal.actor_id
        self._store = ProjectStore(dependencies, principal.tenant_id, Sight(dependencies.table, principal))
        self._members = MemberStore(dependencies.table, principal.tenant_id)

    async def get(self, project_id: str) -> Project:
        return await self._store.get(project_id)

    async def list(self, limit: int, after: str | None) -> Listing[Project]:
        return await self._store.list(limit, after)

    async def create(
        self, name: str, description: str, visibility: Visibility, idempotency_key: str | None, request: str
    ) -> Project:
        """Create a project; raises `IdempotencyKeyReused`, or `ProjectNotFound` for a repeat by whom lost sight of it.

        Who creates a private one is its first member.
        """
        time = now()
        project = Project(
            id=new_id("prj"),
            name=name,
            description=description,
            visibility=visibility,
            created_at=time,
            updated_at=time,
        )
        idempotent = Idempotent(self._table, self._tenant_id, self._actor_id, "projects", idempotency_key, request)

        async def create() -> Answer:
            answer = project.model_dump()
            await self._store.create(project, self._actor_id, idempotent.record(answer))
            return answer

        async def still(answer: Answer) -> None:
            await self._store.check_shown(answer["id"])

        return Project.model_validate(await once(idempotent, create, still))

    async def update(self, project_id: str, version: int, changes: Mapping[str, Any]) -> Project:
        """Change a project that is still at `version`; raises `ProjectNotFound` or `VersionConflict`."""
        epoch = await self._members.epoch(project_id) if changes.get("visibility") is Visibility.TENANT else None
        changed = await self._store.update(project_id, version, {**changes, "updated_at": now()}, self._actor_id)
        if epoch is not None:
            await self._members.forget(project_id, epoch)
        return changed

    async def delete(self, project_id: str) -> None:
        """Hide a project at once, also from search, and have everything in it removed; raises `ProjectNotFound`."""
        common = {"tenant_id": self._tenant_id, "correlation_id": correlation_id()}
        documents = DeleteDocuments(**common, owner_id=project_id, requested_by=self._actor_id)
        await self._store.delete(project_id, DeleteProject(**common, project_id=project_id), documents)
