"""Indexes as callers send and see them."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from almanac.index.manifest import IndexState

EXAMPLE_ID = "local-bge-small-en-v1.5-01k9zq3v7m8x2c4b6n0d1f5g7h"
IndexId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[a-z0-9][a-z0-9.-]*$")]
Moment = Annotated[str | None, Field(description="UTC, ISO 8601.", examples=["2026-01-31T12:00:00.000Z"])]


class IndexCreate(BaseModel):
    """An index to build beside those that there are. It answers no query before it is activated."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)] | None = Field(
        default=None,
        description="The embedding model, one of those that the deployment allows. Default: the serving index's.",
        examples=["local:bge-small-en-v1.5"],
    )
    origin: Literal["index", "sources"] = Field(
        default="index",
        alias="from",
        description="`index` copies the chunks of the serving index; `sources` reads messages and repositories again.",
        examples=["index"],
    )
    shards: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="In how many parts the index lies, which are searched side by side. Default: as the serving one.",
        examples=[1],
    )


class BuildError(BaseModel):
    """Why a build stopped, or what is wrong with its result. It is tried again a few times by itself."""

    code: str = Field(examples=["embedding_refused"])
    cause: str = Field(examples=["the provider of openai:text-embedding-3-small answered status 401"])
    at: Moment


class Build(BaseModel):
    """How far the filling of an index is. Sources are files, commits and messages."""

    origin: Literal["index", "sources"] = Field(alias="from")
    started_at: Moment
    total: int = Field(description="The sources that the serving index shows.", examples=[812])
    done: int = Field(description="Those of them that this index has.", examples=[640])
    missing: int = Field(description="Those of them that it has not.", examples=[172])
    unexpected: int = Field(description="Sources that it shows and the serving one does not.", examples=[0])
    chunks: int = Field(description="The chunks that were copied.", examples=[4211])
    embedded: int = Field(description="Those of them that went through the model.", examples=[4120])
    ready: bool = Field(description="Whether nothing was missing when the two were last compared.")
    checked_at: Moment
    error: BuildError | None


class Index(BaseModel):
    """An index of the tenant. `serving` answers queries; the others take in what is written just the same."""

    id: str = Field(examples=[EXAMPLE_ID])
    model: str = Field(description="The embedding model.", examples=["local:bge-small-en-v1.5"])
    state: IndexState
    shards: int = Field(examples=[1])
    created_at: Moment
    served_until: Moment = Field(description="When another index took its place in answering queries.")
    build: Build | None = Field(description="Null for an index that was never filled beside another.")


class IndexList(BaseModel):
    """The tenant's indexes: the serving one first, then the newest."""

    items: list[Index]


class Log(BaseModel):
    """Segments since the last compaction."""

    segments: int = Field(examples=[12])
    rows: int = Field(examples=[96])
    bytes: int = Field(examples=[81_920])


class Snapshot(BaseModel):
    """What a shard's log was merged into."""

    shard: int = Field(examples=[0])
    generation: int = Field(description="Counts the compactions of the shard.", examples=[7])
    at: Moment
    age_seconds: int | None = Field(examples=[3600])
    rows: int = Field(examples=[4211])
    bytes: int = Field(examples=[3_342_336])
    history_rows: int = Field(description="Rows that only answer for the past.", examples=[310])


class Standing(BaseModel):
    """The commits that the index stands at for a repository."""

    commit: str | None = Field(examples=["9fceb02d0ae598e95dc970b74767f19372d61af8"])
    branch: str | None = Field(examples=["main"])
    run: int = Field(examples=[3])


class LostPart(BaseModel):
    """A part of the index whose object is missing or damaged, and that no older version of it could bring back."""

    sha256: str = Field(examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"])
    reason: str = Field(examples=["missing"])
    at: Moment


class IndexStatus(BaseModel):
    """The index that answers queries, as it is at the moment of the call.

    To whom projects are hidden, it shows what can be found of the others. Its log and snapshots are told as they lie.
    """

    id: str = Field(examples=[EXAMPLE_ID])
    model: str = Field(examples=["local:bge-small-en-v1.5"])
    shards: int = Field(examples=[1])
    readable: bool = Field(description="False while a part is damaged: then queries are refused, and counts are null.")
    lost: list[LostPart] = Field(description="Damaged parts that could not be repaired from their own history.")
    chunks: int | None = Field(description="Chunks that can be found.", examples=[4211])
    unembedded: int | None = Field(description="Those of them that are found by their words only.", examples=[0])
    superseded: int | None = Field(
        description="Rows that are replaced or gone: compaction moves them. Null where projects are hidden.",
        examples=[57],
    )
    history: int | None = Field(description="Rows that only answer for the past. Null likewise.", examples=[310])
    awaiting: int = Field(description="Messages and batches that are stored and not embedded yet.", examples=[0])
    log: Log
    snapshots: list[Snapshot]
    repositories: dict[str, Standing]
    others: list[Index] = Field(description="The tenant's other indexes.")


class CompactionQueued(BaseModel):
    """A compaction that was asked for."""

    status: Literal["queued"] = "queued"
    index_id: str = Field(examples=[EXAMPLE_ID])
    shards: int = Field(examples=[1])
