"""What a caller sees of a tenant's documents: lists, numbers and suggestions, of which hidden ones are never part.

The listing of a tenant lags behind the table, so what a list shows of it is read again. The documents of a project or
collection are found by rows that do not lag. Who sees what is asked after each reading, never before.
"""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field

from almanac.aws import keys
from almanac.aws.table import Item, Table
from documents.collections.store import CollectionStore
from documents.listing.words import begins, folded, words
from documents.model import Collection, Document, DocumentState
from documents.rights import Rights, may_read

_PAGE = 100
READ_AT_MOST = 1000
"""So many documents that the caller sees are looked at for one page or one suggestion."""
COUNTED_AT_MOST = 10_000
SUGGESTED = 10


@dataclass(frozen=True)
class Wanted:
    """Which documents are asked for; what is None is not looked at. `until` is not included.

    `type` is a media type or a document type. `q` stands somewhere in the title or file name.
    """

    type: str | None = None
    state: DocumentState | None = None
    project_id: str | None = None
    collection_id: str | None = None
    q: str | None = None
    since: str | None = None
    until: str | None = None

    def takes(self, document: Document) -> bool:
        """Tell whether a document is wanted."""
        types = {folded(name or "") for name in (document.media_type, document.document_type)}
        return (
            document.state is not DocumentState.DELETING
            and (self.type is None or folded(self.type) in types)
            and self.state in {None, document.state}
            and self.project_id in {None, document.project_id}
            and self.collection_id in {None, document.collection_id}
            and (self.q is None or any(folded(self.q) in folded(name) for name in (document.title, document.filename)))
            and (self.since is None or document.created_at >= self.since)
            and (self.until is None or document.created_at < self.until)
        )


@dataclass(frozen=True)
class Found:
    """Some documents, the newest first; `next_id` continues the list, None at the end."""

    documents: list[Document]
    next_id: str | None


@dataclass
class Counts:
    """How many documents there are of each sort. `is_complete` is False where there are more than were counted."""

    total: int = 0
    states: Counter[str] = field(default_factory=Counter)
    media_types: Counter[str] = field(default_factory=Counter)
    document_types: Counter[str] = field(default_factory=Counter)
    collections: Counter[str] = field(default_factory=Counter)
    is_complete: bool = True

    def add(self, document: Document) -> None:
        self.total += 1
        self.states[document.state.value] += 1
        for counter, name in (
            (self.media_types, document.media_type),
            (self.document_types, document.document_type),
            (self.collections, document.collection_id),
        ):
            if name:
                counter[name] += 1


