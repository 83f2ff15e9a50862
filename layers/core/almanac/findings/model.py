"""A finding: that a place in somebody's content holds a secret of some kind."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from almanac.aws import keys
from almanac.aws.table import Item
from almanac.index.sources import Kind, SourceInfo


class State(StrEnum):
    """`open`: it stands there. `dismissed`: somebody says that it is none. `purged`: it was removed on request.

    `gone`: the newest version of its source has it no more.
    """

    OPEN = "open"
    DISMISSED = "dismissed"
    PURGED = "purged"
    GONE = "gone"


class Origin(BaseModel):
    """Where it stands: a path of a repository, a commit's text, a message, or a `place` of a document."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Kind
    project_id: str
    container_id: str
    repository: str | None = None
    path: str | None = None
    commit: str | None = None
    message_id: str | None = None
    document_id: str | None = None
    place: str | None = None

    @classmethod
    def of(cls, info: SourceInfo) -> Self:
        cited = info.citation
        return cls(
            kind=info.kind,
            project_id=info.project_id,
            container_id=info.container_id,
            repository=cited.repository,
            path=info.path,
            commit=cited.commit,
            message_id=cited.message_id,
            document_id=cited.document_id,
            place=cited.place.label if cited.place else None,
        )

    def name(self, source_id: str) -> str:
        """Return what stays the same when the source is edited: a file's path, where each edit is another source."""
        return f"{self.container_id}/{self.path}" if self.kind is Kind.CODE else source_id


class Dismissal(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")

    by: str
    reason: str
    at: str


class Finding(BaseModel):
    """`lines` has the line in each source that holds it now, by source id: one path may have a version per branch.

    `fingerprint` is an HMAC of the secret under a key of the tenant's: it tells that two places hold the same one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    kind: str
    origin: Origin
    fingerprint: str
    state: State = State.OPEN
    lines: dict[str, int] = Field(default_factory=dict)
    line: int
    dismissal: Dismissal | None = None
    first_seen_at: str
    last_seen_at: str
    version: int = 1

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate(item)

    def to_item(self, tenant_id: str) -> Item:
        return {
            **keys.finding(tenant_id, self.id).as_dict(),
            "entity": "finding",
            "gsi1pk": keys.findings(tenant_id),
            "gsi1sk": f"{self.first_seen_at}#{self.id}",
            **self.model_dump(mode="json", exclude_none=True),
        }

    def seen(self, source_id: str, line: int, origin: Origin, at: str) -> Self:
        """Return it as found in a source. What was dismissed stays so; what was gone or purged is there again."""
        lines = {**self.lines, source_id: line}
        state = self.state if self.state is State.DISMISSED else State.OPEN
        changed = {"lines": lines, "line": min(lines.values()), "origin": origin, "state": state, "last_seen_at": at}
        return self.model_copy(update=changed)

    def missed(self, source_id: str) -> Self:
        """Return it as not found any more in a source."""
        lines = {name: line for name, line in self.lines.items() if name != source_id}
        state = State.GONE if not lines and self.state is State.OPEN else self.state
        return self.model_copy(update={"lines": lines, "line": min(lines.values(), default=self.line), "state": state})

    def judged(self, state: Literal[State.OPEN, State.DISMISSED], by: str, reason: str | None, at: str) -> Self:
        """Return it as dismissed, or as taken up again."""
        dismissal = Dismissal(by=by, reason=reason or "", at=at) if state is State.DISMISSED else None
        reopened = State.OPEN if self.lines else State.GONE
        shown = State.DISMISSED if state is State.DISMISSED else reopened
        return self.model_copy(update={"state": shown, "dismissal": dismissal})


class Deleted(BaseModel):
    """`count` copies of one sort were removed. `last_copy_until` is when the last backup of them is gone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    what: Literal["message_version", "object_version", "vector", "index_row"]
    count: int
    last_copy_until: str | None = None


class Receipt(BaseModel):
    """What a purge did. `remaining` says what it could not change, and what is to be done about it.

    `noted` are the names of what is being removed, for as long as it is.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    finding_id: str
    state: Literal["requested", "done"] = "requested"
    requested_by: str
    requested_at: str
    finished_at: str | None = None
    deleted: list[Deleted] = Field(default_factory=list)
    remaining: list[str] = Field(default_factory=list)
    last_copy_until: str | None = None
    noted: dict[str, list[str]] = Field(default_factory=dict)

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate(item)

    def to_item(self, tenant_id: str) -> Item:
        key = keys.finding_purge(tenant_id, self.finding_id)
        return {**key.as_dict(), "entity": "finding_purge", **self.model_dump(mode="json", exclude_none=True)}
