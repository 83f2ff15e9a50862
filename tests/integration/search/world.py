"""A tenant whose sources are written into the index as the projects slice does it: batch object, outbox, queue."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from almanac import runtime
from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table, Write
from almanac.events import BatchOrigin, IndexSources
from almanac.ids import new_id
from almanac.index.manifest import Manifest
from almanac.index.sources import Citation, Kind, Source, SourceBatch, SourceRef
from tests.integration.harness import Answer, Stack

SLUG = "test-hash"


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
