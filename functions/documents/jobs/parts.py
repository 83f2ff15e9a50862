"""Reading: one part of a document's pages at a time, or all of it where only reading tells what there is."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from almanac.aws import keys, outbox
from almanac.aws.table import Check, ConditionFailed, Put, Write
from almanac.events import ReadPart
from almanac.index.sources import Place, SourceBatch
from almanac.observability import log_failure
from almanac.worker.batch import Deadline
from documents.jobs import passwords, progress, sending, texts
from documents.jobs.context import Context, Decision, NoTime
from documents.model import BadPage, Document, DocumentState, Job, Part, PartState, Step, Version
from documents.reading.model import Limits, Probe, Reading, ReadingError
from documents.store import AlsoRefused

_HEARTBEAT_SECONDS = 40
_RESERVE_SECONDS = 30
_SECONDS = 480.0
_LEAST_SECONDS = 15.0
_PARTS_AT_ONCE = 90
_OF_THE_FILE = frozenset({"encrypted", "wrong_password", "unsupported", "hostile", "too_large"})
"""What ends the whole document when a part says so: the other parts would say the same."""


class Missing(Exception):
    """The file of the version is not in the bucket."""


@dataclass(frozen=True)
class File:
    """A version's file at hand, and what opens it."""

    version: Version
    path: Path
    password: str | None = field(default=None, repr=False)


@asynccontextmanager
async def opened(context: Context, document: Document, job: Job) -> AsyncIterator[File]:
    """Hold a version's file; raises `Missing`. While it is held the watchdog hears that the job is at work."""
    version = await context.store.version(document.id, job.version)
    if version is None:
        raise Missing
    deps = context.dependencies
    password = await passwords.given(deps.table, deps.secrets, context.tenant_id, document.id, job.revision)
    key = keys.document_original(context.tenant_id, document.id, job.version)
    async with deps.originals.open(key, version.object_version) as path:
        if path is None:
            raise Missing
        beating = asyncio.create_task(_beat(context, document.id, job.revision))
        try:
            yield File(version, path, password)
        finally:
            beating.cancel()
            with suppress(asyncio.CancelledError):
                await beating


async def _beat(context: Context, document_id: str, revision: int) -> None:
    async def decide(document: Document) -> Decision | None:
        job = progress.running(document, revision)
        return Decision(progress.moved(document, job)) if job is not None else None

    while True:
        await asyncio.sleep(_HEARTBEAT_SECONDS)
        try:
            await context.change(document_id, decide)
        except Exception as error:  # noqa: BLE001 - whoever reads goes on; the watchdog may ask once too often
            log_failure("heartbeat was not saved", error, document_id=document_id)


@asynccontextmanager
async def limited(context: Context, job: Job, deadline: Deadline) -> AsyncIterator[Limits]:
    """Hold a slot, and what one call of the reader may take, so that it ends before this invocation does.

    A file that was given less time than others get has not taken too long: `NoTime`.
    """
    async with context.dependencies.slots:
        seconds = min(_SECONDS, deadline.remaining() - _RESERVE_SECONDS)
        if seconds < _LEAST_SECONDS:
            raise NoTime
        try:
            yield Limits(seconds=seconds, ocr="tesseract" if job.ocr else "")
        except ReadingError as error:
            if error.code == "timed_out" and seconds < _SECONDS:
                raise NoTime from None
            raise


async def read(context: Context, file: File, job: Job, part: Part, deadline: Deadline) -> Reading:
    """Read a part's pages. Trouble with some of them leaves the others; raises `ReadingError` for the whole file's."""
    probe = Probe(media_type=file.version.media_type or "", unit=job.unit, pages=job.counts.pages)
    try:
        async with limited(context, job, deadline) as limits:
            return await context.dependencies.reader.read(
                file.path,
                probe,
                part.first,
                part.last,
                password=file.password,
                limits=limits,
                name=file.version.filename,
            )
    except ReadingError as error:
        if error.code in _OF_THE_FILE:
            raise
        return Reading([], [_bad(job, number, error) for number in range(part.first, part.last + 1)], [])


def _bad(job: Job, number: int, error: ReadingError) -> BadPage:
    return BadPage(number=number, label=f"{job.unit} {number}", code=error.code, message=error.message)


async def put(context: Context, document: Document, version: Version, job: Job, part: Part, reading: Reading) -> Part:
    """Store a part's text, and return the part as it is then."""
    pages = _by_number(reading)
    numbers = range(part.offset + 1, part.offset + 1 + part.last - part.first + 1)
    batch = texts.batch(document, version, job, numbers, pages)
    chunks = await texts.chunks(batch)
    await store_text(context, document.id, job.revision, part.part, batch)
    return part.model_copy(
        update={
            "state": PartState.READ,
            "pages": len(numbers),
            "chunks": chunks,
            "characters": sum(len(each.text.strip()) for each in batch.sources),
            "bad_pages": reading.bad,
            "warnings": list(reading.warnings),
        }
    )


