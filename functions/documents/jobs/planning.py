"""Finding out what a file is, and dividing it into parts."""

from typing import Any

from almanac.aws import keys, outbox
from almanac.aws.table import Update, Write
from almanac.events import ReadPart
from almanac.observability import log
from almanac.worker.batch import Deadline
from documents.jobs import parts as reading_parts
from documents.jobs import progress, texts
from documents.jobs.context import Context, Decision
from documents.jobs.files import sha256_of
from documents.model import Document, Job, Part, PartState, Step, Version
from documents.reading.model import Probe, Reading, ReadingError


async def plan(context: Context, document: Document, job: Job, deadline: Deadline) -> None:
    """Write the parts of a revision and have them read; raises `ReadingError` or `parts.Missing`.

    What has pages is divided by them and read part by part. Of anything else only reading tells what there is: it is
    read here, and its parts are cut from what that gave.
    """
    await _begin(context, document.id, job.revision)
    async with reading_parts.opened(context, document, job) as file:
        probe, reading = await _look(context, file, job, deadline)
        found = await _described(context, document, file, probe)
        if reading is not None:
            parts = await _cut(context, document, file.version, job, reading)
        else:
            parts = progress.plan(probe.pages or 0, ocr=job.ocr)
            await reading_parts.create(context, document, job.revision, parts)
    await _planned(context, document.id, job, probe, parts, found)


async def _look(
    context: Context, file: reading_parts.File, job: Job, deadline: Deadline
) -> tuple[Probe, Reading | None]:
    """Return what a file is, with all that is in it where that has to be read to know."""
    reader, name = context.dependencies.reader, file.version.filename
    async with reading_parts.limited(context, job, deadline) as limits:
        probe = await reader.probe(file.path, name=name, password=file.password, limits=limits)
        if probe.pages is None:
            reading = await reader.read(file.path, probe, 1, 0, password=file.password, limits=limits, name=name)
            return probe, reading
    if probe.pages < 1:
        raise ReadingError("empty")
    return probe, None


async def _begin(context: Context, document_id: str, revision: int) -> None:
    async def decide(document: Document) -> Decision | None:
        job = progress.running(document, revision)
        if job is None or job.step is not Step.UPLOADED:
            return None
        return Decision(progress.moved(document, job, step=Step.READING))

    await context.change(document_id, decide)


async def _described(context: Context, document: Document, file: reading_parts.File, probe: Probe) -> dict[str, Any]:
    """Return what the file turned out to be, with the digest of its bytes where nobody knew it."""
    found: dict[str, Any] = {"media_type": probe.media_type}
    if not file.version.sha256:
        found["sha256"] = await sha256_of(file.path)
        found["warnings"] = [*file.version.warnings, *await _same_bytes(context, document, found["sha256"])]
    return found


async def _same_bytes(context: Context, document: Document, sha256: str) -> list[str]:
    """Note whose bytes these are. Another document of the same project and collection with them is told of only."""
    key = keys.document_hash(context.tenant_id, document.project_id, document.collection_id, sha256)
    known = await context.dependencies.table.get(key)
    if known is not None and known.get("document_id") != document.id:
        return [f"The document {known['document_id']} has the same bytes."]
    return []


async def _cut(context: Context, document: Document, version: Version, job: Job, reading: Reading) -> list[Part]:
    """Store the pages that were read in parts; they are numbered in the order in which they were found."""
    if not reading.pages:
        raise ReadingError("empty") if not reading.bad else ReadingError("corrupt", reading.bad[0].message)
    parts = []
    for part in progress.plan(len(reading.pages)):
        pages = reading.pages[part.offset : part.offset + part.last - part.first + 1]
        found = {part.offset + place: (page.text, page.place) for place, page in enumerate(pages, start=1)}
        batch = texts.batch(document, version, job, found, found)
        await reading_parts.store_text(context, document.id, job.revision, part.part, batch)
        parts.append(
            part.model_copy(
                update={
                    "state": PartState.READ,
                    "pages": len(found),
                    "chunks": await texts.chunks(batch),
                    "characters": sum(len(page.text.strip()) for page in pages),
                    "bad_pages": reading.bad if part.part == 1 else [],
                    "warnings": list(reading.warnings) if part.part == 1 else [],
                }
            )
        )
    await reading_parts.create(context, document, job.revision, parts)
    return parts


async def _planned(
    context: Context, document_id: str, planned: Job, probe: Probe, parts: list[Part], found: dict[str, Any]
) -> None:
    """Say that all parts exist. Those that are to be read are asked for, but the first, which is read here."""
    revision = planned.revision
    version = Update(keys.document_version(context.tenant_id, document_id, planned.version), set=found)
    read = [part for part in parts if part.state is PartState.READ]

    async def decide(document: Document) -> Decision | None:
        job = progress.running(document, revision)
        if job is None or job.planned:
            return None
        counts = job.counts.model_copy(
            update={
                "pages": sum(part.last - part.first + 1 for part in parts),
                "parts": len(parts),
                "parts_read": len(read),
                "read": sum(part.pages for part in read),
                "bad": sum(len(part.bad_pages) for part in read),
                "chunks": sum(part.chunks for part in read),
            }
        )
        step = Step.CHUNKING if read else Step.READING
        deadline_at = progress.deadline(job.started_at, document.size, counts.pages, ocr=job.ocr)
        changes = progress.moved(
            document, job, counts=counts, step=step, planned=True, unit=probe.unit, deadline_at=deadline_at
        )
        asked = [] if read else parts[1 : progress.WINDOW]
        changes |= {name: found[name] for name in ("media_type", "sha256") if name in found}
        also: list[Write] = [version]
        also += [
            outbox.message(ReadPart(**context.common, document_id=document_id, revision=revision, part=part.part))
            for part in asked
        ]
        return Decision(changes, also)

    await context.change(document_id, decide)
    log("info", "document planned", document_id=document_id, parts=len(parts))
