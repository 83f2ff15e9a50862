"""The last steps of a revision, when of all its parts it is known whether they are searchable."""

from collections.abc import Sequence
from contextlib import suppress

from almanac.aws import keys, outbox
from almanac.aws.table import Put
from almanac.events import AnalyseDocument
from documents.jobs import ending, progress, sending, texts
from documents.jobs.context import Context, Decision
from documents.model import Cause, Document, Job, Part, PartState, Step
from documents.store import AlsoRefused


async def close(context: Context, document: Document, revision: int) -> None:
    """Bring a document of whose parts all is known to its next step: hide what is left over, analyse, end."""
    if (job := progress.running(document, revision)) is None:
        return
    found = await context.store.parts(document.id, revision)
    parts, last = [part for part in found if part.first], next((part for part in found if not part.first), None)
    cause = ending.nothing_read(job, parts) or _nothing_indexed(parts)
    if cause is not None:
        await ending.fail(context, document.id, revision, cause)
        return
    hiding = _to_hide(document, job, parts)
    if last is None and hiding:
        await _send_last(context, document, job, hiding)
    elif last is not None and last.state is PartState.SENT:
        return
    elif progress.is_beside(job):
        await ending.finish(context, document.id, revision)
    else:
        await _analyse(context, document.id, revision)


def _nothing_indexed(parts: Sequence[Part]) -> Cause | None:
    """Return why no part of a document is searchable; None when one is, or when none was to be."""
    if not parts or any(part.state is PartState.INDEXED for part in parts):
        return None
    first = next((page for part in parts for page in part.bad_pages), None)
    message = first.message if first is not None else "No page could be made searchable."
    return Cause(code=first.code if first is not None else "not_indexed", message=message, way_out="Read it again.")


def _to_hide(document: Document, job: Job, parts: Sequence[Part]) -> list[int]:
    """Return the numbers under which something of an earlier revision may still be found."""
    failed = [part for part in parts if part.state is PartState.FAILED]
    numbers = [number for part in failed for number in range(part.offset + 1, part.offset + 1 + _size(part))]
    surplus = range(job.counts.pages + 1, document.pages_sent + 1)
    return [number for number in [*numbers, *surplus] if number <= document.pages_sent]


def _size(part: Part) -> int:
    return part.pages or part.last - part.first + 1


async def _send_last(context: Context, document: Document, job: Job, numbers: Sequence[int]) -> None:
    version = await context.store.version(document.id, job.version or document.version)
    if version is None:
        return
    revision, number = job.revision, job.counts.parts + 1
    body = await texts.encoded(texts.batch(document, version, job, numbers, {}))
    await context.dependencies.blobs.put(keys.document_text(context.tenant_id, document.id, revision, number), body)
    part = Part(part=number, first=0, last=0, offset=job.counts.pages, state=PartState.SENT, pages=len(numbers))

    async def decide(seen: Document) -> Decision | None:
        if (job := progress.running(seen, revision)) is None:
            return None
        writes = [
            Put(part.to_item(context.tenant_id, seen.id, revision)),
            *sending.sent(context, seen, revision, number),
        ]
        return Decision({**progress.moved(seen, job), "sent_revision": revision}, writes)

    with suppress(AlsoRefused):
        await context.change(document.id, decide)


async def _analyse(context: Context, document_id: str, revision: int) -> None:
    async def decide(document: Document) -> Decision | None:
        job = progress.running(document, revision)
        if job is None or job.step is Step.ANALYSING:
            return None
        event = AnalyseDocument(**context.common, document_id=document_id, revision=revision)
        return Decision(progress.moved(document, job, step=Step.ANALYSING), [outbox.message(event)])

    await context.change(document_id, decide)
