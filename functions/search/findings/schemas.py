"""Findings as callers send and see them."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from almanac.findings import model
from almanac.index.sources import Kind

Moment = Annotated[str, Field(description="UTC, ISO 8601.", examples=["2026-01-31T12:00:00.000Z"])]
MaybeMoment = Annotated[str | None, Field(description="UTC, ISO 8601.", examples=["2026-01-31T12:00:00.000Z"])]
StateName = Literal["open", "dismissed", "purged", "gone"]
_ID = "fnd_01k9zq3v7m8x2c4b6n0d1f5g7h"


class FindingSource(BaseModel):
    """Where a secret stands: a file (`path` at `commit`), a `commit`, a message, or a `place` of a document."""

    kind: Kind = Field(examples=["code"])
    project_id: str = Field(examples=["prj_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    repository_id: str | None = Field(examples=["rep_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    repository: str | None = Field(examples=["encode/starlette"])
    path: str | None = Field(examples=["deploy/settings.py"])
    commit: str | None = Field(description="The commit that it was last seen at.", examples=["9fceb02d0ae598e9"])
    checkpoint_id: str | None = Field(examples=["chk_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    message_id: str | None = Field(examples=["msg_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    document_id: str | None = Field(examples=["doc_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    place: str | None = Field(description="Where in the document.", examples=["page 12"])


class Dismissal(BaseModel):
    """Who said that it is no secret, and why."""

    by: str = Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    reason: str = Field(examples=["a sample from the manual"])
    at: Moment


class Finding(BaseModel):
    """A secret that stands in content. Search shows asterisks in its place; what it is, is nowhere kept."""

    id: str = Field(examples=[_ID])
    kind: str = Field(description="Which kind of secret its form tells.", examples=["github_token"])
    state: StateName = Field(
        description="`open`; `dismissed`: it is none, yet stays masked; `purged`: removed on request; "
        "`gone`: its source has it no more, or is gone itself.",
        examples=["open"],
    )
    source: FindingSource
    line: int = Field(examples=[12])
    fingerprint: str = Field(
        description="The same for the same secret wherever it stands in the tenant's content.",
        examples=["00000000000000000000000000000000"],
    )
    dismissal: Dismissal | None
    first_seen_at: Moment
    last_seen_at: Moment
    version: int = Field(examples=[1])

    @classmethod
    def of(cls, finding: model.Finding) -> Self:
        origin = finding.origin
        is_message = origin.kind is Kind.MESSAGE
        is_of_git = origin.kind in {Kind.CODE, Kind.COMMIT}
        return cls(
            id=finding.id,
            kind=finding.kind,
            state=finding.state.value,
            source=FindingSource(
                kind=origin.kind,
                project_id=origin.project_id,
                repository_id=origin.container_id if is_of_git else None,
                repository=origin.repository,
                path=origin.path,
                commit=origin.commit,
                checkpoint_id=origin.container_id if is_message else None,
                message_id=origin.message_id,
                document_id=origin.document_id,
                place=origin.place,
            ),
            line=finding.line,
            fingerprint=finding.fingerprint,
            dismissal=Dismissal.model_validate(finding.dismissal.model_dump()) if finding.dismissal else None,
            first_seen_at=finding.first_seen_at,
            last_seen_at=finding.last_seen_at,
            version=finding.version,
        )


class FindingList(BaseModel):
    """A page of findings, the newest first."""

    items: list[Finding]
    next_cursor: str | None = Field(description="Where the next page begins; null at the end.")


class FindingUpdate(BaseModel):
    """A judgement: `dismissed` with a reason, or `open` to take it up again. It stays masked either way."""

    model_config = ConfigDict(extra="forbid")

    state: Literal["open", "dismissed"] = Field(examples=["open"])
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)] | None = Field(
        default=None, description="Why it is no secret.", examples=["a sample from the manual"]
    )
    version: int = Field(ge=1, description="The version that was read.", examples=[1])


class PurgedCopies(BaseModel):
    """Copies of one sort that were removed."""

    what: Literal["message_version", "object_version", "vector", "index_row"] = Field(examples=["object_version"])
    count: int = Field(examples=[2])
    last_copy_until: MaybeMoment = Field(description="When the last backup of them is gone; null: there is none.")


class Purge(BaseModel):
    """The receipt of a purge."""

    finding_id: str = Field(examples=[_ID])
    state: Literal["requested", "done"] = Field(examples=["done"])
    requested_by: str = Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    requested_at: Moment
    finished_at: MaybeMoment
    deleted: list[PurgedCopies]
    remaining: list[str] = Field(
        description="What could not be removed, and what is to be done.", examples=[["Revoke the secret."]]
    )
    last_copy_until: MaybeMoment = Field(description="When the last copy that was removed is gone from backups, too.")
