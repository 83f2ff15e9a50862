"""Documents in memory with everything that can go wrong under a test's control: deliveries, losses, deaths."""

import asyncio
import hashlib
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from almanac import tenancy
from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.secrets import Secrets
from almanac.aws.table import Put, Table, Write, plain
from almanac.clock import now
from almanac.embeddings.testing import HashEmbedder
from almanac.events import AnyEvent, Happened, IndexSources
from almanac.ids import new_id
from almanac.index.ingest import Stores, index_batch
from almanac.index.manifest import Directory, Manifest
from almanac.index.sources import SourceBatch
from almanac.worker.batch import Deadline
from documents import analysis, watchdog, worker
from documents.deletion import beginning
from documents.jobs import ending, progress, starting, wiring
from documents.jobs.context import Dependencies
from documents.jobs.files import Originals
from documents.model import Document, DocumentState, Version
from documents.services import targets
from documents.store import DocumentStore
from tests.support.memory import Killed, MemoryStore
from tests.support.plain_files import PlainReader, file_of, visible

EMBEDDER = HashEmbedder()
_events: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)
_LIFETIME = 600


@contextmanager
def small() -> Iterator[None]:
    """Have few pages make several parts, and every silence be too long: the watchdog always finds something to do."""

    async def nothing(*_: Any) -> None:
        return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "FIRST_PART_PAGES", 1)
        patch.setattr(progress, "PART_PAGES", 2)
        patch.setattr(progress, "WINDOW", 2)
        patch.setattr(progress, "STALE_SECONDS", -1)
        patch.setattr(beginning, "SETTLING_SECONDS", -1)
        patch.setattr(analysis, "run", nothing)
        yield


