"""Deletes what was in a project or collection that is gone. Readers and search have lost sight of it already."""

from contextlib import suppress

from almanac.aws import keys, outbox
from almanac.aws.table import ConditionFailed, Item, Table
from almanac.events import DeleteDocuments
from almanac.ids import is_id
from almanac.observability import log
from almanac.private_members import MemberStore
from almanac.worker.batch import Deadline
from documents.collections.store import CollectionStore
from documents.deletion.beginning import begin
from documents.store import DocumentStore

RESERVE_SECONDS = 10
_PAGE = 100


class OutOfTime(Exception):
    """The deadline is near."""

    def __init__(self, cursor: str | None) -> None:
        super().__init__("the deadline is near")
        self.cursor = cursor


class Cascade:
    """The documents of one project or collection, and of a project its collections.

    None can come to it any more: whatever puts a document or collection into it depends on its item.
    """

    def __init__(self, table: Table, event: DeleteDocuments, deadline: Deadline) -> None:
        self._table = table
        self._event = event
        self._deadline = deadline
        self._tenant_id = event.tenant_id
        self._documents = DocumentStore(table, event.tenant_id)
        self._collections = CollectionStore(table, event.tenant_id)

    async def run(self) -> None:
        """Begin the deletion of each document, then remove the collections. Near the deadline another message goes on.

        Collections come last: while they are there, what says who sees them hides their documents.
        """
        try:
            await self._begin()
        except OutOfTime as stopped:
            await self._table.write(outbox.message(self._event.model_copy(update={"cursor": stopped.cursor})))
            return
        owner_id = self._event.owner_id
        if is_id(owner_id, "col"):
            await self._remove(owner_id)
        partition = keys.owned_collection(self._tenant_id, owner_id, "").pk
        async for row in self._table.query_all(partition, prefix="col_"):
            with suppress(ConditionFailed):
                await self._table.write(self._collections.deleting(row["collection_id"]))
            await self._remove(row["collection_id"])
        log("info", "documents of an owner deleted", owner_id=owner_id)

    async def _begin(self) -> None:
        owner_id, cursor = self._event.owner_id, self._event.cursor
        after: Item | None = None
        if cursor is not None:
            after = keys.owned_document(self._tenant_id, owner_id, cursor).as_dict()
        partition = keys.owned_documents(self._tenant_id, owner_id)
        while True:
            page = await self._table.query(partition, prefix="doc_", after=after, limit=_PAGE)
            for row in page.items:
                if self._deadline.remaining() < RESERVE_SECONDS:
                    raise OutOfTime(cursor)
                await self._begin_one(row["document_id"])
                cursor = row["document_id"]
            after = page.last_key
            if after is None:
                return

    async def _begin_one(self, document_id: str) -> None:
        document = await self._documents.get(document_id)
        # One that was moved away while the page was read is in another's hands.
        if document is None or self._event.owner_id not in document.owners:
            return
        requested_by = self._event.requested_by or document.created_by
        await begin(self._documents, document, requested_by, self._event.correlation_id, dropped=False)

    async def _remove(self, collection_id: str) -> None:
        await MemberStore(self._table, self._tenant_id).forget_deleted(collection_id)
        await self._collections.remove(collection_id)
