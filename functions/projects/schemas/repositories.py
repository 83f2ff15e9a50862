"""Repositories as callers send and see them."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from almanac.web.fields import Moment, NextCursor, ProjectId, Request, Update, Version, optional
from almanac.web.fields import RepositoryId as Id
from projects import model
from projects.model import Provider, RepositoryState
from projects.services.repositories import Connected, Rotated

_HEADS = "refs/heads/"


def _plain_branch(branch: str) -> str:
    name = branch.removeprefix(_HEADS)
    bad = ("..", "@{", "//")
    if not name or name[0] in "/-." or name.endswith(("/", ".", ".lock")) or any(part in name for part in bad):
        raise ValueError("this cannot be the name of a branch")
    return name


Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
Branch = Annotated[
    str, StringConstraints(max_length=255, pattern=r"^[^\x00-\x20\x7f~^:?*\[\\]+$"), AfterValidator(_plain_branch)
]
Pattern = Annotated[str, StringConstraints(max_length=255, pattern=r"^[^\x00-\x20\x7f~^:\\]+$")]
Token = Annotated[str, StringConstraints(min_length=1, max_length=2000, pattern=r"^[\x21-\x7e]+$")]

_URL = "https://github.com/encode/starlette"
_URL_TEXT = "An https address without user name, token, query or fragment."
_BRANCH_TEXT = "The one branch to sync. With neither branch nor pattern, the remote's default branch is synced."
_PATTERN_TEXT = "Sync every branch that matches (`*`, `?`, `[...]`)."
_TOKEN_TEXT = "A token that may read the repository. It is kept encrypted and never returned."  # noqa: S105 - a description


class RepositoryConnect(Request):
    """A repository to connect."""

    url: Url = Field(description=_URL_TEXT, examples=[_URL])
    branch: Branch | None = Field(default=None, description=_BRANCH_TEXT, examples=["main"])
    branch_pattern: Pattern | None = Field(default=None, description=_PATTERN_TEXT, examples=[None])
    access_token: Token | None = Field(default=None, description=_TOKEN_TEXT, examples=[None])


class RepositoryUpdate(Update):
    """Changes of a repository. A null branch, pattern or token is removed; a branch replaces a pattern and vice versa.

    With an address on another host the token is removed too, unless a new one is given.
    """

    url: Url = optional(description=_URL_TEXT, examples=[_URL])
    branch: Branch | None = optional(description=_BRANCH_TEXT, examples=["main"])
    branch_pattern: Pattern | None = optional(description=_PATTERN_TEXT, examples=[None])
    access_token: Token | None = optional(description=_TOKEN_TEXT, examples=[None])


class Counts(BaseModel):
    """What is searchable of the repository. `skipped` counts files by the reason that they were left out."""

    # No row knows how many chunks it replaced, so this one only grows.

    files: int = Field(examples=[120])
    commits: int = Field(examples=[940])
    chunks: int = Field(
        description="Chunks written to the index since the repository was connected, replaced ones included.",
        examples=[1500],
    )
    skipped: dict[str, int] = Field(examples=[{"binary": 3, "too_large": 1}])


class Failure(BaseModel):
    """Why the last sync failed."""

    code: str = Field(examples=["access_denied"])
    message: str = Field(examples=["The access token was refused: it may have expired."])
    at: Moment


class Progress(BaseModel):
    """How far the sync that is going on has come: `pending` of its `batches` are not searchable yet."""

    batches: int = Field(examples=[4])
    pending: int = Field(examples=[1])
    started_at: Moment

    @classmethod
    def of(cls, run: model.SyncRun) -> Self:
        return cls(batches=run.batches, pending=run.pending, started_at=run.started_at)


class Repository(BaseModel):
    """A connected repository and where its sync stands."""

    id: Id
    project_id: ProjectId
    name: str = Field(examples=["encode/starlette"])
    url: str = Field(examples=[_URL])
    provider: Provider
    branch: str | None = Field(examples=["main"])
    branch_pattern: str | None
    has_access_token: bool
    state: RepositoryState
    sync_requested: bool = Field(description="A sync was asked for that has not ended yet.")
    head: str | None = Field(
        description="The commit of the selected branch that is searchable.",
        examples=["9f2c4b1de0a7f3a1b5c6d7e8f90123456789abcd"],
    )
    heads: dict[str, str] = Field(
        description="The searchable commit of each synced branch.",
        examples=[{"main": "9f2c4b1de0a7f3a1b5c6d7e8f90123456789abcd"}],
    )
    counts: Counts
    submodules: list[str] = Field(description="Paths of submodules, which are not followed.", examples=[[]])
    progress: Progress | None = Field(default=None, description="While a sync goes on; not in lists.")
    last_synced_at: str | None = Field(examples=["2026-01-31T12:00:00.000Z"])
    last_error: Failure | None = Field(description="Why the last sync failed; null after one that succeeded.")
    version: Version
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, record: model.RepositoryRecord, run: model.SyncRun | None = None) -> Self:
        shown = record.model_dump(exclude={"token_cipher"})
        return cls.model_validate(
            {
                **shown,
                "has_access_token": record.token_cipher is not None,
                "sync_requested": record.wanted > record.served,
                "progress": Progress.of(run) if run else None,
            }
        )


class Webhook(BaseModel):
    """How to have the host tell of pushes: enter one address and the secret in its settings."""

    github_url: str = Field(examples=["https://almanac.example.com/api/v1/webhooks/github/ten_.../rep_..."])
    gitlab_url: str = Field(examples=["https://almanac.example.com/api/v1/webhooks/gitlab/ten_.../rep_..."])
    secret: str | None = Field(
        description="Shown this once. Null when the answer repeats an earlier one: rotate to get a new secret.",
        examples=["whs_..."],
    )


class RepositoryConnected(Repository):
    """A new repository and its webhook."""

    webhook: Webhook

    @classmethod
    def of_new(cls, connected: Connected, addresses: dict[str, str]) -> Self:
        repository = Repository.of(connected.repository)
        webhook = Webhook(secret=connected.secret, **addresses)
        return cls.model_validate({**repository.model_dump(), "webhook": webhook.model_dump()})


class RepositoryList(BaseModel):
    """One page of repositories, oldest first."""

    items: list[Repository]
    next_cursor: NextCursor


class SyncRequest(Request):
    """How to sync. The body may be left out."""

    full: bool = Field(
        default=False,
        description="Write everything to the index again, not only what differs. What is unchanged is not embedded "
        "again, and stays searchable meanwhile.",
        examples=[True],
    )


class SyncQueued(BaseModel):
    """A sync will begin in a moment; the repository's `state` tells how it goes."""

    status: Literal["queued"] = "queued"


class WebhookRotated(Webhook):
    """A new webhook secret. Only the last secret before it stays valid, until `rotated_until`."""

    rotated_until: Moment

    @classmethod
    def of(cls, rotated: Rotated, addresses: dict[str, str]) -> Self:
        return cls(secret=rotated.secret, rotated_until=rotated.old_valid_until, **addresses)
