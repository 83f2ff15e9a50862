"""Who may read and write a document. Everything that shows one, or a number of them, asks here.

A document is seen by who sees its project and its collection. It may be written by who may write in the tenant and is
not a member of its private collection with the right to read alone. What cannot be seen answers like what is not there.

Whatever is read of documents is read before the rows that say who sees what: what is written into a collection that is
being made private is hidden with it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from almanac.access import Principal
from almanac.active import ACTIVE, DELETING, is_active
from almanac.aws import keys
from almanac.aws.keys import Key
from almanac.aws.table import Check, Table
from almanac.ids import is_id
from almanac.visible import ProjectAccess, Sight
from documents.errors import CollectionNotFound, CollectionReadOnly, DocumentNotFound, ProjectNotFound, WrongProject
from documents.model import Collection, Document, DocumentState
from documents.store import DocumentStore


def may_read(document: Document, access: ProjectAccess) -> bool:
    """Tell whether a document is there for a caller, as far as its own item and the rows say."""
    return document.state is not DocumentState.DELETING and access.hidden.isdisjoint(document.owners)


def may_write(document: Document, access: ProjectAccess) -> bool:
    """Tell whether who may read a document, and write in the tenant, may write the document."""
    return may_read(document, access) and access.read_only.isdisjoint(document.owners)


def check_write(document: Document, access: ProjectAccess) -> None:
    """Raise `DocumentNotFound` or `CollectionReadOnly` unless the document may be written."""
    if not may_read(document, access):
        raise DocumentNotFound
    if not may_write(document, access):
        raise CollectionReadOnly


def owner_key(tenant_id: str, owner_id: str) -> Key:
    """Return where the item of a project or collection is."""
    return keys.collection(tenant_id, owner_id) if is_id(owner_id, "col") else keys.project(tenant_id, owner_id)


def still_there(tenant_id: str, owners: Iterable[str]) -> list[Check]:
    """Let a transaction depend on projects and collections, so that no document is put into one that is deleted."""
    return [Check(owner_key(tenant_id, owner), ACTIVE, DELETING) for owner in owners]


@dataclass(frozen=True)
class Place:
    """Where a document may be put. `checks` belong into the transaction that does."""

    project_id: str = ""
    collection_id: str = ""
    checks: Sequence[Check] = ()


class Rights:
    """What one caller may do with a tenant's documents. Without a principal it is a worker's, who may all."""

    def __init__(self, table: Table, tenant_id: str, principal: Principal | None) -> None:
        self._table = table
        self._tenant_id = tenant_id
        self._store = DocumentStore(table, tenant_id)
        self.sight = Sight(table, principal)

    async def read(self, document_id: str) -> Document:
        """Return a document that the caller sees; raises `DocumentNotFound`."""
        document, _ = await self._seen(document_id)
        return document

    async def write(self, document_id: str) -> Document:
        """Return a document that the caller may write; raises `DocumentNotFound` or `CollectionReadOnly`."""
        document, access = await self._seen(document_id)
        check_write(document, access)
        return document

    async def _seen(self, document_id: str) -> tuple[Document, ProjectAccess]:
        document = await self._store.get(document_id) if is_id(document_id, "doc") else None
        if document is None or await self.gone(document.owners):
            raise DocumentNotFound
        access = await self.sight.access()
        if not may_read(document, access):
            raise DocumentNotFound
        return document, access

    async def gone(self, owners: Iterable[str]) -> frozenset[str]:
        """Return those of some projects and collections that are deleted, or about to be."""
        wanted = list(dict.fromkeys(owners))
        found = await self._table.batch_get([owner_key(self._tenant_id, name) for name in wanted], consistent=True)
        return frozenset(wanted) - {item["id"] for item in found if is_active(item)}

    async def collection(self, collection_id: str, *, field: str | None = None) -> tuple[Collection, ProjectAccess]:
        """Return a collection that the caller sees, and what else it does; raises `CollectionNotFound`."""
        found = is_id(collection_id, "col") and await self._table.get(keys.collection(self._tenant_id, collection_id))
        if not found or not is_active(found):
            raise CollectionNotFound(field=field)
        collection = Collection.from_item(found)
        if collection.project_id and await self.gone([collection.project_id]):
            raise CollectionNotFound(field=field)
        access = await self.sight.access()
        if collection.project_id in access.hidden or not access.shows(collection.id, collection.visibility):
            raise CollectionNotFound(field=field)
        return collection, access

    async def collections(self, found: list[Collection]) -> list[Collection]:
        """Return those of some collections that the caller sees."""
        gone = await self.gone(each.project_id for each in found if each.project_id)
        access = await self.sight.access()
        unseen = gone | access.hidden
        return [c for c in found if c.project_id not in unseen and access.shows(c.id, c.visibility)]

    async def check_shown(self, collection: Collection) -> None:
        """Refuse a collection that is hidden; of one that is gone nothing is said. Raises `CollectionNotFound`."""
        if not (await self.sight.hidden()).isdisjoint({collection.id, collection.project_id}):
            raise CollectionNotFound

    async def project(self, project_id: str, *, field: str | None = None) -> None:
        """Refuse a project that the caller does not see; raises `ProjectNotFound`."""
        found = is_id(project_id, "prj") and await self._table.get(keys.project(self._tenant_id, project_id))
        if not found or not is_active(found) or not await self.sight.shows(found):
            raise ProjectNotFound(field=field)

    async def place(self, project_id: str, collection_id: str) -> Place:
        """Return where the caller may put a document; both may be empty. One in a collection is in that one's project.

        Raises `CollectionNotFound`, `CollectionReadOnly`, `ProjectNotFound` or `WrongProject`.
        """
        if collection_id:
            collection, access = await self.collection(collection_id, field="body.collection_id")
            if collection_id in access.read_only:
                raise CollectionReadOnly
            if project_id and project_id != collection.project_id:
                await self.project(project_id, field="body.project_id")
                raise WrongProject
            project_id = collection.project_id
        elif project_id:
            await self.project(project_id, field="body.project_id")
        owners = [owner for owner in (project_id, collection_id) if owner]
        return Place(project_id, collection_id, still_there(self._tenant_id, owners))
