"""Imports as callers send and see them."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from almanac.ids import id_pattern
from identity.exports.model import Part
from identity.imports import model
from identity.imports.model import ImportState
from identity.imports.reading import MAX_PART_BYTES
from identity.schemas import Moment

ImportId = Annotated[str, Field(pattern=id_pattern("imp"), examples=["imp_01k9zq3v7m8x2c4b6n0d1f5g7h"])]


class ManifestPart(BaseModel):
    """One part of an archive, as its manifest names it."""

    name: str = Field(pattern=r"^\d{6}\.jsonl\.gz$", examples=["000001.jsonl.gz"])
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", examples=["9f86d0" + "0" * 58])
    bytes: int = Field(ge=1, le=MAX_PART_BYTES, examples=[73912])
    lines: int = Field(ge=1, le=10_000_000, examples=[623])

    def to_part(self) -> Part:
        return Part(int(self.name[:6]), self.sha256, self.bytes, self.lines)


class Manifest(BaseModel):
    """An archive's manifest.json (docs/export-format.md). What else it says is not needed."""

    model_config = ConfigDict(extra="ignore")

    format: Literal[1] = Field(examples=[1])
    parts: list[ManifestPart] = Field(
        min_length=1,
        max_length=1000,
        examples=[[{"name": "000001.jsonl.gz", "sha256": "9f86d0" + "0" * 58, "bytes": 73912, "lines": 623}]],
    )


class ImportCreate(BaseModel):
    """Import an archive into the tenant that the caller works in."""

    model_config = ConfigDict(extra="forbid")

    manifest: Manifest = Field(
        examples=[
            {
                "format": 1,
                "parts": [{"name": "000001.jsonl.gz", "sha256": "9f86d0" + "0" * 58, "bytes": 73912, "lines": 623}],
            }
        ]
    )


class Import(BaseModel):
    """How far an import is."""

    id: ImportId
    state: ImportState = Field(
        description=(
            "`waiting` for its files; `checking` all of them before anything is written; `writing`; `done`, and being "
            "indexed; or `failed` with a `cause`, to be started again."
        )
    )
    asked_at: Moment
    done_at: Moment | None
    counts: dict[str, int] = Field(description="What was written, by kind.", examples=[{"message": 1200}])
    cause: str | None

    @classmethod
    def of(cls, found: model.Import) -> Self:
        return cls(
            id=found.id,
            state=found.state,
            asked_at=found.asked_at,
            done_at=found.done_at,
            counts=dict(found.counts),
            cause=found.cause,
        )


class Upload(BaseModel):
    """Where one file is to be sent, by PUT with these headers, within 15 minutes."""

    name: str = Field(examples=["000001.jsonl.gz"])
    url: str = Field(examples=["https://bucket.s3.amazonaws.com/tenants/..."])
    headers: dict[str, str] = Field(examples=[{"x-amz-tagging": "lifetime=transient"}])


class ImportUploads(Import):
    """An import, and where its files are to be sent; nowhere while it is carried out, or when it is done."""

    uploads: list[Upload]
