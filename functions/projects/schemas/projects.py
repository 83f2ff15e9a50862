"""Projects as callers send and see them."""

from typing import Self

from pydantic import BaseModel, Field

from almanac.visible import Visibility
from almanac.web.fields import Description, Moment, Name, NextCursor, ProjectId, Request, Update, Version, optional
from projects import model

_WHO_SEES = (
    "`tenant`: everybody in the tenant sees the project. `private`: its members do, and who may see every project; "
    "to all others it does not exist, also in search."
)


class ProjectCreate(Request):
    """A new project."""

    name: Name = Field(examples=["Payments"])
    description: Description = Field(default="", examples=["Everything around taking money"])
    visibility: Visibility = Field(default=Visibility.TENANT, description=_WHO_SEES, examples=["tenant"])


class ProjectUpdate(Update):
    """Changes of a project."""

    name: Name = optional(examples=["Payments"])
    description: Description = optional(examples=["Everything around taking money"])
    visibility: Visibility = optional(
        description=f"{_WHO_SEES} Who makes it private is its first member; when it ceases to be, it has no members.",
        examples=["tenant"],
    )


class Project(BaseModel):
    """A project: what repositories and checkpoints belong to."""

    id: ProjectId
    name: str = Field(examples=["Payments"])
    description: str = Field(examples=["Everything around taking money"])
    visibility: Visibility = Field(description=_WHO_SEES, examples=["tenant"])
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
