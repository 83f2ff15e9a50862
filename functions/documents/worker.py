"""Queue entry of the documents slice: jobs are worked on, and what was deleted is removed."""

from functools import cache
from typing import Any

from almanac.dependencies import Dependencies
from almanac.events import (
    AnalyseDocument,
    DeleteDocument,
    DeleteDocuments,
    DocumentOrigin,
    DocumentsWork,
    ReadDocument,
    ReadPart,
    ResendDocuments,
    RestoreDocument,
    SourcesFailed,
    SourcesIndexed,
    TakeInFile,
    documents_event,
)
from almanac.settings import DocumentsQueueSettings
from almanac.worker.batch import Deadline, Response, Worker
from documents import deletion
from documents.jobs import analysing, driver, ending, resending, wiring
from documents.jobs.context import Context
from documents.model import Cause
from documents.services.arrivals import Arrivals

CONCURRENCY = 4
_INTERNAL = "An error of Almanac's own ended the job."
_WAY_OUT = "Read the document again."


async def work(message: DocumentsWork, deadline: Deadline) -> None:
    """Do what one message asks for."""
    context = wiring.context(message)
    match message:
        case ReadDocument() | ReadPart() | RestoreDocument():
            await driver.work(context, message, deadline)
        case SourcesIndexed() | SourcesFailed():
            if isinstance(message.origin, DocumentOrigin):
                await driver.settle(context, message, message.origin)
        case AnalyseDocument():
            await analysing.analyse(context, message, deadline)
        case TakeInFile():
            await _arrivals(context).take_in(message.document_id, message.version)
        case ResendDocuments():
            await resending.resend(context, message, deadline)
        case DeleteDocument() | DeleteDocuments():
            await deletion.run(message, deadline, context.dependencies.table, context.dependencies.blobs)


def _arrivals(context: Context) -> Arrivals:
    return Arrivals(Dependencies(context.dependencies.table, context.dependencies.blobs), context.tenant_id)


async def give_up(message: DocumentsWork, code: str, cause: str) -> None:
    """Leave a cause where people see it. What an unexpected error says of itself is for the log, not for them."""
    context = wiring.context(message)
    told = _INTERNAL if code == "attempts_exhausted" else cause
    match message:
        case ReadDocument() | RestoreDocument():
            given = Cause(code=code, message=told, way_out=_WAY_OUT)
            await ending.fail(context, message.document_id, message.revision, given)
        case ReadPart():
            await driver.give_up_part(context, message, told)
        case AnalyseDocument():
            await analysing.without(context, message)
        case TakeInFile():
            given = Cause(code=code, message=told, way_out="Upload the file again.")
            await _arrivals(context).refuse(message.document_id, message.version, given)
        case _:
            # The watchdog asks the index again for an answer that was lost.
            pass


@cache
def worker() -> Worker[DocumentsWork]:
    queues = DocumentsQueueSettings.load()
    return Worker(
        name="documents",
        queue_url=queues.documents_queue_url,
        dead_letter_queue_url=queues.documents_dead_letter_queue_url,
        parser=documents_event,
        handle=work,
        give_up=give_up,
        concurrency=CONCURRENCY,
    )


def handler(event: dict[str, Any], context: Any) -> Response:
    return worker().handler(event, context)
