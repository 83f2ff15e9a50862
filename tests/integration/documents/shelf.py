"""One tenant's documents through the real handlers, read by a reader whose files are plain enough to be exact about.

A file is its pages, with a form feed between them. Its first line may be one of: `%sections` (only reading tells how
many there are), `%locked WORD` (the password that opens it), `%broken CODE` (how reading ends). A page may be `!CODE`:
it cannot be read.
"""

import asyncio
import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from almanac import runtime, tenancy
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table, plain
from almanac.embeddings.testing import HashEmbedder
from almanac.index.ingest import model_of
from almanac.index.manifest import Manifest
from almanac.index.parts import open_part, source_key
from almanac.index.sources import Place
from documents.model import BadPage, Document, Part, Version
from documents.reading.model import Limits, PageText, Probe, Reading, ReadingError
from documents.store import DocumentStore
from tests.integration.harness import ADMIN, Answer, Context, Stack

QUEUES = ("Arrivals", "Documents", "Embedding")


@dataclass
class PlainReader:
    """Reads the files of this module, and remembers which pages it was asked for and with what password."""

    asked: list[tuple[int, int]] = field(default_factory=list)
    passwords: list[str | None] = field(default_factory=list)

    async def probe(self, path: Path, *, name: str, password: str | None = None, limits: Limits) -> Probe:
        kind, pages = await self._open(path, password)
        if kind == "%sections":
            return Probe("text/plain", "section", None)
        return Probe("application/pdf", "page", len(pages))

    async def read(
        self,
        path: Path,
        probe: Probe,
        first: int,
        last: int,
        *,
        password: str | None = None,
        limits: Limits,
        name: str = "",
    ) -> Reading:
        self.asked.append((first, last))
        _, pages = await self._open(path, password)
        reading = Reading()
        for number, text in enumerate(pages, start=1):
            if first <= number <= (last or len(pages)):
                self._read(reading, probe.unit, number, text)
        return reading

    def _read(self, reading: Reading, unit: Any, number: int, text: str) -> None:
        label = f"{unit} {number}"
        if text.startswith("!"):
            reading.bad.append(BadPage(number=number, label=label, code=text[1:], message=f"{label} is damaged."))
        else:
            reading.pages.append(PageText(number, Place(unit=unit, number=number, label=label), text))

    async def _open(self, path: Path, password: str | None) -> tuple[str, list[str]]:
        self.passwords.append(password)
        text = await asyncio.to_thread(path.read_text)
        kind, _, rest = text.partition("\n") if text.startswith("%") else ("", "", text)
        word, _, argument = kind.partition(" ")
        if word == "%broken":
            raise ReadingError(argument)
        if word == "%locked" and password != argument:
            raise ReadingError("wrong_password" if password else "encrypted")
        return word, rest.split("\f") if rest else []


