"""What the index says of parts."""

from almanac.aws.table import Write
from almanac.events import DocumentOrigin, SourcesFailed, SourcesIndexed
from almanac.observability import log
from documents.jobs import progress, sending
from documents.jobs.context import Context, Decision
from documents.model import BadPage, Counts, Document, Job, Part, PartState
from documents.store import AlsoRefused

_INTERNAL = "An error of Almanac's own: read the document again."


async def settle(context: Context, event: SourcesIndexed | SourcesFailed, origin: DocumentOrigin) -> None:
    """Count what became of a part, once; an answer for a revision that is not at work any more changes nothing.

    Search no longer waits for the part in any case.
    """
    part = await context.store.part(origin.document_id, origin.revision, origin.part)
    document = await context.store.get(origin.document_id)
    job = progress.running(document, origin.revision)
    if part is None or job is None or part.state is not PartState.SENT:
        await context.dependencies.table.write(context.manifest.settled(_name(origin)))
        return
    after = _after(part, job, event)

    async def decide(seen: Document) -> Decision | None:
        if (job := progress.running(seen, origin.revision)) is None:
            return None
        also: list[Write] = [
            sending.part_update(context, seen.id, origin.revision, after, PartState.SENT),
            context.manifest.settled(_name(origin)),
        ]
        counts = _counted(job, part, after) if part.first else job.counts
        return Decision(progress.moved(seen, job, counts=counts), also)

    try:
        await context.change(origin.document_id, decide)
    except AlsoRefused:
        log("info", "part was settled before", document_id=origin.document_id, part=origin.part)


def _name(origin: DocumentOrigin) -> str:
    return sending.awaited_name(origin.document_id, origin.revision, origin.part)


def _after(part: Part, job: Job, event: SourcesIndexed | SourcesFailed) -> Part:
    if isinstance(event, SourcesIndexed):
        return part.model_copy(update={"state": PartState.INDEXED, "chunks": event.chunks})
    # What an unexpected error says of itself is for the log, not for people.
    message = _INTERNAL if event.code == "attempts_exhausted" else event.cause
    known = {page.number for page in part.bad_pages}
    pages = [page for page in range(part.offset + 1, part.offset + 1 + part.pages) if page not in known]
    bad = [*part.bad_pages]
    bad += [BadPage(number=page, label=f"{job.unit} {page}", code=event.code, message=message) for page in pages]
    return part.model_copy(update={"state": PartState.FAILED, "bad_pages": bad if part.first else []})


def _counted(job: Job, before: Part, after: Part) -> Counts:
    counts = job.counts
    if after.state is PartState.INDEXED:
        return counts.model_copy(
            update={
                "chunks": counts.chunks + after.chunks - before.chunks,
                "embedded": counts.embedded + after.chunks,
                "parts_indexed": counts.parts_indexed + 1,
            }
        )
    newly_bad = len(after.bad_pages) - len(before.bad_pages)
    return counts.model_copy(
        update={
            "read": counts.read - newly_bad,
            "bad": counts.bad + newly_bad,
            "chunks": counts.chunks - before.chunks,
            "parts_failed": counts.parts_failed + 1,
        }
    )