@dataclass
class World:
    """A store, queues, one tenant. A message whose worker dies comes again, unless such messages are `lost`."""

    scratch: Path
    loop: asyncio.AbstractEventLoop
    lost: bool = False
    tenant: str = field(default_factory=lambda: new_id("ten"))
    store: MemoryStore = field(default_factory=MemoryStore)
    reader: PlainReader = field(default_factory=PlainReader)
    queue: list[AnyEvent] = field(default_factory=list)
    told: list[Happened] = field(default_factory=list)
    deaths: int = 0

    def __post_init__(self) -> None:
        self.table, self.blobs = Table("almanac", self.store), Blobs("almanac", self.store)
        self.documents = DocumentStore(self.table, self.tenant)
        self.manifest = Manifest(self.table, self.tenant)
        originals = Originals(self.blobs, self.scratch, 1 << 20)
        secrets = Secrets("key", self.store)
        self.dependencies = Dependencies(self.table, self.blobs, secrets, originals, self.reader)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        async def bound() -> Any:
            with tenancy.working_for(self.tenant):
                return await work

        return self.loop.run_until_complete(bound())

    def upload(self, texts: Sequence[str], document_id: str = "", *, kind: str = "", **place: str) -> str:
        """Have a file arrive, as the arrivals of the product take it in."""
        body = file_of(texts, kind)
        document = self.run(self.documents.get(document_id)) if document_id else self._create(**place)
        assert isinstance(document, Document)
        number = document.version + 1
        begun = starting.begun(document, number, len(body), "upload")
        version = Version(
            version=number,
            revision=begun["revision"],
            filename="plan.pdf",
            size=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            state=DocumentState.PROCESSING,
            uploaded_by="usr_1",
            written_at=now(),
        )
        self.store.put(keys.document_original(self.tenant, document.id, number), body)
        also = [
            Put(version.to_item(self.tenant, document.id)),
            outbox.message(starting.read_again(self.tenant, "test", document)),
        ]
        self.run(self.documents.save(document, "test", *also, **begun, version=number))
        return document.id

    def _create(self, **place: str) -> Document:
        at = now()
        common = {"created_by": "usr_1", "created_at": at, "updated_at": at}
        document = Document.model_validate(
            {"id": new_id("doc"), "filename": "plan.pdf", "title": "plan.pdf", **common, **place}
        )
        self.run(self.documents.create(document, "test"))
        return document

    def cancel(self, document_id: str) -> bool:
        """Cancel a job as the API does; False when there is none."""
        document = self.document(document_id)
        job = progress.running(document, document.job.revision) if document.job else None
        if job is None or document.state is not DocumentState.PROCESSING:
            return False
        ended = ending.given_up(self.tenant, "test", document, job, DocumentState.CANCELLED, ending.CANCELLED)
        self.run(self.documents.save(document, "test", *ended.also, **ended.changes))
        return True

    def reprocess(self, document_id: str) -> None:
        document = self.document(document_id)
        begun = starting.begun(document, document.version, document.size, "reprocess")
        event = starting.read_again(self.tenant, "test", document)
        self.run(self.documents.save(document, "test", outbox.message(event), **begun))

    def retitle(self, document_id: str, title: str) -> None:
        """Give a document a title as the API does."""
        before = self.document(document_id)
        after = before.model_copy(update={"title": title})
        changes: dict[str, Any] = {}
        also: list[Write] = []
        if not targets.is_at_work(before):
            changes, also = starting.retitled(self.tenant, "test", after)
        self.run(self.documents.save(before, "test", *also, title=title, **changes))

    def relay(self) -> None:
        """Move the outbox to the queue."""
        waiting = [item for item in self.store.items.values() if item.get("entity") == {"S": outbox.ENTITY}]
        for item in sorted(waiting, key=lambda item: str(item["sk"])):
            event = _events.validate_json(item["body"]["S"])
            if isinstance(event, Happened):
                self.told.append(event)
            else:
                self.queue.append(event)
            del self.store.items[item["pk"]["S"], item["sk"]["S"]]

    def sorted(self) -> list[AnyEvent]:
        """Return the queue in an order that chance has no part in: messages of one moment have no order."""
        self.queue.sort(key=lambda event: event.model_dump_json())
        return self.queue

    def deliver(self, place: int = 0) -> None:
        """Hand one message to its worker. Whoever dies leaves it to the next, and nothing in memory or on disk."""
        message = self.queue.pop(place)
        try:
            self.run(self._handle(message))
        except Killed:
            self.deaths += 1
            self.store.revive()
            self._forget_tasks()
            if not self.lost:
                self.queue.append(message)

    def _forget_tasks(self) -> None:
        """End what the dead process still had in hand."""
        left = asyncio.all_tasks(self.loop)
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left))

    async def _handle(self, message: AnyEvent) -> None:
        deadline = Deadline(time.monotonic() + _LIFETIME)
        if isinstance(message, IndexSources):
            await self._index(message)
            return
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wiring, "dependencies", lambda: self.dependencies)
            await worker.work(message, deadline)  # type: ignore[arg-type]

    async def _index(self, message: IndexSources) -> None:
        body = await self.blobs.get(message.batch_key)
        if body is None:
            # The part is gone, or has its answer.
            return
        default = Directory.default(EMBEDDER.slug, EMBEDDER.model)
        stores = Stores(self.table, self.blobs, lambda _: EMBEDDER, default)
        await index_batch(await asyncio.to_thread(SourceBatch.decode, body), message, stores)

    def watch(self) -> None:
        try:
            self.run(watchdog.watch(self.table, self.blobs))
        except Killed:
            self.deaths += 1
            self.store.revive()
            self._forget_tasks()

    def drain(self) -> None:
        for _ in range(5_000):
            self.relay()
            if not self.queue:
                return
            self.deliver()
        raise AssertionError("the queue does not run dry")

    def settle(self) -> None:
        """Let everything come to rest, and the watchdog look until nothing is left to do."""
        for _ in range(60):
            self.drain()
            if not any(item.get("gsi2pk") == {"S": keys.due_documents()} for item in self.store.items.values()):
                return
            self.watch()
        raise AssertionError("a document does not come to rest")

    def document(self, document_id: str) -> Document:
        found = self.run(self.documents.get(document_id))
        assert isinstance(found, Document)
        return found

    def shown(self) -> dict[str, dict[int, str]]:
        """Return the visible pages of each document by their number."""
        found: dict[str, dict[int, str]] = {}
        for name, (_, text) in self.run(visible(self.tenant, self.table, self.blobs)).items():
            _, document_id, number = name.split(":")
            found.setdefault(document_id, {})[int(number)] = text
        return found

    def titles(self, document_id: str) -> set[str]:
        """Return the titles under which search has pages of a document."""
        found = self.run(visible(self.tenant, self.table, self.blobs))
        return {info.title for name, (info, _) in found.items() if name.split(":")[1] == document_id}

    def summary(self, document_id: str) -> dict[str, Any]:
        """Return all that stays of a document, without times and what only counts writes."""
        document = self.document(document_id)
        partition = keys.document(self.tenant, document_id).pk
        items = [plain(item) for (pk, _), item in self.store.items.items() if pk == partition]
        passing = {
            "change",
            "updated_at",
            "created_at",
            "job",
            "gsi1pk",
            "gsi1sk",
            "pk",
            "id",
            "written_at",
            "ended_at",
        }
        job = document.job
        return {
            "items": sorted(
                (
                    {name: value for name, value in item.items() if name not in passing and "_at" not in name}
                    for item in items
                ),
                key=lambda item: str(item["sk"]),
            ),
            "job": (job.revision, job.step, job.percent, job.counts) if job else None,
            "objects": sorted(
                key.split(document_id)[1] for key in self.store.objects if document_id in key and "/index/" not in key
            ),
            "shown": self.shown().get(document_id, {}),
            "awaited": sorted(self.run(self.manifest.read()).awaiting),
        }
