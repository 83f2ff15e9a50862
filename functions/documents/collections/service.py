"""What can be done with collections and the members of private ones."""

from collections.abc import Mapping
from typing import Any

from almanac.access import Principal
from almanac.aws.table import Table
from almanac.clock import now
from almanac.errors import Busy
from almanac.events import DeleteDocuments
from almanac.ids import new_id
from almanac.observability import correlation_id
from almanac.private_members import Member, MemberPage, MemberStore, NotPrivate
from almanac.visible import ProjectAccess, Right, Visibility
from almanac.web.idempotency import Idempotent
from documents.collections.store import AlreadyAnswered, CollectionPage, CollectionStore
from documents.errors import CollectionNotEmpty, CollectionNotPrivate, CollectionReadOnly, MemberNotFound
from documents.model import Collection
from documents.rights import Rights


class CollectionService:
    """Who sees a collection sees its members; who may write in it changes it, lets others in and takes them out."""

    def __init__(self, table: Table, principal: Principal) -> None:
        self._table = table
        self._tenant_id = principal.tenant_id
        self._actor_id = principal.actor_id
        self._rights = Rights(table, principal.tenant_id, principal)
        self._store = CollectionStore(table, principal.tenant_id)
        self._members = MemberStore(table, principal.tenant_id)

    async def get(self, collection_id: str) -> Collection:
        """Return a collection; raises `CollectionNotFound`."""
        collection, _ = await self._rights.collection(collection_id)
        return collection

    async def list(self, project_id: str | None, limit: int, after: str | None) -> CollectionPage:
        """Return a page of what the caller sees, of one project if it is given; raises `ProjectNotFound`."""
        if project_id is not None:
            await self._rights.project(project_id, field="query.project_id")

        async def shown(found: list[Collection]) -> list[Collection]:
            wanted = [each for each in found if project_id in {None, each.project_id}]
            return await self._rights.collections(wanted)

        return await self._store.list(limit, after, shown)

    async def create(self, given: Mapping[str, Any], idempotency_key: str | None, request: str) -> Collection:
        """Create a collection; raises `ProjectNotFound` or `IdempotencyKeyReused`.

        Who creates a private one is its first member. A repeat by whom lost sight of it raises `CollectionNotFound`.
        """
        idempotent = Idempotent(self._table, self._tenant_id, self._actor_id, "collections", idempotency_key, request)
        if (earlier := await self._earlier(idempotent)) is not None:
            return earlier
        if given["project_id"]:
            await self._rights.project(given["project_id"], field="body.project_id")
        time = now()
        collection = Collection(id=new_id("col"), created_by=self._actor_id, created_at=time, updated_at=time, **given)
        try:
            await self._store.create(collection, self._actor_id, idempotent.record(collection.model_dump()))
        except AlreadyAnswered:
            if (earlier := await self._earlier(idempotent)) is not None:
                return earlier
            raise Busy from None
        return collection

    async def _earlier(self, idempotent: Idempotent) -> Collection | None:
        answer = await idempotent.earlier()
        if answer is None:
            return None
        collection = Collection.model_validate(answer)
        await self._rights.check_shown(collection)
        return collection

    async def update(self, collection_id: str, version: int, changes: Mapping[str, Any]) -> Collection:
        """Change a collection that is still at `version`; raises `CollectionNotFound` or `VersionConflict`."""
        old = await self._writable(collection_id)
        closing = changes.get("visibility") is Visibility.TENANT
        epoch = await self._members.epoch(collection_id) if closing else None
        changed = await self._store.update(old, version, {**changes, "updated_at": now()}, self._actor_id)
        if epoch is not None:
            await self._members.forget(collection_id, epoch)
        return changed

    async def delete(self, collection_id: str, *, with_documents: bool) -> None:
        """Hide a collection at once, also from search, and have its documents removed.

        Raises `CollectionNotFound` or, without `with_documents`, `CollectionNotEmpty`. What is put into it at the same
        moment goes with it.
        """
        await self._writable(collection_id)
        if not with_documents and not await self._store.is_empty(collection_id):
            raise CollectionNotEmpty
        then = DeleteDocuments(
            tenant_id=self._tenant_id,
            correlation_id=correlation_id(),
            owner_id=collection_id,
            requested_by=self._actor_id,
        )
        await self._store.delete(collection_id, then)

    async def member(self, collection_id: str, actor_id: str) -> Member:
        """Return a member; raises `CollectionNotFound` or `MemberNotFound`."""
        await self.get(collection_id)
        return await self._member(collection_id, actor_id)

    async def members(self, collection_id: str, limit: int, after: str | None) -> MemberPage:
        """Return a page of members; raises `CollectionNotFound`."""
        await self.get(collection_id)
        return await self._members.list(collection_id, limit, after)

    async def put_member(self, collection_id: str, actor_id: str, right: Right) -> Member:
        """Let somebody of the tenant see the collection, or give a member another right.

        Raises `CollectionNotFound`, `CollectionReadOnly`, `CollectionNotPrivate`, `ActorNotFound` or `Busy`.
        """
        await self._writable(collection_id)
        epoch = await self._members.epoch(collection_id)
        if epoch is None:
            await self._members.check_actor(actor_id)
            raise CollectionNotPrivate
        member = Member(
            owner_id=collection_id,
            actor_id=actor_id,
            right=right,
            epoch=epoch,
            added_at=now(),
            added_by=self._actor_id,
        )
        try:
            await self._members.put(member)
        except NotPrivate:
            raise CollectionNotPrivate from None
        return member

    async def remove_member(self, collection_id: str, actor_id: str) -> None:
        """Take a member out, with effect from its next call on. Whoever may only read takes out itself alone.

        Raises `CollectionNotFound`, `CollectionReadOnly` or `MemberNotFound`.
        """
        _, access = await self._rights.collection(collection_id)
        if actor_id != self._actor_id:
            _check_write(collection_id, access)
        if not await self._members.remove(await self._member(collection_id, actor_id)):
            raise MemberNotFound

    async def _member(self, collection_id: str, actor_id: str) -> Member:
        member = await self._members.get(collection_id, actor_id)
        if member is None:
            raise MemberNotFound
        return member

    async def _writable(self, collection_id: str) -> Collection:
        collection, access = await self._rights.collection(collection_id)
        _check_write(collection_id, access)
        return collection


def _check_write(collection_id: str, access: ProjectAccess) -> None:
    if collection_id in access.read_only:
        raise CollectionReadOnly
