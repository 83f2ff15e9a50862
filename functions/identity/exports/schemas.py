"""Exports as callers see them."""

from typing import Annotated, Self

from pydantic import BaseModel, Field

from almanac.clock import iso
from almanac.ids import id_pattern
from identity.exports import model
from identity.exports.model import ExportState
from identity.schemas import Moment

ExportId = Annotated[str, Field(pattern=id_pattern("exp"), examples=["exp_01k9zq3v7m8x2c4b6n0d1f5g7h"])]


class Export(BaseModel):
    """An archive of the tenant (docs/export-format.md)."""

    id: ExportId
    state: ExportState = Field(description="`running`, `ready` to be downloaded, or `failed` with a `cause`.")
    asked_at: Moment
    asked_by: str = Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    done_at: Moment | None
    expires_at: Moment
    counts: dict[str, int] = Field(description="Lines by kind.", examples=[{"project": 3, "message": 1200}])
    parts: int = Field(examples=[4])
    bytes: int = Field(description="Of all parts.", examples=[2391212])
    cause: str | None

    @classmethod
    def of(cls, export: model.Export) -> Self:
        return cls(
            id=export.id,
            state=export.state,
            asked_at=export.asked_at,
            asked_by=export.asked_by,
            done_at=export.done_at,
            expires_at=iso(export.expires_at),
            counts=dict(export.counts),
            parts=len(export.parts),
            bytes=sum(part.bytes for part in export.parts),
            cause=export.cause,
        )


class ExportFile(BaseModel):
    """One file of the archive, and where it can be downloaded for 15 minutes by whoever has the address."""

    name: str = Field(examples=["000001.jsonl.gz"])
    url: str = Field(examples=["https://bucket.s3.amazonaws.com/tenants/..."])


class ExportFiles(Export):
    """An archive with its files: `manifest.json` first. Empty until it is ready."""

    files: list[ExportFile]


class ExportList(BaseModel):
    """The exports that are kept, newest first."""

    items: list[Export]
