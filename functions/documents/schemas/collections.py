"""Collections and the members of private ones, as callers send and see them."""

from typing import Self

from pydantic import BaseModel, Field

from almanac import private_members
from almanac.visible import Right, Visibility
from almanac.web.fields import (
    ActorId,
    CollectionId,
    Description,
    Moment,
    Name,
    NextCursor,
    ProjectId,
    Request,
    Update,
    Version,
    optional,
)
from documents import model

_WHO_SEES = (
    "`tenant`: whoever sees its project, or everybody in the tenant if it is in none. `private`: of these its members "
    "do, and who may see everything; to all others it does not exist, with its documents, also in search."
)
_RIGHT = "`write`: puts in, changes and deletes documents, lets others in. `read`: reads and searches alone."


class CollectionCreate(Request):
    """A new collection."""

    name: Name = Field(examples=["Contracts"])
    description: Description = Field(default="", examples=["What we signed, and with whom"])
    project_id: ProjectId | None = Field(default=None, description="The project that it is in, for good.")
    visibility: Visibility = Field(default=Visibility.TENANT, description=_WHO_SEES, examples=["tenant"])


class CollectionUpdate(Update):
    """Changes of a collection."""

    name: Name = optional(examples=["Contracts"])
    description: Description = optional(examples=["What we signed, and with whom"])
    visibility: Visibility = optional(
        description=f"{_WHO_SEES} Who makes it private is its first member; when it ceases to be, it has no members.",
        examples=["tenant"],
    )


class Collection(BaseModel):
    """Documents that belong together."""

    id: CollectionId
    project_id: ProjectId | None
    name: str = Field(examples=["Contracts"])
    description: str = Field(examples=["What we signed, and with whom"])
    visibility: Visibility = Field(description=_WHO_SEES, examples=["tenant"])
    version: Version
    created_by: ActorId
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, record: model.Collection) -> Self:
        return cls.model_validate({**record.model_dump(), "project_id": record.project_id or None})


class CollectionShown(Collection):
    """A collection, and how many documents are in it."""

    documents: dict[str, int] = Field(
        description="How many documents there are in each state that any is in.", examples=[{"ready": 12}]
    )
    is_complete: bool = Field(description="False where there are more documents than are counted at once.")


class CollectionList(BaseModel):
    """One page of collections, oldest first."""

    items: list[Collection]
    next_cursor: NextCursor


class CollectionMemberSet(Request):
    """What a member may do."""

    right: Right = Field(description=_RIGHT, examples=["read"])


class CollectionMember(BaseModel):
    """Who sees a private collection: a person, a service account, or an API key that is of no service account."""

    collection_id: CollectionId
    actor_id: ActorId
    right: Right = Field(description=_RIGHT, examples=["read"])
    added_at: Moment
    added_by: ActorId = Field(description="Who gave it this right; itself, for who made the collection private.")

    @classmethod
    def of(cls, record: private_members.Member) -> Self:
        return cls.model_validate({**record.model_dump(), "collection_id": record.owner_id})


class CollectionMemberList(BaseModel):
    """One page of members, in the order of their ids."""

    items: list[CollectionMember]
    next_cursor: NextCursor
