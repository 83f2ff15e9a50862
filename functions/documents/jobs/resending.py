"""Sending what is searchable to the index once more, after parts of the index were lost.

The same sources of the same versions are sent: what the index has it keeps, what it lost comes back. Jobs that run send
what they read anyway.
"""

from almanac.aws import keys, outbox
from almanac.aws.table import Write
from almanac.events import ResendDocuments
from almanac.observability import log
from almanac.worker.batch import Deadline
from documents.jobs import sending
from documents.jobs.context import Context
from documents.model import Document, DocumentState, PartState

_RESERVE_SECONDS = 30
_PAGE = 50
_AT_ONCE = 90


async def resend(context: Context, event: ResendDocuments, deadline: Deadline) -> None:
    """Send a document, or all from the cursor on; near the deadline another message goes on with them."""
    if event.document_id is not None:
        document = await context.store.get(event.document_id)
        if document is not None:
            await resend_document(context, document)
        return
    table, partition, last = context.dependencies.table, keys.documents(context.tenant_id), event.cursor
    while True:
        after = _position(context.tenant_id, last) if last else None
        page = await table.query(partition, index=keys.CHILDREN_INDEX, after=after, limit=_PAGE)
        for item in page.items:
            if deadline.remaining() < _RESERVE_SECONDS:
                await table.write(outbox.message(event.model_copy(update={"cursor": last})))
                log("info", "resending continues in the next message", after=last)
                return
            await resend_document(context, Document.from_item(item))
            last = item["id"]
        if page.last_key is None:
            log("info", "all documents were sent again")
            return


async def resend_document(context: Context, document: Document) -> None:
    """Send the texts of all versions that search may answer from."""
    if document.state is DocumentState.DELETING:
        return
    done = {DocumentState.READY, DocumentState.PARTIAL}
    versions = await context.store.versions(document.id)
    revisions = {version.revision for version in versions if version.state in done and version.revision}
    for revision in sorted(revisions):
        indexed = [part for part in await context.store.parts(document.id, revision) if part.state is PartState.INDEXED]
        writes: list[Write] = [
            outbox.message(sending.indexing(context, document.id, revision, part.part)) for part in indexed
        ]
        for start in range(0, len(writes), _AT_ONCE):
            await context.dependencies.table.transact(writes[start : start + _AT_ONCE])


def _position(tenant_id: str, document_id: str) -> dict[str, str]:
    return {
        **keys.document(tenant_id, document_id).as_dict(),
        "gsi1pk": keys.documents(tenant_id),
        "gsi1sk": document_id,
    }
