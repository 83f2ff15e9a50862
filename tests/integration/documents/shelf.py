"""One tenant's documents through the real handlers, read from the plain files of `tests.support.plain_files`."""

import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from almanac import runtime, tenancy
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table, plain
from almanac.index.manifest import Manifest
from documents.model import Document, Part, Version
from documents.store import DocumentStore
from tests.integration.callers import Keyed
from tests.integration.harness import Answer, Context
from tests.support.plain_files import PlainReader, file_of, visible

QUEUES = ("Arrivals", "Documents", "Embedding")


@dataclass
class Shelf(Keyed):
    SLICE = "documents"

    reader: PlainReader

    def upload(self, pages: Sequence[str], *, kind: str = "", document: str = "", **query: Any) -> str:
        """Upload a file, as a further version of a document if one is given; nothing is read yet."""
        return self.put(file_of(pages, kind), document, **query)

    def put(self, body: bytes, document: str = "", **query: Any) -> str:
        """Upload bytes; nothing is read yet."""
        path = f"/documents/{document}/content" if document else "/documents/content"
        query = {"filename": "plan.pdf", "content_type": "application/pdf", **query}
        answer = self.call("PUT" if document else "POST", path, body, query=query)
        assert answer.status in {200, 201, 202}, answer.text
        return str(answer.json["id"])

    def bring(self, body: bytes, filename: str) -> str:
        """Upload bytes and have them read to the end of their job."""
        identifier = self.put(body, filename=filename)
        self.settle()
        return identifier

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
            for name, (_, text) in self.run(visible(self.tenant, table(), blobs())).items()
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


def table() -> Table:
    return Table("almanac", runtime.clients())


def blobs() -> Blobs:
    return Blobs("almanac", runtime.clients())
