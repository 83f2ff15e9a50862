"""Documents that were read: their pages lie in the bucket, as the job worker leaves them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from almanac import runtime
from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.table import Put, Table
from almanac.events import AnalyseDocument
from almanac.ids import new_id
from almanac.index.sources import Citation, Kind, Place, Source, SourceBatch
from documents.analysis.model import Analysis
from documents.analysis.store import AnalysisStore
from documents.model import Document, DocumentState, Part, PartState, Version
from tests.integration.harness import Answer, Stack

PAGES_A_PART = 2
MOMENT = "2026-01-01T00:00:00.000Z"


@dataclass
class Writer:
    """Writes documents of one tenant and has them analysed by the worker's real handler."""

    stack: Stack
    tenant: str
    project: str = field(default_factory=lambda: new_id("prj"))

    @property
    def table(self) -> Table:
        return Table("almanac", runtime.clients())

    @property
    def blobs(self) -> Blobs:
        return Blobs("almanac", runtime.clients())

    @property
    def analyses(self) -> AnalysisStore:
        return AnalysisStore(self.table, self.blobs, self.tenant)

    def make_project(self, visibility: str = "tenant") -> str:
        """Create a project through its API and write into it from now on."""
        body = {"name": "Apollo", "visibility": visibility}
        made = self.stack.call("projects", "POST", "/api/v1/projects", body, tenant=self.tenant)
        assert made.status == 201, made.text
        self.project = made.json["id"]
        return self.project

    def write(
        self, *pages: str, at: str = "2026-01-01T00:00:00.000Z", analyse: bool = True, **changes: Any
    ) -> Document:
        """Put a document with these pages where a finished job leaves it, and analyse it."""
        document = Document(
            **{
                "id": new_id("doc"),
                "project_id": self.project,
                "filename": "notes.md",
                "title": "Notes",
                "state": DocumentState.READY,
                "version": 1,
                "revision": 1,
                "shown_version": 1,
                "shown_revision": 1,
                "shown_pages": len(pages),
                "created_by": "key_test",
                "created_at": at,
                "updated_at": at,
                **changes,
            }
        )
        runtime.run(self._store(document, pages, at))
        if analyse:
            self.analyse(document)
        return document

    def revise(self, document: Document, *pages: str, at: str = "2026-02-01T00:00:00.000Z") -> Document:
        """Give a document a version more, and analyse that."""
        number = document.revision + 1
        changes = dict.fromkeys(("version", "revision", "shown_version", "shown_revision"), number)
        later = document.model_copy(update={**changes, "change": document.change + 1})
        runtime.run(self._store(later, pages, at))
        self.analyse(later)
        return later

    def analyse(self, document: Document) -> None:
        """Ask the worker for an analysis."""
        event = AnalyseDocument(
            tenant_id=self.tenant, correlation_id="test", document_id=document.id, revision=document.revision
        )
        runtime.run(self.table.write(outbox.message(event)))
        self.stack.drain()

    def analysis(self, document: Document) -> Analysis | None:
        """Return what is stored of the document's revision."""
        return runtime.run(self.analyses.get(document.id, document.revision))

    def get(self, path: str, *, query: dict[str, Any] | None = None, **caller: Any) -> Answer:
        caller = caller or {"tenant": self.tenant}
        return self.stack.call("documents", "GET", path, query=query, **caller)

    async def _store(self, document: Document, pages: Sequence[str], at: str) -> None:
        version = Version(
            version=document.version,
            revision=document.revision,
            filename=document.filename,
            size=1,
            sha256="0" * 64,
            state=DocumentState.READY,
            pages=len(pages),
            uploaded_by="key_test",
            written_at=at,
        )
        items = [document.to_item(self.tenant), version.to_item(self.tenant, document.id)]
        for owner in document.owners:
            row = {"entity": "owned_document", "document_id": document.id}
            items.append({**keys.owned_document(self.tenant, owner, document.id).as_dict(), **row})
        for number, start in enumerate(range(0, len(pages), PAGES_A_PART), 1):
            batch = SourceBatch(sources=list(sources(document, pages[start : start + PAGES_A_PART], start, at)))
            key = keys.document_text(self.tenant, document.id, document.revision, number)
            await self.blobs.put(key, batch.encode())
            part = Part(part=number, first=start + 1, last=start + len(batch.sources), state=PartState.INDEXED)
            items.append(part.to_item(self.tenant, document.id, document.revision))
        for item in items:
            await self.table.write(Put(item, overwrite=True))


def sources(document: Document, pages: Sequence[str], offset: int, at: str) -> Iterable[Source]:
    for number, text in enumerate(pages, offset + 1):
        yield Source(
            source_id=document.source_id(number),
            version=document.revision,
            kind=Kind.DOCUMENT,
            project_id=document.project_id,
            container_id=document.container_id,
            group_id=document.id,
            title=document.title,
            written_at=datetime.fromisoformat(at),
            citation=Citation(
                document_id=document.id,
                document_version=document.version,
                place=Place(unit="page", number=number, label=f"page {number}"),
            ),
            text=text,
        )
