"""What each message does to a job. All may come twice, late, or after a worker died half-way."""

from almanac.aws import outbox
from almanac.aws.table import Write
from almanac.errors import RetryableError
from almanac.events import (
    AnalyseDocument,
    DocumentOrigin,
    IndexSources,
    ReadDocument,
    ReadPart,
    RestoreDocument,
    SourcesFailed,
    SourcesIndexed,
)
from almanac.observability import log
from almanac.worker.batch import Deadline
from documents.jobs import analysing, closing, ending, parts, planning, progress, restoring, sending, settling
from documents.jobs.context import Context, NoTime
from documents.model import Cause, Document, Job, Part, PartState, Step
from documents.reading.model import ReadingError

_LEAST_SECONDS = 45
_STEPS = 1000
_RESENT = 16
_MISSING = Cause(
    code="file_missing", message="The uploaded file is not there any more.", way_out="Upload the file again."
)


async def work(context: Context, event: ReadDocument | ReadPart | RestoreDocument, deadline: Deadline) -> None:
    """Read or restore as a message says. Near the deadline it is sent once more: that must not use up its receives."""
    try:
        match event:
            case ReadDocument():
                await read_document(context, event, deadline)
            case ReadPart():
                await read_part(context, event, deadline)
            case RestoreDocument():
                await restore(context, event, deadline)
    except NoTime:
        log("info", "no time was left", kind=event.kind, document_id=event.document_id)
        await context.dependencies.table.write(outbox.message(event))


async def read_document(context: Context, event: ReadDocument, deadline: Deadline) -> None:
    """Plan a revision and read its first part; of one that was planned before, bring on what stands still."""
    document = await context.store.get(event.document_id)
    job = progress.running(document, event.revision)
    if document is None or job is None:
        await ending.tidy(context, event.document_id)
        return
    _check(deadline)
    try:
        if not job.planned:
            await planning.plan(context, document, job, deadline)
        else:
            await send_again(context, document, job)
        await _read_next(context, document.id, event.revision, deadline)
    except (ReadingError, parts.Missing) as error:
        cause = error.cause if isinstance(error, ReadingError) else _MISSING
        await ending.fail(context, document.id, event.revision, cause)
        return
    await advance(context, document.id, event.revision)


async def _read_next(context: Context, document_id: str, revision: int, deadline: Deadline) -> None:
    """Read the first part that waits, here and now."""
    document = await context.store.get(document_id)
    job = progress.running(document, revision)
    if document is None or job is None or job.counts.parts_read >= job.counts.parts:
        return
    waiting = await _waiting(context, document.id, revision)
    if waiting:
        await parts.read_part(context, document, job, waiting[0], deadline)


async def _waiting(context: Context, document_id: str, revision: int) -> list[Part]:
    return [part for part in await context.store.parts(document_id, revision) if part.state is PartState.WAITING]


async def read_part(context: Context, event: ReadPart, deadline: Deadline) -> None:
    """Read one part, unless that was done."""
    document = await context.store.get(event.document_id)
    job = progress.running(document, event.revision)
    part = await context.store.part(event.document_id, event.revision, event.part)
    if document is None or job is None or part is None:
        await parts.forget_text(context, event.document_id, event.revision, event.part)
        return
    if part.state is PartState.WAITING:
        _check(deadline)
        try:
            await parts.read_part(context, document, job, part, deadline)
        except (ReadingError, parts.Missing) as error:
            cause = error.cause if isinstance(error, ReadingError) else _MISSING
            await ending.fail(context, document.id, event.revision, cause)
            return
    await advance(context, event.document_id, event.revision)


async def give_up_part(context: Context, event: ReadPart, message: str) -> None:
    """Count the pages of a part that no attempt could read as bad: the others stay."""
    document = await context.store.get(event.document_id)
    job = progress.running(document, event.revision)
    part = await context.store.part(event.document_id, event.revision, event.part)
    if document is None or job is None or part is None or part.state is not PartState.WAITING:
        return
    await parts.fail_part(context, document, job, part, message)
    await advance(context, event.document_id, event.revision)


async def restore(context: Context, event: RestoreDocument, deadline: Deadline) -> None:
    """Send the shown version's stored text again under this revision."""
    document = await context.store.get(event.document_id)
    job = progress.running(document, event.revision)
    if document is None or job is None:
        return
    _check(deadline)
    if not job.planned:
        await analysing.carry(context, document, job)
        if not await restoring.copy(context, event, document, job, deadline):
            return
    else:
        await send_again(context, document, job)
    await advance(context, document.id, event.revision)


async def settle(context: Context, event: SourcesIndexed | SourcesFailed, origin: DocumentOrigin) -> None:
    """Count what the index says of a part."""
    await settling.settle(context, event, origin)
    await advance(context, origin.document_id, origin.revision)


async def advance(context: Context, document_id: str, revision: int) -> None:
    """Take every step that a revision can take by itself now. Whoever does something for a job ends with this, so that
    what one that died left undone is done by the next.
    """
    for _ in range(_STEPS):
        document = await context.store.get(document_id)
        job = progress.running(document, revision)
        if document is None or job is None or not job.planned or job.counts.parts_read < job.counts.parts:
            return
        if job.step is Step.CHUNKING:
            found = [part for part in await context.store.parts(document_id, revision) if part.first]
            if (cause := ending.nothing_read(job, found)) is not None:
                await ending.fail(context, document_id, revision, cause)
                return
            await sending.send_read(context, document, revision)
        elif job.step is Step.EMBEDDING and progress.settled(job.counts):
            await closing.close(context, document, revision)
            return
        else:
            return
    raise RetryableError("the document kept changing")


async def send_again(context: Context, document: Document, job: Job) -> None:
    """Ask once more for what a planned revision waits for: parts to be read, answers of the index, the analysis."""
    common = {**context.common, "document_id": document.id, "revision": job.revision}
    found = await context.store.parts(document.id, job.revision)
    waiting = [part for part in found if part.state is PartState.WAITING]
    unanswered = [part for part in found if part.state is PartState.SENT]
    asked: list[ReadPart | IndexSources | AnalyseDocument] = []
    asked += [ReadPart(**common, part=part.part) for part in waiting[1 : progress.WINDOW]]
    asked += [sending.indexing(context, document.id, job.revision, part.part) for part in unanswered[:_RESENT]]
    if job.step is Step.ANALYSING:
        asked.append(AnalyseDocument(**common))
    writes: list[Write] = [outbox.message(event) for event in asked]
    if writes:
        await context.dependencies.table.transact(writes)


def _check(deadline: Deadline) -> None:
    if deadline.remaining() < _LEAST_SECONDS:
        raise NoTime
