"""What is done for one document that somebody must look at."""

import time
from typing import Any

from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.keys import Key
from almanac.aws.table import Table
from almanac.clock import iso
from almanac.events import DeleteDocument, ReadDocument, RestoreDocument, TakeInFile
from almanac.observability import correlation_id, log
from documents.jobs import ending, progress
from documents.jobs.context import Decision, change
from documents.model import Cause, Document, DocumentState, Job, Step, Upload
from documents.store import DocumentStore

EXPIRED = Cause(
    code="upload_expired",
    message="The file did not arrive in the time that it had.",
    way_out="Begin the upload again.",
)


class Overdue:
    """Looks at one tenant's documents that are due."""

    def __init__(self, table: Table, blobs: Blobs, tenant_id: str) -> None:
        self._table = table
        self._blobs = blobs
        self._tenant_id = tenant_id
        self._store = DocumentStore(table, tenant_id)

    async def look(self, key: Key) -> bool:
        """Bring a document on; False when nothing had to be done any more."""
        item = await self._table.get(key)
        document = Document.from_item(item) if item is not None else None
        if document is None or document.due_at is None or document.due_at > iso(time.time()):
            return False
        written = await change(self._store, document.id, correlation_id(), self._decide)
        if written is not None and document.upload is not None and written.upload is None:
            await self._remove(document, document.upload)
        log("info", "document was due", document_id=document.id, state=document.state.value)
        return written is not None

    async def _decide(self, document: Document) -> Decision | None:
        at = iso(time.time())
        if document.due_at is None or document.due_at > at:
            return None
        if document.state is DocumentState.DELETING:
            event = DeleteDocument(**self._common, document_id=document.id)
            return Decision({"due_at": progress.later()}, [outbox.message(event)], quiet=True)
        job = progress.running(document, document.job.revision) if document.job else None
        if document.upload is not None and document.upload.expires_at <= at:
            return await self._taken_in(document, document.upload) or _expired(document, job)
        if job is None:
            return self._tidied(document)
        if job.deadline_at <= at:
            state = DocumentState.FAILED
            return ending.given_up(self._tenant_id, correlation_id(), document, job, state, ending.DEADLINE_PASSED)
        return self._sent_again(document, job)

    async def _taken_in(self, document: Document, upload: Upload) -> Decision | None:
        """Have a file taken in that is there, however late the bucket tells of it; None where none is."""
        key = keys.document_original(self._tenant_id, document.id, upload.version)
        if await self._blobs.head(key) is None:
            return None
        event = TakeInFile(**self._common, document_id=document.id, version=upload.version)
        return Decision({"due_at": progress.later()}, [outbox.message(event)], quiet=True)

    def _tidied(self, document: Document) -> Decision:
        """Have the worker remove what an ended job left behind; any other document is due by mistake."""
        if document.job is None or document.job.step is not Step.READY:
            return Decision({"due_at": progress.due(None, document.upload)}, quiet=True)
        event = ReadDocument(**self._common, document_id=document.id, revision=document.job.revision)
        return Decision({"due_at": progress.later()}, [outbox.message(event)], quiet=True)

    def _sent_again(self, document: Document, job: Job) -> Decision:
        kind = RestoreDocument if progress.is_beside(job) else ReadDocument
        event = kind(**self._common, document_id=document.id, revision=job.revision)
        due = min(progress.later(), job.deadline_at, *([document.upload.expires_at] if document.upload else []))
        return Decision({"due_at": due}, [outbox.message(event)], quiet=True)

    async def _remove(self, document: Document, upload: Upload) -> None:
        """Remove what arrived of an upload that is expected no more; the bucket itself removes what this misses."""
        key = keys.document_original(self._tenant_id, document.id, upload.version)
        if upload.multipart_id is not None:
            await self._blobs.abort_parts(key, upload.multipart_id)
        await self._blobs.delete([key])

    @property
    def _common(self) -> dict[str, str]:
        return {"tenant_id": self._tenant_id, "correlation_id": correlation_id()}


def _expired(document: Document, job: Job | None) -> Decision:
    """Expect a file no more. A document that waits for its first ends with that."""
    changes: dict[str, Any] = {"upload": None, "due_at": progress.due(job, None)}
    if document.state is DocumentState.AWAITING:
        changes |= {"state": DocumentState.EXPIRED, "cause": EXPIRED}
    return Decision(changes)
