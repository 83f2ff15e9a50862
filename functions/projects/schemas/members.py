"""Members of private projects as callers see them."""

from typing import Self

from pydantic import BaseModel, Field

from almanac import private_members
from almanac.web.fields import ActorId, Moment, NextCursor, ProjectId


class ProjectMember(BaseModel):
    """Who sees a private project: a person, a service account, or an API key that is of no service account."""

    project_id: ProjectId
    actor_id: ActorId
    added_at: Moment
    added_by: ActorId = Field(description="Who let it in; itself, for who made the project private.")

    @classmethod
    def of(cls, record: private_members.Member) -> Self:
        return cls.model_validate({**record.model_dump(), "project_id": record.owner_id})


class ProjectMemberList(BaseModel):
    """One page of members, in the order of their ids."""

    items: list[ProjectMember]
    next_cursor: NextCursor
