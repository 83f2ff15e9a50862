"""A tenant whose sources are written into the index as the projects slice does it: batch object, outbox, queue."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from almanac import runtime
from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.table import Put, Table, Write
from almanac.events import BatchOrigin, DocumentOrigin, IndexSources
from almanac.ids import new_id
from almanac.index.manifest import Manifest
from almanac.index.sources import Citation, Kind, Place, Source, SourceBatch, SourceRef
from documents.model import Document, DocumentState, Part, PartState, Version
from tests.integration.harness import Answer, Stack

SLUG = "test-hash"
MOMENT = "2026-01-01T00:00:00.000Z"


@dataclass
class World:
    stack: Stack
    tenant: str
    project: str = field(default_factory=lambda: new_id("prj"))
    repository: str = field(default_factory=lambda: new_id("rep"))
    checkpoint: str = field(default_factory=lambda: new_id("chk"))
    batches: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def manifest(self) -> Manifest:
        return Manifest(table(), self.tenant)

    def code(self, path: str, text: str, *, version: int = 1, **changes: Any) -> Source:
        cited = Citation(
            repository_id=self.repository,
            repository="https://git.test/a.git",
            commit=f"seen{version}",
            branches=changes.pop("branches", ("main",)),
        )
        fields = {
            "source_id": f"code:{self.repository}:{path}",
            "kind": Kind.CODE,
            "container_id": self.repository,
            "title": path,
            "path": path,
            "language": "python",
            "citation": cited,
        }
        return self._source(fields | changes, text, version)

    def commit(self, sha: str, text: str, *, version: int = 1, **changes: Any) -> Source:
        cited = Citation(repository_id=self.repository, repository="https://git.test/a.git", commit=sha)
        fields = {
            "source_id": f"commit:{self.repository}:{sha}",
            "kind": Kind.COMMIT,
            "container_id": self.repository,
            "title": text.split("\n")[0],
            "author": "Ada <ada@example.org>",
            "citation": cited,
        }
        return self._source(fields | changes, text, version)

    def message(self, name: str, text: str, *, version: int = 1, **changes: Any) -> Source:
        fields = {
            "source_id": f"message:{name}",
            "kind": Kind.MESSAGE,
            "container_id": self.checkpoint,
            "title": name,
            "citation": Citation(checkpoint_id=self.checkpoint, message_id=f"msg_{name}"),
        }
        return self._source(fields | changes, text, version)

    def page(self, document: Document, number: int, text: str, *, place: Place | None = None, **changes: Any) -> Source:
        """Return a page as the revision that a document shows has it."""
        cited = Citation(
            document_id=document.id,
            document_version=document.shown_version,
            place=place or Place(unit="page", number=number, label=f"page {number}"),
        )
        written = f"2026-01-{document.shown_version:02d}T00:00:00Z"
        fields = {
            "source_id": document.source_id(number),
            "kind": Kind.DOCUMENT,
            "project_id": document.project_id,
            "container_id": document.container_id,
            "group_id": document.id,
            "title": document.title,
            "path": document.filename,
            "occurred_at": written,
            "written_at": written,
            "citation": cited,
        }
        return self._source(fields | changes, text, document.shown_revision)

    def document(self, *pages: str, title: str = "Contract", parts: int = 1, **fields: Any) -> Document:
        """Store a document whose text was read, with one source a page, and have it indexed."""
        made: dict[str, Any] = {
            "id": new_id("doc"),
            "title": title,
            "filename": f"{title.lower()}.pdf",
            "state": "ready",
        }
        made |= {"version": 1, "revision": 1, "shown_version": 1, "shown_revision": 1, "shown_pages": len(pages)}
        made |= {"created_by": "usr_1", "created_at": MOMENT, "updated_at": MOMENT}
        document = Document.model_validate(made | fields)
        self.read(document, *pages, parts=parts)
        self.work()
        return document

    def revised(self, document: Document, *pages: str, state: str = "ready") -> Document:
        """Store and index the next version of a document."""
        number = document.version + 1
        shown = {"version": number, "revision": document.revision + 1, "shown_pages": len(pages)}
        shown |= {"shown_version": number, "shown_revision": document.revision + 1}
        after = document.model_copy(update=shown)
        self.read(after, *pages, *[""] * max(0, document.shown_pages - len(pages)), state=state)
        self.work()
        return after

    def read(self, document: Document, *pages: str, parts: int = 1, state: str = "ready") -> None:
        """Write what the reading of a revision leaves: items, texts and the messages that have them indexed."""
        revision, tenant = document.shown_revision, self.tenant
        sources = [self.page(document, number, text) for number, text in enumerate(pages, 1)]
        version = Version(
            version=document.shown_version,
            revision=revision,
            filename=document.filename,
            size=1,
            sha256="0" * 64,
            state=DocumentState(state),
            pages=len(pages),
            parts=parts,
            uploaded_by="usr_1",
            written_at=f"2026-01-{document.shown_version:02d}T00:00:00.000Z",
        )
        items = [document.to_item(tenant), version.to_item(tenant, document.id)]
        step = -(-len(sources) // parts)
        for number in range(1, parts + 1):
            mine = sources[(number - 1) * step : number * step]
            part = Part(part=number, first=1, last=0, offset=(number - 1) * step, state=PartState.INDEXED, pages=step)
            items.append(part.to_item(tenant, document.id, revision))
            key = keys.document_text(tenant, document.id, revision, number)
            run(blobs().put(key, SourceBatch(sources=mine).encode()))
            # The worker asks whether anybody still waits for the part.
            items[-1]["state"] = "sent"
            origin = DocumentOrigin(document_id=document.id, revision=revision, part=number)
            event = IndexSources(tenant_id=tenant, correlation_id="correlation1", batch_key=key, origin=origin)
            run(table().write(outbox.message(event)))
        for item in items:
            run(table().write(Put(item, overwrite=True)))

    def _source(self, fields: Mapping[str, Any], text: str, version: int) -> Source:
        return Source.model_validate({"project_id": self.project, "text": text, "version": version, **fields})

    def send(self, *sources: Source, deleted: Iterable[SourceRef] = ()) -> IndexSources:
        """Write a batch and its message; nothing is indexed yet."""
        self.batches += 1
        key = keys.batch_object(self.tenant, self.repository, 1, self.batches)
        body = SourceBatch(sources=list(sources), deleted=list(deleted)).encode()
        run(blobs().put(key, body))
        origin = BatchOrigin(repository_id=self.repository, run=1, batch=self.batches)
        event = IndexSources(tenant_id=self.tenant, correlation_id="correlation1", batch_key=key, origin=origin)
        run(table().write(outbox.message(event)))
        return event

    def index(self, *sources: Source, deleted: Iterable[SourceRef] = ()) -> IndexSources:
        """Write a batch and let the worker index it."""
        event = self.send(*sources, deleted=deleted)
        self.work()
        return event

    def work(self, milliseconds: int = 60_000) -> None:
        self.stack.relay()
        while self.stack.deliver("Embedding", milliseconds=milliseconds):
            pass

    def write(self, *writes: Write) -> None:
        run(table().transact(writes))

    def search(self, q: str, **asked: Any) -> list[dict[str, Any]]:
        answer = self.get(q=q, **asked)
        assert answer.status == 200, answer.text
        return list(answer.json["items"])

    def get(self, **asked: Any) -> Answer:
        return self.stack.call("search", "GET", "/api/v1/search", tenant=self.tenant, query=asked)

    def post(self, body: Any) -> Answer:
        return self.stack.call("search", "POST", "/api/v1/search", body, tenant=self.tenant)

    def announced(self) -> list[dict[str, Any]]:
        """Return what was said of batches of this tenant to the projects slice so far, in order of batch."""
        self.sent()
        mine = [event for event in self.events if event["tenant_id"] == self.tenant and "origin" in event]
        return sorted(mine, key=lambda event: event["origin"]["batch"])

    def sent(self) -> list[dict[str, Any]]:
        """Return what was sent to the projects slice since the last call."""
        self.stack.relay()
        known = len(self.events)
        queue = {"QueueUrl": self.stack.environment["ALMANAC_PROJECTS_QUEUE_URL"]}
        sqs = self.stack.client("sqs")
        while messages := sqs.receive_message(**queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                self.events.append(json.loads(message["Body"]))
                sqs.delete_message(**queue, ReceiptHandle=message["ReceiptHandle"])
        return self.events[known:]

    def segments(self) -> list[str]:
        """Return the keys of the segment objects."""

        async def listed() -> list[str]:
            return [key async for key in blobs().list(f"tenants/{self.tenant}/index/")]

        found: list[str] = run(listed())
        return found


def run(work: Any) -> Any:
    return runtime.run(work)


def table() -> Table:
    return Table("almanac", runtime.clients())


def blobs() -> Blobs:
    return Blobs("almanac", runtime.clients())
