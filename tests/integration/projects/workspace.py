"""One tenant's view of the projects slice, through its real handlers."""

import importlib
import json
from collections.abc import Iterator
from typing import Any

from almanac.aws import keys
from almanac.aws.table import plain
from tests.integration.callers import Keyed
from tests.integration.harness import Context

URL = "https://github.com/encode/starlette"


class Workspace(Keyed):
    """A tenant's projects and what is in them."""

    SLICE = "projects"

    def checkpoint(self, project: str | None = None) -> str:
        return str(self.made("/checkpoints", {"project_id": project or self.project(), "name": "Review"})["id"])

    def message(self, checkpoint: str, content: str = "elephants never forget", **more: Any) -> str:
        return str(self.made("/messages", {"checkpoint_id": checkpoint, "content": content, **more})["id"])

    def repository(self, project: str, url: str = URL, **more: Any) -> dict[str, Any]:
        return self.made(f"/projects/{project}/repositories", {"url": url, **more})

    def settle(self) -> None:
        """Relay and deliver until nothing moves, without syncing repositories."""
        while self.stack.relay() + self.stack.deliver("Embedding") + self.stack.deliver("Projects"):
            pass

    def found(self, words: str, **filters: Any) -> list[str]:
        """Return the citations of what search finds: message ids."""
        answer = self.stack.call("search", "GET", "/api/v1/search", tenant=self.tenant, query={"q": words, **filters})
        assert answer.status == 200, answer.text
        return [hit["citation"]["message_id"] for hit in answer.json["items"]]

    def pages(self, path: str, limit: int, **query: Any) -> Iterator[list[str]]:
        cursor = None
        while True:
            asked = {**query, "limit": limit} | ({"cursor": cursor} if cursor else {})
            page = self.call("GET", path, query=asked).json
            yield [item["id"] for item in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def items(self) -> list[dict[str, Any]]:
        """Return every item of the tenant in the table, but for the tenant's own, the outbox and the audit log."""
        pages = self.stack.client("dynamodb").get_paginator("scan").paginate(TableName="almanac")
        own = keys.tenant(self.tenant).pk
        found = [plain(item) for page in pages for item in page["Items"] if item["pk"]["S"].startswith(f"{own}#")]
        return [
            item
            for item in found
            if item["entity"] not in {"outbox", "usage"} and not item["entity"].startswith("audit_")
        ]

    def awaited(self) -> dict[str, int]:
        """Return what the index awaits of the tenant: versions by name."""
        return {item["name"]: item["version"] for item in self.items() if item["entity"] == "index_awaited"}

    def entities(self) -> list[str]:
        return sorted(item["entity"] for item in self.items())

    def objects(self) -> list[str]:
        """Return the tenant's objects in the bucket, but for the index."""
        answer = self.stack.client("s3").list_objects_v2(Bucket="almanac", Prefix=f"tenants/{self.tenant}/")
        return [entry["Key"] for entry in answer.get("Contents", []) if "/index/" not in entry["Key"]]

    def events(self) -> list[str]:
        """Return the kinds of the tenant's messages that wait in the outbox."""
        return [event["kind"] for event in self.outbox()]

    def outbox(self) -> list[dict[str, Any]]:
        bodies = [json.loads(item["body"]["S"]) for item in self.stack.outbox()]
        return [body for body in bodies if body["tenant_id"] == self.tenant]

    def work(self, event: Any, *, milliseconds: int = 60_000) -> dict[str, Any]:
        """Give one message to the projects worker, as its queue would."""
        record = {
            "messageId": "one",
            "receiptHandle": "one",
            "body": event.model_dump_json(),
            "attributes": {"ApproximateReceiveCount": "1"},
        }
        handler = importlib.import_module("projects.worker").handler
        answer: dict[str, Any] = handler({"Records": [record]}, Context(milliseconds))
        return answer
