"""How a job begins: what is to be saved of its document, in the transaction of whoever begins it.

`begun` is for a version that is to be read (`ReadDocument` goes with it), `sending_again` for one whose stored text is
to be sent under a new revision (`RestoreDocument`).
"""

from typing import Any, Literal

from almanac.aws import outbox
from almanac.aws.table import Put, Write
from almanac.clock import now
from almanac.events import ReadDocument, RestoreDocument
from almanac.index.manifest import Manifest
from almanac.index.sources import SourceRef
from documents.jobs import progress
from documents.model import Document, DocumentState, Job


def begun(
    document: Document, version: int, size: int, reason: Literal["upload", "reprocess"], *, ocr: bool = False
) -> dict[str, Any]:
    """Return what to save of a document whose version is to be read: it supersedes the job that runs, if any does."""
    at = now()
    job = Job(
        revision=document.revision + 1,
        version=version,
        reason=reason,
        whole=document.shown_version > 0,
        ocr=ocr,
        started_at=at,
        heartbeat_at=at,
        deadline_at=progress.deadline(at, size),
        title=document.title,
    )
    return {
        "state": DocumentState.PROCESSING,
        "cause": None,
        "revision": job.revision,
        "job": job,
        "due_at": progress.due(job, None if reason == "upload" else document.upload),
    }


def sending_again(document: Document, reason: Literal["restore", "move"]) -> dict[str, Any]:
    """Return what to save of a document whose shown version is to be sent again; its state stays as it is."""
    at = now()
    job = Job(
        revision=document.revision + 1,
        version=document.shown_version,
        reason=reason,
        whole=True,
        started_at=at,
        heartbeat_at=at,
        deadline_at=progress.deadline(at, document.size, document.pages_sent),
        title=document.title,
    )
    return {"revision": job.revision, "job": job, "due_at": progress.due(job, document.upload)}


def read_again(tenant_id: str, correlation_id: str, document: Document) -> ReadDocument:
    """Return the message that has the next revision of a document read."""
    revision = document.revision + 1
    return ReadDocument(tenant_id=tenant_id, correlation_id=correlation_id, document_id=document.id, revision=revision)


def restore(tenant_id: str, correlation_id: str, document: Document) -> RestoreDocument:
    """Return the message that has the next revision of a document made of what is stored."""
    revision = document.revision + 1
    return RestoreDocument(
        tenant_id=tenant_id, correlation_id=correlation_id, document_id=document.id, revision=revision
    )


def retitled(tenant_id: str, correlation_id: str, document: Document) -> tuple[dict[str, Any], list[Write]]:
    """Return what brings a document's title to search, which holds it with each page; for one of which no job runs."""
    if not document.shown_pages or document.title == document.shown_title:
        return {}, []
    return sending_again(document, "move"), [outbox.message(restore(tenant_id, correlation_id, document))]


def moving(
    manifest: Manifest, tenant_id: str, correlation_id: str, document: Document
) -> tuple[dict[str, Any], list[Put], ReadDocument | RestoreDocument | None]:
    """Return what a move to another project or collection brings with it: changes, writes, and the message to send.

    Whoever does not see the new place loses sight of the pages with the transaction: all that the index has of them is
    erased, and sent again under a new revision. Texts of earlier versions stay stored, but search does not answer from
    them any more.
    """
    refs = [
        SourceRef(source_id=document.source_id(page), version=document.revision)
        for page in range(1, document.pages_sent + 1)
    ]
    hidden = manifest.hide(refs)
    erased = {"erased_revision": document.revision} if refs else {}
    running = document.job
    if document.state is DocumentState.PROCESSING and running is not None:
        again = begun(document, running.version, document.size, "reprocess", ocr=running.ocr)
        marked = {"sent_revision": document.revision + 1} if document.pages_sent else {}
        return {**again, **marked, **erased}, hidden, read_again(tenant_id, correlation_id, document)
    if not document.pages_sent:
        return {}, [], None
    changes = {**sending_again(document, "move"), **erased, "sent_revision": document.revision + 1}
    return changes, hidden, restore(tenant_id, correlation_id, document)
