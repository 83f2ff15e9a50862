"""Projects as callers send and see them."""

from typing import Self

from pydantic import BaseModel, Field

from projects import model
from projects.schemas.common import Description, Moment, Name, NextCursor, ProjectId, Request, Update, Version, optional


class ProjectCreate(Request):
    """A new project."""

    name: Name = Field(examples=["Payments"])
    description: Description = Field(default="", examples=["Everything around taking money"])


class ProjectUpdate(Update):
    """Changes of a project."""

    name: Name = optional(examples=["Payments"])
    description: Description = optional(examples=["Everything around taking money"])


class Project(BaseModel):
    """A project: what repositories and checkpoints belong to."""

    id: ProjectId
    name: str = Field(examples=["Payments"])
    description: str = Field(examples=["Everything around taking money"])
    version: Version
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, record: model.Project) -> Self:
        return cls.model_validate(record.model_dump())


class ProjectList(BaseModel):
    """One page of projects, oldest first."""

    items: list[Project]
    next_cursor: NextCursor
