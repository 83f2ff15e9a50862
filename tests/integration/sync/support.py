"""A repository under test: what is pushed to it, what the index shows of it."""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dulwich.objects import Blob, Commit, ObjectID, Tree
from dulwich.refs import Ref
from dulwich.repo import Repo

from almanac import runtime
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.embeddings.testing import HashEmbedder
from almanac.events import SyncRepository
from almanac.index.ingest import model_of
from almanac.index.manifest import Manifest, ManifestState
from almanac.index.segments import decode
from almanac.index.sources import Kind, SourceInfo
from infra.local.git_server import GitServer
from tests.integration.harness import Stack

SLUG = "test-hash"
Files = Mapping[bytes, bytes | tuple[int, bytes]]
"""Path to content; `(mode, content)` for what is no plain file, `(0o160000, commit)` for a submodule."""
Row = tuple[str, str, tuple[str, ...], str]


class Remote:
    """A bare repository, written without a working tree."""

    def __init__(self, path: Path) -> None:
        self._repo = Repo(str(path))
        self._clock = 1_700_000_000

    def commit(
        self,
        files: Files,
        *,
        branch: str = "main",
        parents: list[str] | None = None,
        message: str | bytes = "Change",
        move: bool = True,
    ) -> str:
        """Write a commit with exactly these files; without `parents` it follows the branch. Returns its id."""
        self._clock += 60
        if parents is None:
            parents = [tip] if (tip := self.tip(branch)) else []
        commit = Commit()
        commit.tree = self._tree(files)
        commit.parents = [ObjectID(parent.encode()) for parent in parents]
        commit.author = commit.committer = b"Ada Lovelace <ada@example.com>"
        commit.author_time = commit.commit_time = self._clock
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = message.encode() if isinstance(message, str) else message
        self._repo.object_store.add_object(commit)
        if move:
            self.move(branch, commit.id.decode())
        return commit.id.decode()

    def tip(self, branch: str) -> str | None:
        try:
            return self._repo.refs[_ref(branch)].decode()
        except KeyError:
            return None

    def move(self, branch: str, commit: str) -> None:
        self._repo.refs[_ref(branch)] = ObjectID(commit.encode())

    def remove(self, branch: str) -> None:
        del self._repo.refs[_ref(branch)]

    def _tree(self, files: Files) -> ObjectID:
        tree, below = Tree(), dict[bytes, dict[bytes, Any]]()
        for path, content in files.items():
            name, slash, rest = path.partition(b"/")
            if slash:
                below.setdefault(name, {})[rest] = content
                continue
            mode, data = content if isinstance(content, tuple) else (0o100644, content)
            if mode == 0o160000:
                tree.add(name, mode, ObjectID(data))
                continue
            blob = Blob.from_string(data)
            self._repo.object_store.add_object(blob)
            tree.add(name, mode, blob.id)
        for name, members in below.items():
            tree.add(name, stat.S_IFDIR, self._tree(members))
        self._repo.object_store.add_object(tree)
        return tree.id


def _ref(branch: str) -> Ref:
    return Ref(b"refs/heads/" + os.fsencode(branch))


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
        return sorted(row for row in runtime.run(visible(self.tenant)) if kind is None or row[0] == kind)

    def paths(self) -> dict[str, str]:
        """Return the visible files: path to text (of files of one chunk)."""
        return {path: text for _, path, _, text in self.rows(Kind.CODE)}

    def subjects(self) -> set[str]:
        """Return the first lines of the visible commits."""
        return {text.splitlines()[0] for _, _, _, text in self.rows(Kind.COMMIT)}


async def visible(tenant: str) -> list[Row]:
    """Return the rows that a search can find, by the rule of the design and with none of the engine's code."""
    table, blobs = Table("almanac", runtime.clients()), Blobs("almanac", runtime.clients())
    state = await Manifest(table, tenant, SLUG).read()
    newest: dict[str, int] = dict(state.tombstones)
    found: dict[tuple[str, int], list[Row]] = {}
    seen: set[tuple[str, int]] = set()
    for name in sorted(state.segments):
        body = await blobs.get(keys.segment_object(tenant, SLUG, name))
        assert body is not None
        segment = decode(body, key=name, sha256=name, model=model_of(HashEmbedder()))
        for ref in segment.tombstones:
            newest[ref.source_id] = max(newest.get(ref.source_id, 0), ref.version)
        for place, info in enumerate(segment.sources):
            version = (info.source_id, info.version)
            assert version not in seen, "a version of a source was indexed twice"
            seen.add(version)
            newest[info.source_id] = max(newest.get(info.source_id, 0), info.version)
            found[version] = [_row(info, row.text) for row in segment.rows if row.source == place]
    shown = (rows for (name, version), rows in found.items() if _shows(state, newest, name, version))
    return [row for rows in shown for row in rows]


def _shows(state: ManifestState, newest: Mapping[str, int], source_id: str, version: int) -> bool:
    return newest[source_id] == version and state.tombstones.get(source_id, 0) < version


def _row(info: SourceInfo, text: str) -> Row:
    named = info.path if info.kind is Kind.CODE else info.citation.commit
    return info.kind.value, named or "", tuple(info.citation.branches), text


def emitted_batches(stack: Stack) -> int:
    """Return how many messages wait for the embedding worker in the outbox."""
    return sum(json.loads(item["body"]["S"])["kind"] == "sources.index" for item in stack.outbox())