def _by_number(reading: Reading) -> Mapping[int, tuple[str, Place | None]]:
    pages: dict[int, tuple[str, Place | None]] = {}
    for page in reading.pages:
        known = pages.get(page.number)
        pages[page.number] = (f"{known[0]}\n\n{page.text}" if known else page.text, page.place)
    return pages


async def store_text(context: Context, document_id: str, revision: int, part: int, batch: SourceBatch) -> None:
    key = keys.document_text(context.tenant_id, document_id, revision, part)
    await context.dependencies.blobs.put(key, await texts.encoded(batch))


async def create(context: Context, document: Document, revision: int, parts: Sequence[Part]) -> None:
    """Write the parts of a plan, which others may have written before; none for a document that is gone meanwhile."""
    key = keys.document(context.tenant_id, document.id)
    values = {":revision": revision, ":deleting": DocumentState.DELETING.value}
    alive = Check(key, "#revision = :revision AND #state <> :deleting", values)
    for start in range(0, len(parts), _PARTS_AT_ONCE):
        group = parts[start : start + _PARTS_AT_ONCE]
        puts = [Put(part.to_item(context.tenant_id, document.id, revision)) for part in group]
        with suppress(ConditionFailed):
            await context.dependencies.table.transact([alive, *puts])


async def read_part(context: Context, document: Document, job: Job, part: Part, deadline: Deadline) -> None:
    """Read one part and send it on; whatever else reads it too, it counts once."""
    revision = job.revision
    async with opened(context, document, job) as file:
        reading = await read(context, file, job, part, deadline)
        after = await put(context, document, file.version, job, part, reading)
    failed = not after.characters and len(after.bad_pages) == after.pages
    await _read(context, document.id, revision, after, PartState.FAILED if failed else PartState.READ)


async def fail_part(context: Context, document: Document, job: Job, part: Part, message: str) -> None:
    """Count a part as read, with all of its pages bad."""
    numbers = range(part.first, part.last + 1)
    bad = [BadPage(number=page, label=f"{job.unit} {page}", code="unreadable", message=message) for page in numbers]
    after = part.model_copy(update={"pages": len(numbers), "bad_pages": bad})
    await _read(context, document.id, job.revision, after, PartState.FAILED)


async def _read(context: Context, document_id: str, revision: int, part: Part, read: PartState) -> None:
    """Save a part that has been read as far as it can be, with its count and what follows from it, once."""

    async def decide(document: Document) -> Decision | None:
        if (job := progress.running(document, revision)) is None:
            return None
        sends = read is PartState.READ and not job.whole
        ended = part.model_copy(update={"state": PartState.SENT if sends else read})
        also: list[Write] = [sending.part_update(context, document_id, revision, ended, PartState.WAITING)]
        changes = counted(document, job, ended)
        if sends:
            also += sending.sent(context, document, revision, part.part)
            reached = max(document.pages_sent, part.offset + part.pages)
            changes |= {"sent_revision": revision, "pages_sent": reached}
        if (following := part.part + progress.WINDOW) <= job.counts.parts:
            event = ReadPart(**context.common, document_id=document_id, revision=revision, part=following)
            also.append(outbox.message(event))
        return Decision(changes, also)

    try:
        written = await context.change(document_id, decide)
    except AlsoRefused:
        return
    if written is None:
        await forget_text(context, document_id, revision, part.part)


def counted(document: Document, job: Job, part: Part) -> dict[str, Any]:
    """Return what to save of a document, one part of which has been read as far as it can be."""
    counts = job.counts
    failed = part.state is PartState.FAILED
    counts = counts.model_copy(
        update={
            "read": counts.read + part.pages - len(part.bad_pages),
            "bad": counts.bad + len(part.bad_pages),
            "chunks": counts.chunks + part.chunks,
            "parts_read": counts.parts_read + 1,
            "parts_failed": counts.parts_failed + failed,
        }
    )
    step = job.step
    if counts.parts_read >= counts.parts:
        step = Step.CHUNKING if job.whole else Step.EMBEDDING
    return progress.moved(document, job, counts=counts, step=step)


async def forget_text(context: Context, document_id: str, revision: int, part: int) -> None:
    """Remove what was stored for a document that is gone meanwhile, and nothing of one that is not."""
    document = await context.store.get(document_id)
    if document is None or document.state is DocumentState.DELETING:
        await context.dependencies.blobs.delete([keys.document_text(context.tenant_id, document_id, revision, part)])
