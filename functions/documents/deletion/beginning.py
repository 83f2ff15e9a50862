"""How a deletion begins: the document is hidden from readers and from search, and the rest is asked for, at once."""

import asyncio
import time

from almanac.aws import keys, outbox
from almanac.aws.table import Put, Table, Write
from almanac.clock import iso
from almanac.errors import RetryableError
from almanac.events import DeleteDocument
from almanac.index.manifest import Manifest
from documents.deletion.model import SETTLING_SECONDS, Receipt
from documents.jobs import progress
from documents.model import Document, DocumentState, Step
from documents.store import Changed, DocumentStore

_ATTEMPTS = 12


async def begin(
    store: DocumentStore, document: Document, requested_by: str, correlation_id: str, *, dropped: bool = True
) -> Receipt | None:
    """Begin the deletion of a document, whatever state it is in; None when that was done before.

    `dropped` is False where a drop of its project or collection hides it already. Raises `RetryableError`.
    """
    for attempt in range(_ATTEMPTS):
        receipt = _receipt(document, requested_by, dropped=dropped)
        message = DeleteDocument(tenant_id=store.tenant_id, correlation_id=correlation_id, document_id=document.id)
        also: list[Write] = [Put(receipt.to_item(store.tenant_id), overwrite=True), outbox.message(message)]
        if dropped:
            also.append(Manifest(store.table, store.tenant_id).drop(document.id))
        try:
            await store.save(
                document,
                correlation_id,
                *also,
                state=DocumentState.DELETING,
                job=None,
                due_at=iso(time.time() + SETTLING_SECONDS),
            )
        except Changed as changed:
            if changed.document is None or changed.document.state is DocumentState.DELETING:
                return None
            document = changed.document
            await asyncio.sleep(0.01 * 2 ** min(attempt, 6))
            continue
        return receipt
    raise RetryableError("the document kept changing")


async def receipt_of(table: Table, tenant_id: str, document_id: str) -> Receipt | None:
    """Return what is known of a document's deletion, or None."""
    item = await table.get(keys.document_receipt(tenant_id, document_id))
    return Receipt.from_item(item) if item else None


def _receipt(document: Document, requested_by: str, *, dropped: bool) -> Receipt:
    at = time.time()
    return Receipt(
        document_id=document.id,
        owners=document.owners,
        requested_by=requested_by,
        requested_at=iso(at),
        dropped=dropped,
        pages=document.pages_sent,
        revision=document.revision,
        settles_at=iso(at + SETTLING_SECONDS) if _may_be_written(document, at) else None,
    )


def _may_be_written(document: Document, at: float) -> bool:
    """Tell whether a worker may be at the document: its job runs, or ended early and so lately that one may go on."""
    job = document.job
    if job is None or job.step is Step.READY:
        return False
    return progress.running(document, job.revision) is not None or document.updated_at > iso(at - SETTLING_SECONDS)
