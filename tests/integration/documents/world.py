"""One tenant's documents, through the slice's real handlers and the bucket's own notifications."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import httpx

from almanac.aws import keys
from tests.integration.callers import Keyed

TEXT = b"# Scope\n\nInvoices are kept for ten years.\n"


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Library(Keyed):
    """A tenant's documents."""

    SLICE = "documents"

    def begin(self, filename: str = "scope.md", **more: Any) -> dict[str, Any]:
        """Create a document that expects a file; returns the whole answer."""
        return self.made("/documents", {"filename": filename, **more})

    def upload(self, body: bytes = TEXT, filename: str = "scope.md", **more: Any) -> str:
        """Create a document and post its file; the bucket tells of it."""
        begun = self.begin(filename, size=len(body), sha256=sha256(body), **more)
        assert self.post(begun["upload"], body) == 204
        return str(begun["id"])

    def post(self, upload: Mapping[str, Any], body: bytes) -> int:
        """Post a file as the form of an upload says."""
        posted = httpx.post(upload["url"], data=upload["fields"], files={"file": ("x", body)})
        return posted.status_code

    def show(self, document_id: str) -> dict[str, Any]:
        answer = self.call("GET", f"/documents/{document_id}")
        assert answer.status == 200, answer.text
        shown: dict[str, Any] = answer.json
        return shown

    def versions(self, document_id: str) -> list[dict[str, Any]]:
        """Return a document's versions, newest first."""
        items: list[dict[str, Any]] = self.call("GET", f"/documents/{document_id}/versions").json["items"]
        return items

    def arrive(self) -> int:
        """Give the worker what the bucket told; returns how many messages there were."""
        found = 0
        while count := self.stack.deliver("Arrivals"):
            found += count
        return found

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the tenant's messages of a kind that wait in the outbox."""
        bodies = [json.loads(item["body"]["S"]) for item in self.stack.outbox()]
        return [body for body in bodies if body["tenant_id"] == self.tenant and body["kind"] == kind]

    def objects(self, document_id: str) -> list[str]:
        """Return the last segments of a document's objects in the bucket."""
        prefix = keys.document_prefix(self.tenant, document_id)
        answer = self.stack.client("s3").list_objects_v2(Bucket="almanac", Prefix=prefix)
        return [entry["Key"].removeprefix(prefix) for entry in answer.get("Contents", [])]

    def original(self, document_id: str, version: int = 1) -> str:
        return keys.document_original(self.tenant, document_id, version)

    def used_bytes(self) -> int:
        return int((self.item(keys.usage(self.tenant)) or {}).get("document_bytes", 0))
