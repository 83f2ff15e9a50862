"""The slice's records, and the one place where each becomes an item and is read back.

A record holds no tenant: the tenant is in the key, and `to_item` is told it.
"""

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from almanac.aws import keys
from almanac.aws.table import Item
from almanac.visible import Visibility


class State(StrEnum):
    """Whether a project, checkpoint or hook still stands. `deleting` answers like one that does not exist."""

    ACTIVE = "active"
    DELETING = "deleting"


class RepositoryState(StrEnum):
    """Where a repository stands. `disconnected`: the host says that it is gone; what was indexed stays searchable."""

    PENDING = "pending"
    SYNCING = "syncing"
    INDEXING = "indexing"
    SYNCED = "synced"
    FAILED = "failed"
    DISCONNECTED = "disconnected"
    DELETING = "deleting"


class Provider(StrEnum):
    """Which host a repository lives on, as far as its address tells."""

    GITHUB = "github"
    GITLAB = "gitlab"
    OTHER = "other"


class IndexedState(StrEnum):
    """How far a message is on its way into the index."""

    PENDING = "pending"
    INDEXED = "indexed"
    FAILED = "failed"


class Record(BaseModel):
    """What every record has. `version` counts edits by users; workers change single attributes and leave it alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    version: int = 1
    created_at: str
    updated_at: str

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        """Read what `to_item` wrote, with whatever workers have changed since."""
        return cls.model_validate(item)


class Project(Record):
    name: str
    description: str = ""
    visibility: Visibility = Visibility.TENANT
    state: State = State.ACTIVE

    def to_item(self, tenant_id: str) -> Item:
        return {
            **keys.project(tenant_id, self.id).as_dict(),
            "entity": "project",
            "gsi1pk": keys.projects(tenant_id),
            "gsi1sk": self.id,
            **self.model_dump(),
        }


class SyncError(BaseModel):
    """Why the last attempt failed: a stable code, a cause that a person understands, and when."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    at: str


class SyncCounts(BaseModel):
    """What the completed state of a repository holds; `skipped` counts files by the reason that they were left out."""

    model_config = ConfigDict(frozen=True)

    files: int = 0
    commits: int = 0
    chunks: int = 0
    skipped: dict[str, int] = Field(default_factory=dict)


class Attempt(BaseModel):
    """A target that some run began to emit: `heads` maps branch to commit."""

    model_config = ConfigDict(frozen=True)

    run: int
    heads: dict[str, str]


class RepositoryRecord(Record):
    """A connected repository.

    `branch` names one branch, `branch_pattern` (fnmatch) several; with neither, the remote's default branch.
    `remote` is the key of the guard item that keeps one remote from being connected twice to a project.
    `heads` maps branch to commit in the completed state, `head` is the commit of the selected or default branch.
    `lease_until` is in epoch seconds; `next_check_at` is ISO time and equals the sort key in the `due` index.
    `wanted` counts requests to sync, `served` how many of them the last finished run had seen.
    """

    project_id: str
    name: str
    url: str
    remote: str
    provider: Provider = Provider.OTHER
    branch: str | None = None
    branch_pattern: str | None = None
    token_cipher: bytes | None = None
    state: RepositoryState = RepositoryState.PENDING
    heads: dict[str, str] = Field(default_factory=dict)
    head: str | None = None
    run: int = 0
    attempted: list[Attempt] = Field(default_factory=list)
    lease_owner: str | None = None
    lease_until: int = 0
    wanted: int = 0
    served: int = 0
    counts: SyncCounts = SyncCounts()
    submodules: list[str] = Field(default_factory=list)
    last_synced_at: str | None = None
    last_error: SyncError | None = None
    next_check_at: str | None = None

    def to_item(self, tenant_id: str) -> Item:
        item = {
            **keys.repository(tenant_id, self.id).as_dict(),
            "entity": "repository",
            "gsi1pk": keys.repositories(tenant_id, self.project_id),
            "gsi1sk": self.id,
            **self.model_dump(),
        }
        if self.next_check_at is not None:
            item |= {"gsi2pk": keys.due_repositories(), "gsi2sk": self.next_check_at}
        return item


class SyncRun(BaseModel):
    """One run of a repository (`keys.sync_run`).

    `cursor` says where the next message goes on, None before the first batch. `batches` were emitted, `pending` of them
    are not indexed yet; `emitted` is true when the last one is out.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    run: int
    heads: dict[str, str]
    cursor: str | None = None
    emitted: bool = False
    batches: int = 0
    pending: int = 0
    started_at: str

    def to_item(self, tenant_id: str, repository_id: str) -> Item:
        key = keys.sync_run(tenant_id, repository_id, self.run)
        return {**key.as_dict(), "entity": "sync_run", **self.model_dump()}

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate(item)


class Hook(BaseModel):
    """What the webhook road knows of a repository (`keys.hook`); the webhooks slice reads these attributes.

    `secrets_cipher` holds the current secret first; a second one is valid until `rotated_until` (epoch seconds).
    Both are encrypted for the resource `repository_id`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    repository_id: str
    project_id: str
    secrets_cipher: list[bytes]
    rotated_until: int | None = None
    state: State = State.ACTIVE

    def to_item(self, tenant_id: str) -> Item:
        return {**keys.hook(tenant_id, self.repository_id).as_dict(), "entity": "hook", **self.model_dump()}

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate(item)


class Checkpoint(Record):
    project_id: str
    name: str
    description: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    state: State = State.ACTIVE

    def to_item(self, tenant_id: str) -> Item:
        return {
            **keys.checkpoint(tenant_id, self.id).as_dict(),
            "entity": "checkpoint",
            "gsi1pk": keys.checkpoints(tenant_id, self.project_id),
            "gsi1sk": self.id,
            **self.model_dump(),
        }


class Indexed(BaseModel):
    """The state of a message's current version in the index; `code` and `cause` say why it failed."""

    model_config = ConfigDict(frozen=True)

    state: IndexedState = IndexedState.PENDING
    at: str | None = None
    chunks: int | None = None
    code: str | None = None
    cause: str | None = None


class Message(Record):
    """A message. `content` is None when it is too large for an item; `batch_key` then names its only home in S3.

    `content_sha256` and `content_bytes` are of the UTF-8 text; `preview` is its beginning.
    """

    project_id: str
    checkpoint_id: str
    content: str | None = None
    preview: str = ""
    content_sha256: str
    content_bytes: int
    batch_key: str
    author: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    occurred_at: str
    indexed: Indexed = Indexed()

    @property
    def source_id(self) -> str:
        """What the index knows the message by."""
        return f"message:{self.id}"

    def to_item(self, tenant_id: str) -> Item:
        return {
            **keys.message(tenant_id, self.id).as_dict(),
            "entity": "message",
            "gsi1pk": keys.messages(tenant_id, self.checkpoint_id),
            "gsi1sk": self.id,
            **self.model_dump(),
        }


def remote_key(url: str, branch: str | None, branch_pattern: str | None) -> str:
    """Return what identifies a remote and its selection of branches within a project. A final `.git` tells nothing."""
    parts = (url.removesuffix(".git"), branch or "", branch_pattern or "")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
