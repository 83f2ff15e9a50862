"""What can be done with the members of private projects."""

from almanac.access import Principal
from almanac.clock import now
from almanac.dependencies import Dependencies
from almanac.private_members import Member, MemberPage, MemberStore, NotPrivate
from almanac.visible import Sight
from projects.errors import MemberNotFound, ProjectNotPrivate
from projects.stores.projects import ProjectStore


class MemberService:
    """Who sees a project sees its members; who may write in it lets others in and takes them out, itself included."""

    def __init__(self, dependencies: Dependencies, principal: Principal) -> None:
        self._actor_id = principal.actor_id
        self._projects = ProjectStore(dependencies, principal.tenant_id, Sight(dependencies.table, principal))
        self._store = MemberStore(dependencies.table, principal.tenant_id)

    async def get(self, project_id: str, actor_id: str) -> Member:
        """Return a member; raises `ProjectNotFound` or `MemberNotFound`."""
        await self._projects.get(project_id)
        member = await self._store.get(project_id, actor_id)
        if member is None:
            raise MemberNotFound
        return member

    async def list(self, project_id: str, limit: int, after: str | None) -> MemberPage:
        """Return a page of members; raises `ProjectNotFound`."""
        await self._projects.get(project_id)
        return await self._store.list(project_id, limit, after)

    async def add(self, project_id: str, actor_id: str) -> Member:
        """Let somebody of the tenant see the project; a member stays as it is.

        Raises `ProjectNotFound`, `ProjectNotPrivate` or `ActorNotFound`.
        """
        await self._projects.get(project_id)
        epoch = await self._store.epoch(project_id)
        if epoch is None:
            await self._store.check_actor(actor_id)
            raise ProjectNotPrivate
        if (member := await self._store.get(project_id, actor_id)) is not None:
            return member
        member = Member(owner_id=project_id, actor_id=actor_id, epoch=epoch, added_at=now(), added_by=self._actor_id)
        try:
            await self._store.put(member)
        except NotPrivate:
            raise ProjectNotPrivate from None
        return member

    async def remove(self, project_id: str, actor_id: str) -> None:
        """Take a member out, with effect from its next call on; raises `ProjectNotFound` or `MemberNotFound`."""
        if not await self._store.remove(await self.get(project_id, actor_id)):
            raise MemberNotFound
