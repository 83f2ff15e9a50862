"""The analysis of a document, which may fail without the document."""

import asyncio

from almanac.errors import RetryableError
from almanac.events import AnalyseDocument
from almanac.observability import log_failure
from almanac.worker.batch import Deadline
from documents import analysis
from documents.analysis.store import AnalysisStore, encode
from documents.jobs import ending, progress
from documents.jobs.context import Context
from documents.model import Document, Job, Step

_RESERVE_SECONDS = 20
WARNING = "The document could not be analysed; all of it is searchable."


async def analyse(context: Context, event: AnalyseDocument, deadline: Deadline) -> None:
    """Analyse a revision and say that it is done; one that is done already is analysed again alone."""
    document = await context.store.get(event.document_id)
    job = progress.running(document, event.revision)
    if document is None or (job is None and document.shown_revision != event.revision):
        return
    warnings = await _warnings(event, deadline)
    if job is not None and job.step is Step.ANALYSING:
        await ending.finish(context, event.document_id, event.revision, warnings)


async def without(context: Context, event: AnalyseDocument) -> None:
    """End a revision whose analysis was given up."""
    await ending.finish(context, event.document_id, event.revision, [WARNING])


async def carry(context: Context, document: Document, job: Job) -> None:
    """Keep the analysis of the shown revision for one that sends the same text again."""
    store = AnalysisStore(context.dependencies.table, context.dependencies.blobs, context.tenant_id)
    analysis = await store.get(document.id, document.shown_revision) if document.shown_revision else None
    if analysis is not None:
        same = analysis.model_copy(update={"revision": job.revision})
        await store.save(same, await asyncio.to_thread(encode, same))


async def _warnings(event: AnalyseDocument, deadline: Deadline) -> list[str]:
    remaining = deadline.remaining() - _RESERVE_SECONDS
    if remaining <= 0:
        raise RetryableError("no time was left to begin in")
    try:
        warning = await asyncio.wait_for(analysis.run(event, deadline), remaining)
    except Exception as error:  # noqa: BLE001 - whatever befalls the analysis, the document is searchable
        log_failure("document could not be analysed", error, document_id=event.document_id)
        return [WARNING]
    return [warning] if warning else []