@dataclass
class Shelf:
    stack: Stack
    tenant: str
    reader: PlainReader

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        more.setdefault("scope", ADMIN)
        return self.stack.call("documents", method, f"/api/v1{path}", body, tenant=self.tenant, **more)

    def upload(self, pages: Sequence[str], *, kind: str = "", document: str = "", **query: Any) -> str:
        """Upload a file, as a further version of a document if one is given; nothing is read yet."""
        body = "\f".join(pages)
        body = f"{kind}\n{body}" if kind else body
        path = f"/documents/{document}/content" if document else "/documents/content"
        query = {"filename": "plan.pdf", "content_type": "application/pdf", **query}
        answer = self.call("PUT" if document else "POST", path, body.encode(), query=query)
        assert answer.status in {200, 201, 202}, answer.text
        return str(answer.json["id"])

    def read(self, pages: Sequence[str], *, kind: str = "", document: str = "", **query: Any) -> str:
        """Upload a file and have it read to the end of its job."""
        identifier = self.upload(pages, kind=kind, document=document, **query)
        self.settle()
        return identifier

    def settle(self, rounds: int = 400) -> None:
        """Relay and deliver until nothing moves."""
        for _ in range(rounds):
            if not sum(self.step(queue) for queue in QUEUES) + self.stack.relay():
                return
        raise AssertionError("the queues did not come to rest")

    def step(self, queue: str) -> int:
        """Relay, and deliver one batch of a queue."""
        self.stack.relay()
        return self.stack.deliver(queue, milliseconds=120_000)

    def watch(self) -> dict[str, int]:
        """Let the watchdog do one round."""
        found: dict[str, int] = importlib.import_module("documents.watchdog").handler({}, Context())
        return found

    def cancel(self, document: str) -> Answer:
        return self.call("POST", f"/documents/{document}/cancel")

    def reprocess(self, document: str, **body: Any) -> Answer:
        return self.call("POST", f"/documents/{document}/reprocess", body)

    @property
    def store(self) -> DocumentStore:
        return DocumentStore(table(), self.tenant)

    def document(self, document_id: str) -> Document:
        found = self.run(self.store.get(document_id))
        assert isinstance(found, Document)
        return found

    def version(self, document_id: str, version: int) -> Version:
        found = self.run(self.store.version(document_id, version))
        assert isinstance(found, Version)
        return found

    def parts(self, document_id: str, revision: int) -> list[Part]:
        found: list[Part] = self.run(self.store.parts(document_id, revision))
        return found

    def shown(self, document_id: str) -> dict[int, str]:
        """Return the text of each page that search can find, by its number; a page that is there twice fails."""
        return {
            int(name.rpartition(":")[2]): text
            for name, text in self.run(shown(self.tenant)).items()
            if name.split(":")[1] == document_id
        }

    def found(self, words: str, **query: Any) -> list[str]:
        """Return the ids of the documents that search cites for some words."""
        answer = self.stack.call("search", "GET", "/api/v1/search", tenant=self.tenant, query={"q": words, **query})
        assert answer.status == 200, answer.text
        return [hit["citation"]["document_id"] for hit in answer.json["items"]]

    def awaited(self) -> list[str]:
        return sorted(self.run(Manifest(table(), self.tenant).read()).awaiting)

    def told(self, document_id: str) -> list[dict[str, Any]]:
        """Take what those who follow a document are told of, in order."""
        self.stack.relay()
        sqs, url = self.stack.client("sqs"), self.stack.environment["ALMANAC_REALTIME_QUEUE_URL"]
        bodies = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                bodies.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        mine = [body for body in bodies if body["resource_id"] == document_id]
        return sorted(mine, key=lambda body: body["resource_version"])

    def items(self, entity: str) -> list[dict[str, Any]]:
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(TableName="almanac")
        found = [plain(item) for page in pages for item in page["Items"]]
        prefix = f"{keys.tenant(self.tenant).pk}#"
        return [item for item in found if item["pk"].startswith(prefix) and item["entity"] == entity]

    def run(self, work: Any) -> Any:
        async def bound() -> Any:
            with tenancy.working_for(self.tenant):
                return await work

        return runtime.run(bound())


async def shown(tenant: str) -> dict[str, str]:
    """Return the text of every visible source, by the rule of the design and with none of the engine's code."""
    state = await Manifest(table(), tenant).read()
    buried = {source_key(source_id): version for source_id, version in state.erased.items()}
    newest: dict[str, int] = {}
    found: dict[tuple[str, int], str] = {}
    for name in sorted(state.segments(HashEmbedder.slug)):
        body = await blobs().get(keys.part_object(tenant, HashEmbedder.slug, name))
        assert body is not None
        part = open_part(body, name=name, key=name, model=model_of(HashEmbedder()))
        for info, rows in part.walk():
            version = (info.source_id, info.version)
            newest[info.source_id] = max(newest.get(info.source_id, 0), info.version)
            text = "\n".join(row.text for row in rows)
            if not state.drops.isdisjoint({info.project_id, info.container_id, info.group_id}):
                text = ""
            assert found.setdefault(version, text) == text, "two segments disagree about one version of a page"
    return {
        name: text
        for (name, version), text in found.items()
        if text and version == newest[name] > buried.get(source_key(name), 0)
    }


def table() -> Table:
    return Table("almanac", runtime.clients())


def blobs() -> Blobs:
    return Blobs("almanac", runtime.clients())


def pages(count: int, word: str = "page") -> list[str]:
    """Return the texts of so many pages, each its own."""
    return [f"{word} {number} tells of {word}s and of number{number}" for number in range(1, count + 1)]
