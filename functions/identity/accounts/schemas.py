"""Service accounts as callers send and see them."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from almanac.ids import id_pattern
from identity.accounts.model import AccountRecord
from identity.schemas import Moment, Name

ServiceAccountId = Annotated[str, Field(pattern=id_pattern("svc"), examples=["svc_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ServiceAccountCreate(BaseModel):
    """A new service account."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["deployments"])
    description: Description = Field(default="", examples=["The pipeline that releases the shop."])


class ServiceAccountUpdate(BaseModel):
    """Changes of a service account at the version that the caller read."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, examples=[1])
    name: Name | None = Field(default=None, examples=["deployments"])
    description: Description | None = Field(default=None, examples=["The pipeline that releases the shop."])
    disabled: bool | None = Field(default=None, description="Stops all its keys, or starts them again.")

    def changes(self) -> dict[str, str | bool]:
        """Return what the caller wants changed."""
        given = {"name": self.name, "description": self.description, "disabled": self.disabled}
        return {name: value for name, value in given.items() if value is not None}


class ServiceAccount(BaseModel):
    """Who a machine is: what its keys do is done in its name."""

    id: ServiceAccountId
    name: str = Field(examples=["deployments"])
    description: str = Field(examples=["The pipeline that releases the shop."])
    disabled: bool
    created_at: Moment
    created_by: str = Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    version: int = Field(examples=[1])
    keys: list[str] = Field(
        description="The ids of its keys that have not expired.", examples=[["key_01k9zq3v7m8x2c4b6n0d1f5g7h"]]
    )

    @classmethod
    def of(cls, record: AccountRecord, at: str) -> Self:
        return cls(
            id=record.id,
            name=record.name,
            description=record.description,
            disabled=record.disabled,
            created_at=record.created_at,
            created_by=record.created_by,
            version=record.version,
            keys=sorted(key_id for key_id, held in record.held.items() if held.lives(at)),
        )


class ServiceAccountList(BaseModel):
    """One page of service accounts, oldest first."""

    items: list[ServiceAccount]
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next page.")
