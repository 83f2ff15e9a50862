"""Sending what is stored of a shown version under a new revision: after one was given up, or its document moved."""

import asyncio

from almanac.aws import keys, outbox
from almanac.events import RestoreDocument
from almanac.index.sources import SourceBatch
from almanac.observability import log
from almanac.worker.batch import Deadline
from documents.jobs import ending, progress, texts
from documents.jobs import parts as reading_parts
from documents.jobs.context import Context, Decision
from documents.model import Cause, Document, Job, Part, PartState, Step, Version

_RESERVE_SECONDS = 30
_AT_ONCE = 8
_LOST = Cause(
    code="text_missing",
    message="The stored text of the version that was shown is missing.",
    way_out="Read the document again.",
)


async def copy(context: Context, event: RestoreDocument, document: Document, job: Job, deadline: Deadline) -> bool:
    """Make the parts of a revision of those that are shown; False when another message goes on with it.

    Without a version that was ever shown there are none: all that was sent is hidden.
    """
    version = await context.store.version(document.id, job.version) if job.version else None
    shown = await context.store.parts(document.id, document.shown_revision) if version else []
    made = {part.part for part in await context.store.parts(document.id, job.revision)}
    shown = [part for part in shown if part.first]
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(part: Part) -> bool:
        async with slots:
            return version is None or await _copy(context, document, version, job, part)

    todo = [part for part in shown if part.part not in made]
    for start in range(0, len(todo), _AT_ONCE):
        if deadline.remaining() < _RESERVE_SECONDS:
            await context.dependencies.table.write(outbox.message(event))
            return False
        if not all(await asyncio.gather(*(one(part) for part in todo[start : start + _AT_ONCE]))):
            await ending.fail(context, document.id, job.revision, _LOST)
            return False
    await _planned(context, document.id, job.revision, shown)
    return True


async def _copy(context: Context, document: Document, version: Version, job: Job, part: Part) -> bool:
    if part.state is not PartState.FAILED:
        key = keys.document_text(context.tenant_id, document.id, document.shown_revision, part.part)
        body = await context.dependencies.blobs.get(key)
        if body is None:
            log("error", "stored text is missing", key=key)
            return False
        stored = await asyncio.to_thread(SourceBatch.decode, body)
        again = await asyncio.to_thread(texts.restamped, stored, document, version, job)
        await reading_parts.store_text(context, document.id, job.revision, part.part, again)
        part = part.model_copy(update={"state": PartState.READ})
    await reading_parts.create(context, document, job.revision, [part])
    return True


async def _planned(context: Context, document_id: str, revision: int, parts: list[Part]) -> None:
    failed = [part for part in parts if part.state is PartState.FAILED]

    async def decide(document: Document) -> Decision | None:
        job = progress.running(document, revision)
        if job is None or job.planned:
            return None
        bad = sum(len(part.bad_pages) for part in parts)
        pages = sum(part.pages for part in parts)
        counts = job.counts.model_copy(
            update={
                "pages": pages,
                "read": pages - bad,
                "bad": bad,
                "chunks": sum(part.chunks for part in parts if part.state is not PartState.FAILED),
                "parts": len(parts),
                "parts_read": len(parts),
                "parts_failed": len(failed),
            }
        )
        return Decision(progress.moved(document, job, counts=counts, step=Step.CHUNKING, planned=True))

    await context.change(document_id, decide)
