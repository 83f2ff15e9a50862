"""Pages as the index takes them in: each is a source, and a number without text is one too, since it replaces."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime

from almanac.index.sources import Citation, Kind, Place, Source, SourceBatch
from documents.model import Document, Job, Version


def source(
    document: Document, version: Version, job: Job, number: int, text: str = "", place: Place | None = None
) -> Source:
    """Return one page of a version as a job sends it; without text it hides the page of that number before."""
    return Source(
        source_id=document.source_id(number),
        version=job.revision,
        kind=Kind.DOCUMENT,
        project_id=document.project_id,
        container_id=document.container_id,
        group_id=document.id,
        title=job.title,
        path=version.filename,
        occurred_at=datetime.fromisoformat(version.written_at),
        written_at=datetime.fromisoformat(version.written_at),
        citation=Citation(document_id=document.id, document_version=version.version, place=place),
        text=text,
    )


def batch(
    document: Document,
    version: Version,
    job: Job,
    numbers: Iterable[int],
    pages: Mapping[int, tuple[str, Place | None]],
) -> SourceBatch:
    """Return the sources of these numbers; `pages` has the text and place of those that gave any."""
    found = ((number, *pages.get(number, ("", None))) for number in numbers)
    return SourceBatch(sources=[source(document, version, job, *page) for page in found])


async def encoded(sources: SourceBatch) -> bytes:
    return await asyncio.to_thread(sources.encode)


async def chunks(sources: SourceBatch) -> int:
    """Return how many chunks the index will make of them, unless it finds secrets in them."""
    return await asyncio.to_thread(_count, sources)


def _count(sources: SourceBatch) -> int:
    from almanac.text.chunking import chunk_source

    return sum(1 for each in sources.sources if each.text for _ in chunk_source(each))


def restamped(sources: SourceBatch, document: Document, version: Version, job: Job) -> SourceBatch:
    """Return stored sources of a version as a later job sends them, and as its document stands now."""
    again = [
        source(document, version, job, int(each.source_id.rpartition(":")[2]), each.text, each.citation.place)
        for each in sources.sources
    ]
    return SourceBatch(sources=again)
