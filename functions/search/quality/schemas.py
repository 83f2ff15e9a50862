"""Quality and verification as callers send and see them."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float | None, Field(description="From 0 to 1; null when nothing was measured.", examples=[1.0])]


class VerifyRequest(BaseModel):
    """How much of the index to compare with its sources."""

    model_config = ConfigDict(extra="forbid")

    sample: int = Field(default=50, ge=1, le=500, description="How many sources and parts to look at.", examples=[50])


class Difference(BaseModel):
    """One thing that the index and its source disagree about."""

    source_id: str = Field(
        description="A source; a repository or a part of the index where the difference is not about one source.",
        examples=["message:msg_01k9zq3v7m8x2c4b6n0d1f5g7h"],
    )
    kind: str = Field(description="code, commit, message, document, repository, vector or part.", examples=["message"])
    problem: str = Field(examples=["content_differs"])
    expected: str | None = Field(description="What the source says.", examples=["sha256 9f86d081884c"])
    found: str | None = Field(description="What the index says.", examples=["sha256 60303ae22b99"])


class Verification(BaseModel):
    """What a comparison of the index with its sources found."""

    at: str = Field(description="UTC, ISO 8601.", examples=["2026-01-31T12:00:00.000Z"])
    index_id: str = Field(examples=["local-bge-small-en-v1.5"])
    sample: int = Field(examples=[50])
    checked: dict[str, int] = Field(
        description="How much was looked at, by kind.",
        examples=[
            {"messages": 31, "documents": 12, "code": 60, "commits": 9, "vectors": 5, "parts": 4, "repositories": 1}
        ],
    )
    differences: list[Difference] = Field(description="At most a hundred.")
    left_off: int = Field(description="How many more differences there were.", examples=[0])
    repairs: int = Field(description="Damaged parts whose repair was asked for.", examples=[0])
    skipped: list[str] = Field(description="What could not be compared, and why.", examples=[[]])


class QualityDay(BaseModel):
    """What was measured on one day, for one index."""

    day: str = Field(examples=["2026-01-31"])
    index_id: str = Field(examples=["local-bge-small-en-v1.5"])
    queries: int = Field(description="How many queries were searched again exhaustively.", examples=[12])
    recall: Share = Field(description="The share of the ten best hits that was in the answers.")


class Quality(BaseModel):
    """Recall of the tenant's own queries, and the last comparison of its index with its sources."""

    sample_rate: float = Field(description="The share of queries that is measured.", examples=[0.02])
    queries: int = Field(examples=[84])
    recall: Share
    days: list[QualityDay]
    verification: Verification | None
