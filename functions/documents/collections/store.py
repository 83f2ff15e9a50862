"""Collections in the table. A row in the partition of its project lets the project's delete find each one."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from almanac.active import ACTIVE, DELETING, is_active
from almanac.aws import keys, outbox
from almanac.aws.table import ConditionFailed, Delete, Item, Put, Table, Update, Write
from almanac.errors import Busy, RetryableError, VersionConflict
from almanac.events import DeleteDocuments
from almanac.index.manifest import Manifest
from almanac.private_members import closed, opened
from almanac.visible import Right, Visibility
from documents.errors import CollectionNotFound, ProjectNotFound
from documents.model import Collection
from documents.rights import still_there

_PAGE = 100
Shown = Callable[[list[Collection]], Awaitable[list[Collection]]]
"""Returns which of some collections their reader sees."""


class AlreadyAnswered(Exception):
    """Another call with the same idempotency key came first."""


@dataclass(frozen=True)
class CollectionPage:
    """Some collections, oldest first; `next_id` continues after that id, None at the end."""

    collections: list[Collection]
    next_id: str | None


class CollectionStore:
    """One tenant's collections."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def list(self, limit: int, after: str | None, shown: Shown) -> CollectionPage:
        """Return a page of those that are `shown`; pages are filled whatever lies in between."""
        partition = keys.collections(self._tenant_id)
        start: Item | None = None
        if after is not None:
            start = {**keys.collection(self._tenant_id, after).as_dict(), "gsi1pk": partition, "gsi1sk": after}
        found: list[Collection] = []
        while len(found) <= limit:
            page = await self._table.query(partition, index=keys.CHILDREN_INDEX, after=start, limit=_PAGE)
            found += await shown([Collection.from_item(item) for item in page.items])
            start = page.last_key
            if start is None:
                break
        return CollectionPage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    async def create(self, collection: Collection, actor_id: str, remembered: Sequence[Put]) -> None:
        """Write a new collection, with `actor_id` as the member of a private one.

        Raises `ProjectNotFound`, or `AlreadyAnswered`.
        """
        project_id = collection.project_id
        checks = still_there(self._tenant_id, [project_id] if project_id else [])
        writes: list[Write] = [*checks, Put(collection.to_item(self._tenant_id))]
        if project_id:
            link = keys.owned_collection(self._tenant_id, project_id, collection.id)
            writes.append(Put({**link.as_dict(), "entity": "owned_collection", "collection_id": collection.id}))
        if collection.visibility is Visibility.PRIVATE:
            writes += opened(self._tenant_id, collection.id, actor_id, collection.created_at, Right.WRITE)
        try:
            await self._commit([*writes, *remembered])
        except ConditionFailed as failed:
            if failed.position < len(checks):
                raise ProjectNotFound(field="body.project_id") from None
            raise AlreadyAnswered from None

    async def update(self, old: Collection, version: int, changes: Mapping[str, Any], actor_id: str) -> Collection:
        """Change a collection that is still at `version`; raises `CollectionNotFound` or `VersionConflict`.

        Who makes a collection private is its first member; with the end of a private time its members are none.
        """
        wanted = changes.get("visibility", old.visibility)
        writes: list[Write] = [
            Update(
                keys.collection(self._tenant_id, old.id),
                set={**changes, "version": version + 1},
                condition=f"{ACTIVE} AND #version = :version",
                values={**DELETING, ":version": version},
            )
        ]
        if wanted != old.visibility and wanted == Visibility.PRIVATE:
            writes += opened(self._tenant_id, old.id, actor_id, changes["updated_at"], Right.WRITE)
        elif wanted != old.visibility:
            writes += closed(self._tenant_id, old.id)
        try:
            await self._commit(writes)
        except ConditionFailed as failed:
            if not is_active(failed.item):
                raise CollectionNotFound from None
            raise VersionConflict(failed.item["version"]) from None
        return old.model_copy(update={**changes, "version": version + 1})

    async def is_empty(self, collection_id: str) -> bool:
        """Tell whether no document is in a collection."""
        page = await self._table.query(keys.owned_documents(self._tenant_id, collection_id), limit=1)
        return not page.items

    async def delete(self, collection_id: str, then: DeleteDocuments) -> None:
        """Hide a collection and its documents, from readers and from search; raises `CollectionNotFound`."""
        drop = Manifest(self._table, self._tenant_id).drop(collection_id)
        try:
            await self._commit([self.deleting(collection_id), drop, outbox.message(then)])
        except ConditionFailed:
            raise CollectionNotFound from None

    def deleting(self, collection_id: str) -> Update:
        """Return the write that hides a collection; refused when that was done."""
        return Update(
            keys.collection(self._tenant_id, collection_id),
            set={"state": "deleting"},
            remove=("gsi1pk", "gsi1sk"),
            condition=ACTIVE,
            values=DELETING,
        )

    async def remove(self, collection_id: str) -> None:
        """Remove a collection that is hidden and empty."""
        item = await self._table.get(keys.collection(self._tenant_id, collection_id))
        if item is None or is_active(item):
            return
        project_id = item.get("project_id")
        links = [Delete(keys.owned_collection(self._tenant_id, project_id, collection_id))] if project_id else []
        await self._table.transact([Delete(keys.collection(self._tenant_id, collection_id)), *links])

    async def _commit(self, writes: Sequence[Write]) -> None:
        try:
            await self._table.transact(writes)
        except RetryableError:
            raise Busy from None
