"""What can be done with checkpoints."""

from collections.abc import Mapping
from typing import Any

from almanac.access import Principal
from almanac.clock import now
from almanac.dependencies import Dependencies
from almanac.events import DeleteCheckpoint
from almanac.ids import new_id
from almanac.observability import correlation_id
from almanac.visible import Sight
from almanac.web.idempotency import Idempotent
from projects.model import Checkpoint
from projects.services.base import Answer, once
from projects.stores.base import Listing
from projects.stores.checkpoints import CheckpointStore
from projects.stores.projects import ProjectStore


class CheckpointService:
    def __init__(self, dependencies: Dependencies, principal: Principal) -> None:
        sight = Sight(dependencies.table, principal)
        self._table = dependencies.table
        self._tenant_id = principal.tenant_id
        self._actor_id = principal.actor_id
        self._store = CheckpointStore(dependencies, principal.tenant_id, sight)
        self._projects = ProjectStore(dependencies, principal.tenant_id, sight)

    async def get(self, checkpoint_id: str) -> Checkpoint:
        return await self._store.get(checkpoint_id)

    async def list(self, project_id: str, limit: int, after: str | None) -> Listing[Checkpoint]:
        """Return a page of a project's checkpoints; raises `ProjectNotFound`."""
        await self._projects.get(project_id, field="query.project_id")
        return await self._store.list(project_id, limit, after)

    async def create(
        self,
        project_id: str,
        name: str,
        description: str,
        metadata: dict[str, str],
        idempotency_key: str | None,
        request: str,
    ) -> Checkpoint:
        """Create a checkpoint; raises `ProjectNotFound` or `IdempotencyKeyReused`."""
        time = now()
        checkpoint = Checkpoint(
            id=new_id("chk"),
            project_id=project_id,
            name=name,
            description=description,
            metadata=metadata,
            created_at=time,
            updated_at=time,
        )
        idempotent = Idempotent(self._table, self._tenant_id, self._actor_id, "checkpoints", idempotency_key, request)

        async def create() -> Answer:
            await self._projects.get(project_id, field="body.project_id")
            answer = checkpoint.model_dump()
            await self._store.create(checkpoint, idempotent.record(answer))
            return answer

        async def still(_: Answer) -> None:
            await self._projects.check_shown(project_id, field="body.project_id")

        return Checkpoint.model_validate(await once(idempotent, create, still))

    async def update(self, checkpoint_id: str, version: int, changes: Mapping[str, Any]) -> Checkpoint:
        """Change a checkpoint that is still at `version`; raises `CheckpointNotFound` or `VersionConflict`."""
        await self._store.get(checkpoint_id)
        return await self._store.update(checkpoint_id, version, {**changes, "updated_at": now()})

    async def delete(self, checkpoint_id: str) -> None:
        """Hide a checkpoint at once, also from search, and have its messages removed; raises `CheckpointNotFound`."""
        checkpoint = await self._store.get(checkpoint_id)
        then = DeleteCheckpoint(tenant_id=self._tenant_id, correlation_id=correlation_id(), checkpoint_id=checkpoint_id)
        await self._store.delete(checkpoint, then)
