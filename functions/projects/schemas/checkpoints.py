"""Checkpoints as callers send and see them."""

from typing import Self

from pydantic import BaseModel, Field

from almanac.web.fields import (
    CheckpointId,
    Description,
    Metadata,
    Moment,
    Name,
    NextCursor,
    ProjectId,
    Request,
    Update,
    Version,
    optional,
)
from projects import model


class CheckpointCreate(Request):
    """A new checkpoint of a project."""

    project_id: ProjectId
    name: Name = Field(examples=["Sprint 12 review"])
    description: Description = Field(default="", examples=["What was shown, and what was said"])
    metadata: Metadata = Field(default_factory=dict)


class CheckpointUpdate(Update):
    """Changes of a checkpoint. `metadata` is replaced as a whole."""

    name: Name = optional(examples=["Sprint 12 review"])
    description: Description = optional(examples=["What was shown, and what was said"])
    metadata: Metadata = optional()


class Checkpoint(BaseModel):
    """A checkpoint: where messages are kept."""

    id: CheckpointId
    project_id: ProjectId
    name: str = Field(examples=["Sprint 12 review"])
    description: str = Field(examples=["What was shown, and what was said"])
    metadata: dict[str, str] = Field(examples=[{"environment": "production"}])
    version: Version
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, record: model.Checkpoint) -> Self:
        return cls.model_validate(record.model_dump())


class CheckpointList(BaseModel):
    """One page of checkpoints, oldest first."""

    items: list[Checkpoint]
    next_cursor: NextCursor
