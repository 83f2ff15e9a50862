"""How a job ends: with its document searchable, or given up with a cause and what was shown before brought back."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from almanac.aws import keys, outbox
from almanac.aws.table import Put, Update, Write
from almanac.clock import now
from documents.jobs import passwords, progress, starting
from documents.jobs.context import Context, Decision
from documents.model import BadPage, Cause, Document, DocumentState, Job, Part, Step, Version
from documents.reading.model import WAYS_OUT

_READ = frozenset({DocumentState.READY, DocumentState.PARTIAL})
_MOST_BAD_PAGES = 500
_MOST_WARNINGS = 100
_PICTURE = "ocr_needed"
"""A page whose text is a picture."""
CANCELLED = Cause(
    code="cancelled", message="The job was cancelled.", way_out="Read the document again, or upload another version."
)
DEADLINE_PASSED = Cause(
    code="deadline_passed",
    message="The job did not end in the time that it had.",
    way_out="Read the document again; if that ends the same way, split the file.",
)


def given_up(
    tenant_id: str, correlation_id: str, document: Document, job: Job, state: DocumentState, cause: Cause
) -> Decision:
    """Return how a document's running job is given up; a job that brings back what was shown follows if need be.

    Nothing need be brought back while all that the index has is of the revision that is shown.
    """
    also: list[Write] = [passwords.forgotten(tenant_id, document.id)]
    changes: dict[str, Any] = {"state": state, "cause": cause, "due_at": progress.due(None, document.upload)}
    if progress.is_beside(job):
        # What brings back cannot bring itself back: reading the file again does.
        return Decision({**changes, "job": None}, also)
    if job.version != document.shown_version:
        ended = {"state": state.value, "cause": cause.model_dump(), "ended_at": now()}
        also.append(Update(keys.document_version(tenant_id, document.id, job.version), set=ended))
    if document.sent_revision != document.shown_revision:
        changes |= starting.sending_again(document, "restore")
        also.append(outbox.message(starting.restore(tenant_id, correlation_id, document)))
    else:
        begun, message = starting.retitled(tenant_id, correlation_id, document)
        changes, also = changes | begun, [*also, *message]
    return Decision(changes, also)


async def fail(context: Context, document_id: str, revision: int, cause: Cause) -> None:
    """End a revision that cannot become searchable; nothing happens when it is not at work any more."""

    async def decide(document: Document) -> Decision | None:
        if (job := progress.running(document, revision)) is None:
            return None
        return given_up(context.tenant_id, context.correlation_id, document, job, DocumentState.FAILED, cause)

    await context.change(document_id, decide)


def nothing_read(job: Job, parts: Sequence[Part]) -> Cause | None:
    """Return why a document that was read as far as it can be has nothing to search; None when it has something."""
    if progress.is_beside(job) or any(part.characters for part in parts):
        return None
    bad = [page for part in parts for page in part.bad_pages if page.code != _PICTURE]
    if bad:
        message = f"No page could be read. Of {bad[0].label}: {bad[0].message}"
        return Cause(code=bad[0].code, message=message, way_out=WAYS_OUT.get(bad[0].code, ("", ""))[1])
    code = "scanned" if job.unit in {"page", "slide"} and not job.ocr else "empty"
    message, way_out = WAYS_OUT[code]
    return Cause(code=code, message=message, way_out=way_out)


async def finish(context: Context, document_id: str, revision: int, warnings: Sequence[str] = ()) -> None:
    """Say that a revision is what search answers from."""
    found = await context.store.parts(document_id, revision)
    parts = [part for part in found if part.first]

    async def decide(document: Document) -> Decision | None:
        if (job := progress.running(document, revision)) is None:
            return None
        changes = progress.moved(document, job, step=Step.READY) | {
            "shown_version": job.version,
            "shown_revision": revision,
            "shown_pages": job.counts.pages,
            "shown_title": job.title,
            "sent_revision": revision,
            # What earlier revisions left behind is looked for until it is gone.
            "due_at": progress.later() if revision > 1 else progress.due(None, document.upload),
        }
        also: list[Write] = [passwords.forgotten(context.tenant_id, document_id)]
        version = await context.store.version(document_id, job.version)
        if version is not None:
            ended = _ended(version, job, parts, warnings)
            also.append(Put(ended.to_item(context.tenant_id, document_id), overwrite=True))
            if not progress.is_beside(job):
                changes |= {"state": ended.state, "cause": ended.cause, "media_type": ended.media_type}
            elif document.state in _READ and document.version == job.version:
                changes |= {"state": ended.state, "cause": ended.cause}
        after = document.model_copy(update=changes)
        begun, message = starting.retitled(context.tenant_id, context.correlation_id, after)
        return Decision(changes | begun, [*also, *message])

    if await context.change(document_id, decide) is not None and revision > 1:
        await tidy(context, document_id)


def _ended(version: Version, job: Job, parts: Sequence[Part], warnings: Sequence[str]) -> Version:
    bad = [page for part in parts for page in part.bad_pages]
    if progress.is_beside(job):
        # The index may refuse again what it took before.
        less = {"state": DocumentState.PARTIAL, "cause": _unsearchable(job, bad), "bad_pages": bad[:_MOST_BAD_PAGES]}
        return version.model_copy(update={"revision": job.revision, **(less if bad else {})})
    told = list(dict.fromkeys([*version.warnings, *(text for part in parts for text in part.warnings), *warnings]))
    if len(bad) > _MOST_BAD_PAGES:
        told.append(f"{len(bad)} pages could not be read; the first {_MOST_BAD_PAGES} are named.")
    return version.model_copy(
        update={
            "revision": job.revision,
            "state": DocumentState.PARTIAL if bad else DocumentState.READY,
            "cause": _unsearchable(job, bad) if bad else None,
            "pages": job.counts.pages,
            "parts": job.counts.parts,
            "bad_pages": bad[:_MOST_BAD_PAGES],
            "warnings": told[-_MOST_WARNINGS:],
            "ended_at": now(),
        }
    )


def _unsearchable(job: Job, bad: Sequence[BadPage]) -> Cause:
    pages = job.counts.read + job.counts.bad
    named = ", ".join(page.label for page in bad[:5]) + (" and others" if len(bad) > 5 else "")
    message = f"{len(bad)} of {pages} pages could not be made searchable: {named}."
    return Cause(code="pages_unreadable", message=message, way_out="The rest is searchable. Upload a repaired file.")


async def tidy(context: Context, document_id: str) -> None:
    """Remove what revisions left behind that nothing is read from, once the newest has ended. Can be repeated."""
    document = await context.store.get(document_id)
    if document is None or document.job is None or document.job.step is not Step.READY:
        return
    done = {DocumentState.READY, DocumentState.PARTIAL}
    kept = {document.revision, document.job.revision, document.shown_revision}
    kept |= {each.revision for each in await context.store.versions(document_id) if each.state in done}
    table, tenant_id = context.dependencies.table, context.tenant_id
    partition = keys.document(tenant_id, document_id).pk
    gone = []
    async for item in table.query_all(partition, prefix=keys.document_revisions()):
        if item["revision"] not in kept:
            gone.append((item["revision"], item["part"]))
    await context.dependencies.blobs.delete(
        [keys.document_text(tenant_id, document_id, revision, part) for revision, part in gone]
    )
    await table.batch_delete([keys.document_part(tenant_id, document_id, *which) for which in gone])
    await _forget_awaited(context, document)
    await context.change(document_id, partial(_tidied, document.revision))


async def _tidied(revision: int, document: Document) -> Decision | None:
    if document.revision != revision or document.due_at is None or document.state is DocumentState.DELETING:
        return None
    return Decision({"due_at": progress.due(None, document.upload)}, quiet=True)


async def _forget_awaited(context: Context, document: Document) -> None:
    """Take back what search still says of earlier revisions: that they are on their way."""
    table = context.dependencies.table
    first = keys.index_awaiting(context.tenant_id, f"{document.id}#")
    async for item in table.query_all(first.pk, prefix=first.sk):
        if item["origin"]["revision"] < document.revision:
            await table.write(context.manifest.settled(item["name"]))
