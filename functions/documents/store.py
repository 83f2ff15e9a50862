"""One tenant's documents in the table. Whatever changes one is told to who follows it, in the same transaction.

A row in the partition of each of its owners, its project and its collection, lets these find every document of theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from almanac.aws import keys, outbox
from almanac.aws.table import ConditionFailed, Delete, Item, Put, Table, Write
from almanac.clock import now
from almanac.events import Happened
from almanac.ids import new_ulid
from documents.model import Document, DocumentState, Job, Part, Version


class Changed(Exception):
    """Somebody else wrote the document since it was read, or it is gone (`document` is None)."""

    def __init__(self, document: Document | None) -> None:
        super().__init__("the document changed")
        self.document = document


class AlsoRefused(Exception):
    """The document stood as it was read, but the write at `position` of those beside it was refused by `item`."""

    def __init__(self, position: int, item: Item | None) -> None:
        super().__init__(f"write {position} beside the document was refused")
        self.position = position
        self.item = item


@dataclass(frozen=True)
class DocumentStore:
    """Reads and writes one tenant's documents."""

    table: Table
    tenant_id: str

    async def get(self, document_id: str) -> Document | None:
        """Return a document, whatever its state."""
        item = await self.table.get(keys.document(self.tenant_id, document_id))
        return Document.from_item(item) if item else None

    async def version(self, document_id: str, version: int) -> Version | None:
        item = await self.table.get(keys.document_version(self.tenant_id, document_id, version))
        return Version.from_item(item) if item else None

    async def versions(self, document_id: str) -> list[Version]:
        """Return a document's versions, oldest first."""
        partition = keys.document(self.tenant_id, document_id).pk
        found = self.table.query_all(partition, prefix=keys.document_versions())
        return [Version.from_item(item) async for item in found]

    async def part(self, document_id: str, revision: int, part: int) -> Part | None:
        item = await self.table.get(keys.document_part(self.tenant_id, document_id, revision, part))
        return Part.from_item(item) if item else None

    async def parts(self, document_id: str, revision: int) -> list[Part]:
        """Return a revision's parts in order."""
        partition = keys.document(self.tenant_id, document_id).pk
        found = self.table.query_all(partition, prefix=keys.document_parts(revision))
        return [Part.from_item(item) async for item in found]

    async def create(self, document: Document, correlation_id: str, *also: Write) -> None:
        """Write a new document; raises `AlsoRefused`."""
        links = self._links(document.id, set(), _holders(document))
        await self._write(Put(document.to_item(self.tenant_id)), document, correlation_id, [*also, *links])

    async def save(
        self, before: Document, correlation_id: str, *also: Write, tell: bool = True, **changes: Any
    ) -> Document:
        """Change attributes of a document that still stands as it was read, with whatever is to happen beside it.

        `also` are at most 94 writes of the same transaction. Raises `Changed` or `AlsoRefused`; nothing happened then.
        """
        stamped = {**changes, "change": before.change + 1, "updated_at": now()}
        after = Document.model_validate({**before.model_dump(), **stamped})
        write = Put(after.to_item(self.tenant_id), condition="#change = :before", values={":before": before.change})
        links = self._links(before.id, _holders(before), _holders(after))
        await self._write(write, after, correlation_id, [*also, *links], tell=tell)
        return after

    def _links(self, document_id: str, before: set[str], after: set[str]) -> list[Write]:
        """Return what brings a document from its owners before to those after."""
        gone = [keys.owned_document(self.tenant_id, owner, document_id) for owner in sorted(before - after)]
        fresh = [keys.owned_document(self.tenant_id, owner, document_id) for owner in sorted(after - before)]
        row = {"entity": "owned_document", "document_id": document_id}
        return [*(Delete(key) for key in gone), *(Put({**key.as_dict(), **row}, overwrite=True) for key in fresh)]

    async def _write(
        self, write: Put, document: Document, correlation_id: str, also: Sequence[Write], *, tell: bool = True
    ) -> None:
        told = [outbox.message(happened(self.tenant_id, document, correlation_id))] if tell else []
        try:
            await self.table.transact([write, *also, *told])
        except ConditionFailed as failed:
            if failed.position == 0:
                raise Changed(Document.from_item(failed.item) if failed.item else None) from None
            raise AlsoRefused(failed.position - 1, failed.item) from None


def _holders(document: Document) -> set[str]:
    """Return which projects and collections have a document among theirs: none has one that is being deleted."""
    return set(document.owners) if document.state is not DocumentState.DELETING else set()


def happened(tenant_id: str, document: Document, correlation_id: str) -> Happened:
    """Return what is told of a document's present state to who follows it, its project or its collection."""
    job = document.job
    deleted = document.state is DocumentState.DELETING
    data: dict[str, Any] = {
        "document_id": document.id,
        "title": "" if deleted else document.title,
        "state": "deleted" if deleted else document.state.value,
        "version": document.version,
        "shown_version": document.shown_version,
        "cause": document.cause.model_dump() if document.cause else None,
        "job": _told(job) if job else None,
    }
    topics = [f"document:{document.id}"]
    topics += [f"collection:{document.collection_id}"] if document.collection_id else []
    topics += [f"project:{document.project_id}"] if document.project_id else []
    return Happened(
        tenant_id=tenant_id,
        correlation_id=correlation_id,
        event_id=new_ulid(),
        type="document.deleted" if deleted else "document.changed",
        topics=tuple(topics),
        resource_id=document.id,
        resource_version=document.change,
        owners=document.owners,
        at=document.updated_at,
        data=data,
    )


def _told(job: Job) -> dict[str, Any]:
    return {"step": job.step.value, "percent": job.percent, "reason": job.reason, "counts": job.counts.model_dump()}
