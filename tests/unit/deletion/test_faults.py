"""A deletion that is cut off anywhere comes to the same end, and its receipt counts nothing twice."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Item, Put, Table, plain
from almanac.embeddings.base import slug_of
from almanac.embeddings.cache import text_hash
from almanac.events import DeleteDocument, DeleteDocuments, DocumentOrigin
from almanac.index.manifest import Awaited, Directory, Manifest
from almanac.index.sources import Kind, Source, SourceBatch
from almanac.text.chunking import chunk_source, embedding_text
from almanac.worker.batch import Deadline
from documents import deletion
from documents.deletion import removal
from documents.deletion.beginning import begin
from documents.model import Collection, Document, DocumentState, Job, Part, PartState, Step, Version
from documents.store import DocumentStore
from tests.support.memory import Killed, MemoryStore

TENANT, MODEL, AT = "ten_1", "test:hash", "2026-01-01T00:00:00.000Z"
DOCUMENT = "doc_01k9zq3v7m8x2c4b6n0d1f5g7h"
COLLECTION = "col_01k9zq3v7m8x2c4b6n0d1f5g7h"
JOB = Job(revision=2, version=2, step=Step.EMBEDDING, started_at=AT, heartbeat_at=AT, deadline_at=AT)


@dataclass
class World:
    """One document of two versions, each read in two parts, and what the index and the vector cache hold of it."""

    store: MemoryStore = field(default_factory=MemoryStore)

    @property
    def table(self) -> Table:
        return Table("almanac", self.store)

    @property
    def blobs(self) -> Blobs:
        return Blobs("almanac", self.store)

    async def write(self, **changes: Any) -> Document:
        """Write it all down; returns the document."""
        document = Document(
            **{
                "id": DOCUMENT,
                "collection_id": COLLECTION,
                "filename": "plan.pdf",
                "title": "Plan",
                "state": DocumentState.READY,
                "version": 2,
                "revision": 2,
                "pages_sent": 4,
                "created_by": "usr_1",
                "created_at": AT,
                "updated_at": AT,
                **changes,
            }
        )
        collection = Collection(
            id=COLLECTION, name="Plans", state="deleting", created_by="usr_1", created_at=AT, updated_at=AT
        )
        await DocumentStore(self.table, TENANT).create(document, "c")
        manifest = Manifest(self.table, TENANT)
        waiting = Awaited(f"{DOCUMENT}#2#1", DocumentOrigin(document_id=DOCUMENT, revision=2, part=1), "k", COLLECTION)
        items = [collection.to_item(TENANT)]
        writes = [manifest.direct(Directory(Directory.default(slug_of(MODEL), MODEL).indexes, 1))]
        await self.table.transact([*writes, manifest.await_(waiting), *(Put(item) for item in items)])
        for version in (1, 2):
            await self._version(document, version)
        return document

    async def _version(self, document: Document, number: int) -> None:
        version = Version(
            version=number,
            revision=number,
            filename="plan.pdf",
            size=10,
            sha256=str(number),
            state=DocumentState.READY,
            uploaded_by="usr_1",
            written_at=AT,
        )
        claimed = keys.document_hash(TENANT, "", COLLECTION, str(number))
        items = [
            version.to_item(TENANT, DOCUMENT),
            {**claimed.as_dict(), "entity": "document_hash", "document_id": DOCUMENT},
        ]
        await self.blobs.put(keys.document_original(TENANT, DOCUMENT, number), b"0123456789")
        for part in (1, 2):
            chunks = await self._text(document, number, part)
            described = Part(part=part, first=part, last=part, state=PartState.INDEXED, chunks=chunks)
            items.append(described.to_item(TENANT, DOCUMENT, number))
        for item in items:
            await self.table.write(Put(item))

    async def _text(self, document: Document, revision: int, part: int) -> int:
        source = Source(
            source_id=document.source_id(part),
            version=revision,
            kind=Kind.DOCUMENT,
            project_id="",
            container_id=COLLECTION,
            title="Plan",
            text=f"Page {part} of revision {revision} says something of its own.",
        )
        key = keys.document_text(TENANT, DOCUMENT, revision, part)
        await self.blobs.put(key, SourceBatch(sources=[source]).encode())
        names = [text_hash(embedding_text(chunk)) for chunk in chunk_source(source)]
        await self.table.batch_put(
            {**keys.vector(TENANT, slug_of(MODEL), name).as_dict(), "entity": "vector"} for name in names
        )
        return len(names)

    def items(self, *without: str) -> list[Item]:
        found = [plain(item) for item in self.store.items.values()]
        return [item for item in found if item["entity"] not in without]

    def items_of(self, entity: str) -> list[Item]:
        return [item for item in self.items() if item["entity"] == entity]

    def receipt(self) -> dict[str, Any]:
        (found,) = (item for item in self.items() if item["entity"] == "document_receipt")
        return found

    def versions(self) -> list[str]:
        """Return the keys of the objects of which any version is left, marks of deletions too."""
        return [key for key, versions in self.store.versions.items() if versions]


@pytest.fixture
def world() -> World:
    return World()


def deadline(seconds: float = 600) -> Deadline:
    return Deadline(time.monotonic() + seconds)


Work = Callable[[], Awaitable[None]]


def remove(world: World) -> Work:
    event = DeleteDocument(tenant_id=TENANT, correlation_id="c", document_id=DOCUMENT)
    return lambda: deletion.run(event, deadline(), world.table, world.blobs)


async def delete(world: World, document: Document, **how: Any) -> None:
    assert await begin(DocumentStore(world.table, TENANT), document, "usr_1", "c", **how) is not None


def whole(world: World, work: Work) -> int:
    """Let work run undisturbed; returns how many calls of the store it made."""
    calls = 0

    def count() -> None:
        nonlocal calls
        calls += 1

    world.store.on_call = count
    asyncio.run(work())  # type: ignore[arg-type]
    world.store.on_call = None
    return calls


def killed_and_again(world: World, work: Work, at: int, *, after_effect: bool) -> None:
    world.store.kill_at, world.store.kill_after_effect = at, after_effect
    try:
        asyncio.run(work())  # type: ignore[arg-type]
    except Killed:
        world.store.revive()
        asyncio.run(work())  # type: ignore[arg-type]
    finally:
        world.store.revive()


def outcome(world: World) -> tuple[Any, ...]:
    """Return what is left in the end, without what is new with every run."""
    passing = {"requested_at", "finished_at", "expires_at", "change", "updated_at", "gsi2sk", "texts_until", "version"}
    left = [
        {name: value for name, value in item.items() if name not in passing}
        for item in world.items("outbox", "collection")
    ]
    return world.versions(), sorted(left, key=lambda item: (item["pk"], item["sk"]))


async def prepared(world: World, **how: Any) -> None:
    await delete(world, await world.write(), **how)


def test_nothing_is_left_of_a_document_but_its_receipt_and_what_hides_late_writes(world: World) -> None:
    asyncio.run(prepared(world))
    whole(world, remove(world))
    assert world.versions() == []
    left = {item["entity"] for item in world.items("outbox", "collection")}
    assert left == {"document_receipt", "index_directory", "index_tombstones", "usage"}
    receipt = world.receipt()
    assert receipt["counts"] == {"chunk": 4, "file": 2, "row": 4, "text": 4, "vector": 4, "version": 2}
    assert (receipt["state"], receipt["object_bytes"] > 20) == ("done", True)
    (usage,) = (item for item in world.items() if item["entity"] == "usage")
    assert usage["document_bytes"] == -20
    (tombstones,) = (item for item in world.items() if item["entity"] == "index_tombstones")
    assert tombstones["versions"] == {f"document:{DOCUMENT}:{page:06d}": 2 for page in range(1, 5)}


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_deletion_that_is_cut_off_at_any_call_ends_as_one_that_was_not(after_effect: bool) -> None:
    undisturbed = World()
    asyncio.run(prepared(undisturbed))
    calls = whole(undisturbed, remove(undisturbed))
    assert calls > 30
    for at in range(1, calls + 1):
        world = World()
        asyncio.run(prepared(world))
        killed_and_again(world, remove(world), at, after_effect=after_effect)
        assert outcome(world) == outcome(undisturbed), f"killed at call {at}"


def test_a_deletion_goes_on_in_another_message_when_its_time_is_over(world: World) -> None:
    asyncio.run(prepared(world))
    event = DeleteDocument(tenant_id=TENANT, correlation_id="c", document_id=DOCUMENT)
    asked = len(_sent(world, "document.delete"))
    asyncio.run(deletion.run(event, deadline(seconds=1), world.table, world.blobs))
    assert len(_sent(world, "document.delete")) == asked + 1
    assert world.receipt()["state"] == "removing"
    whole(world, remove(world))
    assert world.receipt()["state"] == "done"


def test_what_a_worker_still_writes_is_removed_by_the_last_look(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def begun() -> None:
        await delete(world, await world.write(state=DocumentState.PROCESSING, job=JOB))

    async def late() -> None:
        await world.blobs.put(keys.document_original(TENANT, DOCUMENT, 3), b"late")
        await world.table.batch_put(vectors)

    asyncio.run(begun())
    vectors = world.items_of("vector")
    whole(world, remove(world))
    assert world.receipt()["state"] == "settling"
    texts = keys.document_texts(TENANT, DOCUMENT)
    assert [key for key in world.versions() if not key.startswith(texts)] == []
    asyncio.run(late())
    monkeypatch.setattr(removal, "now", lambda: "2100-01-01T00:00:00.000Z")
    whole(world, remove(world))
    assert (world.receipt()["state"], world.versions()) == ("done", [])
    assert world.items_of("vector") == []
    assert world.receipt()["counts"] == {"chunk": 4, "file": 3, "row": 4, "text": 4, "vector": 4, "version": 2}


def test_two_deliveries_at_once_count_what_one_would(world: World) -> None:
    asyncio.run(prepared(world))

    async def both() -> None:
        await asyncio.gather(remove(world)(), remove(world)())

    steps = iter(range(10**6))
    world.store.pauses = lambda: next(steps) % 3
    asyncio.run(both())
    world.store.pauses = None
    whole(world, remove(world))
    undisturbed = World()
    asyncio.run(prepared(undisturbed))
    whole(undisturbed, remove(undisturbed))
    assert outcome(world) == outcome(undisturbed)


@pytest.mark.parametrize("after_effect", [False, True])
def test_a_collection_whose_deletion_is_cut_off_takes_its_documents_with_it(after_effect: bool) -> None:
    event = DeleteDocuments(tenant_id=TENANT, correlation_id="c", owner_id=COLLECTION, requested_by="usr_2")

    def cascade(world: World) -> Work:
        return lambda: deletion.run(event, deadline(), world.table, world.blobs)

    undisturbed = World()
    asyncio.run(_written(undisturbed))
    calls = whole(undisturbed, cascade(undisturbed))
    for at in range(1, calls + 1):
        world = World()
        asyncio.run(_written(world))
        killed_and_again(world, cascade(world), at, after_effect=after_effect)
        assert not [item for item in world.items() if item["entity"] in {"collection", "owned_document"}]
        assert (world.receipt()["requested_by"], world.receipt()["dropped"]) == ("usr_2", False)
        assert len(_sent(world, "document.delete")) == 1
        whole(world, remove(world))
        assert world.receipt()["state"] == "done"
        assert world.versions() == []


async def _written(world: World) -> None:
    await world.write()


def _sent(world: World, kind: str) -> list[Item]:
    return [item for item in world.items() if item["entity"] == "outbox" and f'"{kind}"' in item["body"]]


def test_a_message_for_a_document_that_stands_removes_nothing(world: World) -> None:
    asyncio.run(_written(world))
    before = sorted(world.store.items), sorted(world.versions())
    whole(world, remove(world))
    assert (sorted(world.store.items), sorted(world.versions())) == before
