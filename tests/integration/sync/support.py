"""A repository under test: what is pushed to it, what the index shows of it."""

import json
from dataclasses import dataclass, field
from typing import Any

from almanac import runtime
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.events import SyncRepository
from almanac.index.sources import Kind
from infra.local.git_server import GitServer
from tests.integration.harness import Stack
from tests.support.remotes import Remote
from tests.support.rows import Row, visible


@dataclass
class Synced:
    """A connected repository of one tenant."""

    stack: Stack
    tenant: str
    project: str
    id: str
    remote: Remote
    url: str
    server: GitServer
    counts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def connect(
        cls, stack: Stack, server: GitServer, name: str, *, url: str | None = None, fresh: bool = True, **given: Any
    ) -> "Synced":
        path = server.create(name) if fresh else server.directory / f"{name}.git"
        tenant = stack.tenant()
        project = stack.call("projects", "POST", "/api/v1/projects", {"name": "Project"}, tenant=tenant).json["id"]
        address = url or server.url(name)
        answer = stack.call(
            "projects",
            "POST",
            f"/api/v1/projects/{project}/repositories",
            {"url": address, **given},
            tenant=tenant,
        )
        assert answer.status == 201, answer.text
        return cls(stack, tenant, project, answer.json["id"], Remote(path), address, server)

    @property
    def path(self) -> str:
        return f"/api/v1/projects/{self.project}/repositories/{self.id}"

    def request(self) -> None:
        """Ask for a sync as a person does."""
        answer = self.stack.call("projects", "POST", f"{self.path}/sync", tenant=self.tenant)
        assert answer.status == 202, answer.text

    def sync(self, *, milliseconds: int = 120_000) -> dict[str, Any]:
        """Ask for a sync, let everything come to rest, and return what a person sees."""
        self.request()
        self.stack.drain(milliseconds=milliseconds)
        return self.shown()

    def shown(self) -> dict[str, Any]:
        answer = self.stack.call("projects", "GET", self.path, tenant=self.tenant)
        assert answer.status == 200, answer.text
        shown: dict[str, Any] = answer.json
        return shown

    def push_message(self) -> SyncRepository:
        return SyncRepository(tenant_id=self.tenant, correlation_id="test", repository_id=self.id, reason="push")

    def item(self) -> dict[str, Any]:
        """Return the repository's item."""
        table = Table("almanac", runtime.clients())
        return runtime.run(table.get(keys.repository(self.tenant, self.id))) or {}

    def rows(self, kind: Kind | None = None) -> list[Row]:
        """Return what is visible in the index: kind, path or commit, branches, text."""
        table, blobs = Table("almanac", runtime.clients()), Blobs("almanac", runtime.clients())
        return sorted(row for row in runtime.run(visible(self.tenant, table, blobs)) if kind is None or row[0] == kind)

    def paths(self) -> dict[str, str]:
        """Return the visible files: path to text (of files of one chunk)."""
        return {path: text for _, path, _, text in self.rows(Kind.CODE)}

    def subjects(self) -> set[str]:
        """Return the first lines of the visible commits."""
        return {text.splitlines()[0] for _, _, _, text in self.rows(Kind.COMMIT)}


def emitted_batches(stack: Stack) -> int:
    """Return how many messages wait for the embedding worker in the outbox."""
    return sum(json.loads(item["body"]["S"])["kind"] == "sources.index" for item in stack.outbox())
