"""The analysis of one revision, from its stored text to the stored result.

The text is data: whatever it says, nothing is done but to store quotes of it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from time import monotonic

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Item, Table
from almanac.clock import iso, now
from almanac.embeddings.base import slug_of
from almanac.embeddings.statements import are_compared
from almanac.events import AnalyseDocument
from almanac.index.manifest import Directory, from_item
from almanac.index.sources import Source, SourceBatch
from almanac.observability import emit, log, log_failure
from almanac.worker.batch import Deadline
from documents.analysis import rules, summary, vectors
from documents.analysis.checks import verified
from documents.analysis.dates import full
from documents.analysis.model import METHOD_RULES, Analysis
from documents.analysis.reading import Reader, Reading
from documents.analysis.store import AnalysisStore, encode
from documents.analysis.units import Page
from documents.model import Document, DocumentState
from documents.store import DocumentStore

SECONDS = 120.0
"""All of an analysis, and of these for rules and for a model:"""
RULES_SECONDS = 60.0
MODEL_SECONDS = 75.0
SPARE_SECONDS = 20.0
"""What is left of an invocation for whoever called."""
MOST_CHARACTERS = 12_000_000

UNFINISHED = "What the document says about the project could not be worked out; its text is searchable all the same."


class _Gone(Exception):
    """The document or its revision is no more."""


@dataclass(frozen=True)
class Analyst:
    """Analyses documents. Without a language model, or when it fails, by rules alone.

    `embedding_model` is the slug of the index of a tenant that never chose one.
    """

    table: Table
    blobs: Blobs
    embedding_model: str
    reader: Reader | None = None

    async def run(self, message: AnalyseDocument, deadline: Deadline) -> str | None:
        """Analyse a revision and store what was found; returns a warning for people when that did not succeed.

        Whatever happens here, the document is searchable already: trouble is told and never raised.
        """
        begun = monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(SECONDS, deadline.remaining() - SPARE_SECONDS))):
                analysis = await self._analyse(message, deadline)
        except _Gone:
            return None
        except Exception as error:  # noqa: BLE001 - see above
            log_failure("analysis failed", error, document_id=message.document_id, revision=message.revision)
            emit({"AnalysisFailed": (1, "Count")})
            return UNFINISHED
        measured = {
            "AnalysisTime": ((monotonic() - begun) * 1000, "Milliseconds"),
            "FindingsDropped": (analysis.dropped, "Count"),
        }
        emit(measured, method=analysis.method)
        if analysis.pages_left_out:
            return f"Only the first {analysis.pages} pages were analysed: the document is longer than an analysis goes."
        return None

    async def _analyse(self, message: AnalyseDocument, deadline: Deadline) -> Analysis:
        store = DocumentStore(self.table, message.tenant_id)
        document = await store.get(message.document_id)
        version = _version(document, message.revision)
        if document is None or version is None:
            raise _Gone
        sources = [each async for each in self._sources(store, message)]
        pages, left_out = await asyncio.to_thread(_pages, sources)
        reading = await self._read(pages, sources, message, deadline)
        findings, dropped = await asyncio.to_thread(verified, reading.findings, pages)
        analysis = Analysis(
            document_id=message.document_id,
            version=version,
            revision=message.revision,
            method=reading.method,
            ranked_by=reading.ranked_by,
            fallback=reading.fallback,
            document_date=reading.document_date,
            written_at=_written_at(sources) or document.updated_at,
            pages=reading.pages,
            pages_left_out=left_out + len(pages) - reading.pages,
            dropped=dropped + reading.dropped,
            at=now(),
            findings=findings,
        )
        encoded = await asyncio.to_thread(encode, analysis)
        analyses = AnalysisStore(self.table, self.blobs, message.tenant_id)
        asking = analyses.asking(analysis, encoded, message.correlation_id) if await self._is_compared(message) else []
        if not await analyses.save(analysis, encoded, *asking):
            raise _Gone
        return analysis

    async def _read(
        self, pages: Sequence[Page], sources: Sequence[tuple[int, Source]], message: AnalyseDocument, deadline: Deadline
    ) -> Reading:
        own_date = await asyncio.to_thread(rules.document_date, pages)
        ends = monotonic() + min(RULES_SECONDS, deadline.remaining() - SPARE_SECONDS)
        found = await asyncio.to_thread(rules.find, pages, full(own_date), lambda: monotonic() > ends)
        near = await self._nearness(message.tenant_id, sources)
        chosen = await asyncio.to_thread(summary.choose, found.sentences, near)
        reading = Reading(
            findings=found.findings.model_copy(update={"summary": chosen}),
            method=METHOD_RULES,
            ranked_by="words+vectors" if near else "words",
            document_date=own_date,
            pages=found.pages,
        )
        if self.reader is None:
            return reading
        seconds = min(MODEL_SECONDS, deadline.remaining() - SPARE_SECONDS)
        return await self.reader.add(reading, pages[: found.pages], near, seconds)

    async def _sources(self, store: DocumentStore, message: AnalyseDocument) -> AsyncIterator[tuple[int, Source]]:
        """Yield the pages of a revision with their numbers, without secrets."""
        for part in await store.parts(message.document_id, message.revision):
            key = keys.document_text(message.tenant_id, message.document_id, message.revision, part.part)
            body = await self.blobs.get(key)
            if body is None:
                # A part that could not be read has none: what is bad of a document is told elsewhere.
                continue
            for source in await asyncio.to_thread(_clean, body):
                yield int(source.source_id.rpartition(":")[2]), source

    async def _nearness(self, tenant_id: str, sources: Sequence[tuple[int, Source]]) -> summary.Nearness:
        """Return what the index's vectors tell; nothing when they are not to be had."""
        try:
            item = await self.table.get(keys.index_directory(tenant_id), consistent=False)
            passages = await asyncio.to_thread(vectors.passages, sources)
            known = await vectors.codes(self.table, tenant_id, self._slug(item), passages)
            return await asyncio.to_thread(vectors.nearness, passages, known)
        except Exception as error:  # noqa: BLE001 - a summary by words is better than none
            log("error", "summary ranked by words alone", reason=type(error).__name__)
            return {}

    async def _is_compared(self, message: AnalyseDocument) -> bool:
        """Tell whether vectors of what documents state are of use with the tenant's model."""
        item = await self.table.get(keys.index_directory(message.tenant_id), consistent=False)
        return are_compared(self._slug(item))

    def _slug(self, item: Item | None) -> str:
        directory = from_item(item) if item else None
        return slug_of(directory.serving.model) if isinstance(directory, Directory) else self.embedding_model


def _version(document: Document | None, revision: int) -> int | None:
    """Return which version a revision reads that a document is being read as, or shows; None for any other."""
    if document is None or document.state is DocumentState.DELETING:
        return None
    if document.job is not None and document.job.revision == revision == document.revision:
        return document.job.version
    return document.shown_version if document.shown_revision == revision else None


def _written_at(sources: Sequence[tuple[int, Source]]) -> str | None:
    times = (source.written_at for _, source in sources if source.written_at)
    first = next(times, None)
    return iso(first.timestamp()) if first else None


def _clean(body: bytes) -> list[Source]:
    from almanac.text.secrets import clean_source

    return [clean_source(source).source for source in SourceBatch.decode(body).sources if source.text.strip()]


def _pages(sources: Sequence[tuple[int, Source]]) -> tuple[list[Page], int]:
    """Return the pages in order, as many as are read, and how many are not."""
    pages: list[Page] = []
    characters = 0
    ordered = sorted(sources, key=lambda each: each[0])
    for number, source in ordered:
        characters += len(source.text)
        if characters > MOST_CHARACTERS and pages:
            break
        place = source.citation.place
        pages.append(Page.of(number, place.label if place else f"page {number}", source.text))
    return pages, len(ordered) - len(pages)