class Listing:
    """One caller's view of a tenant's documents."""

    def __init__(self, table: Table, tenant_id: str, rights: Rights) -> None:
        self._table = table
        self._tenant_id = tenant_id
        self._rights = rights

    async def page(self, wanted: Wanted, limit: int, after: str | None) -> Found:
        """Return a page of wanted documents. It is short only where a thousand that the caller sees were looked at.

        Raises `ProjectNotFound` or `CollectionNotFound` for a filter by one that the caller does not see.
        """
        await self._check(wanted.project_id, wanted.collection_id)
        found: list[Document] = []
        seen, last = 0, after
        async for listed in self._pages(wanted.collection_id or wanted.project_id, after):
            shown = await self._shown([document for document in listed if wanted.takes(document)])
            access = await self._rights.sight.access()
            for document in listed:
                found += [fresh for fresh in shown if fresh.id == document.id and wanted.takes(fresh)]
                if len(found) > limit:
                    return Found(found[:limit], found[limit - 1].id)
                if may_read(document, access):
                    seen, last = seen + 1, document.id
            if wanted.since is not None and listed and listed[-1].created_at < wanted.since:
                break
            if seen >= READ_AT_MOST:
                return Found(found, last)
        return Found(found, None)

    async def counts(self, project_id: str | None = None, collection_id: str | None = None) -> Counts:
        """Count what the caller sees. Raises `ProjectNotFound` or `CollectionNotFound`."""
        await self._check(project_id, collection_id)
        wanted, counts = Wanted(project_id=project_id, collection_id=collection_id), Counts()
        async for listed in self._pages(collection_id or project_id, None):
            candidates = [document for document in listed if wanted.takes(document)]
            # The listing's copies do for numbers, unless something is hidden that they may lag behind.
            hidden = await self._rights.sight.hidden()
            for document in await (self._shown(candidates) if hidden else self._seen(candidates)):
                if counts.total >= COUNTED_AT_MOST:
                    counts.is_complete = False
                    return counts
                counts.add(document)
        return counts

    async def suggest(self, q: str) -> list[Document | Collection]:
        """Return documents and collections whose names have words that begin as those of `q` do.

        The collections come first, then documents, the newest first, of the thousand newest that the caller sees.
        """
        wanted = words(q)
        if not wanted:
            return []
        store = CollectionStore(self._table, self._tenant_id)

        async def fitting(found: list[Collection]) -> list[Collection]:
            return await self._rights.collections([each for each in found if begins(wanted, each.name)])

        collections = (await store.list(SUGGESTED // 2, None, fitting)).collections
        return [*collections, *await self._suggested(wanted, SUGGESTED - len(collections))]

    async def _suggested(self, wanted: list[str], limit: int) -> list[Document]:
        def fits(document: Document) -> bool:
            return begins(wanted, f"{document.title} {document.filename}")

        found: list[Document] = []
        seen = 0
        async for listed in self._pages(None, None):
            shown = await self._shown([document for document in listed if fits(document)])
            found += [document for document in shown if fits(document)]
            access = await self._rights.sight.access()
            seen += sum(may_read(document, access) for document in listed)
            if len(found) >= limit or seen >= READ_AT_MOST:
                break
        return found[:limit]

    async def _check(self, project_id: str | None, collection_id: str | None) -> None:
        if project_id is not None:
            await self._rights.project(project_id, field="query.project_id")
        if collection_id is not None:
            await self._rights.collection(collection_id, field="query.collection_id")

    async def _shown(self, listed: Sequence[Document]) -> list[Document]:
        """Read documents again and return those that the caller sees, in their order."""
        return await self._seen(await self._read(document.id for document in listed))

    async def _seen(self, documents: Sequence[Document]) -> list[Document]:
        gone = await self._rights.gone({owner for document in documents for owner in document.owners})
        access = await self._rights.sight.access()
        return [each for each in documents if may_read(each, access) and gone.isdisjoint(each.owners)]

    async def _read(self, ids: Iterable[str]) -> list[Document]:
        wanted = list(ids)
        places = [keys.document(self._tenant_id, name) for name in wanted]
        items = {item["id"]: item for item in await self._table.batch_get(places, consistent=True)}
        return [Document.from_item(items[name]) for name in wanted if name in items]

    async def _pages(self, owner_id: str | None, after: str | None) -> AsyncIterator[list[Document]]:
        """Iterate over the documents of a project or collection, or of the tenant, the newest first."""
        if owner_id is None:
            partition, index = keys.documents(self._tenant_id), keys.CHILDREN_INDEX
        else:
            partition, index = keys.owned_documents(self._tenant_id, owner_id), None
        start = self._start(owner_id, after) if after else None
        while True:
            prefix = "" if index else "doc_"
            page = await self._table.query(
                partition, prefix=prefix, after=start, limit=_PAGE, newest_first=True, index=index
            )
            if index:
                yield [Document.from_item(item) for item in page.items]
            else:
                yield await self._read(item["document_id"] for item in page.items)
            start = page.last_key
            if start is None:
                return

    def _start(self, owner_id: str | None, after: str) -> Item:
        if owner_id is not None:
            return keys.owned_document(self._tenant_id, owner_id, after).as_dict()
        place = keys.document(self._tenant_id, after).as_dict()
        return {**place, "gsi1pk": keys.documents(self._tenant_id), "gsi1sk": after}
