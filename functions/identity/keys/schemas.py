"""API keys as callers send and see them."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from almanac.access import GRANTABLE, Permission
from almanac.ids import id_pattern
from identity.keys.model import ApiKeyRecord
from identity.keys.service import NewKey
from identity.schemas import Created, Name

KeyId = Annotated[str, Field(pattern=id_pattern("key"), examples=["key_01k9zq3v7m8x2c4b6n0d1f5g7h"])]


def _grantable(scopes: list[Permission]) -> list[Permission]:
    refused = [scope for scope in scopes if scope not in GRANTABLE]
    if refused:
        raise ValueError(f"no key can have {refused[0]}")
    return scopes


Scopes = Annotated[
    list[Permission],
    Field(
        min_length=1,
        max_length=len(Permission),
        description="What the key may do: permissions by name (docs/access.md), none beyond the caller's own.",
        examples=[["content:read"]],
    ),
    AfterValidator(_grantable),
]


class ApiKeyCreate(BaseModel):
    """A new key: what it is for and what it may do."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["continuous integration"])
    scopes: Scopes


class ApiKey(BaseModel):
    """A key without its secret."""

    id: KeyId
    name: str = Field(examples=["continuous integration"])
    scopes: list[Permission] = Field(examples=[["content:read"]])
    created_at: Created
    ending: str = Field(description="The last characters of the key, to tell keys apart.", examples=["x7Qz"])

    @classmethod
    def of(cls, record: ApiKeyRecord) -> Self:
        return cls(
            id=record.id,
            name=record.name,
            scopes=[permission for permission in Permission if permission in record.scopes],
            created_at=record.created_at,
            ending=record.ending,
        )


class ApiKeyCreated(ApiKey):
    """A new key with its secret, which is never shown again."""

    api_key: str = Field(
        description="Keep it: it cannot be read again.",
        examples=["alm_01k9zq3v7m8x2c4b6n0d1f5g7h_..."],
    )

    @classmethod
    def of_new(cls, created: NewKey) -> Self:
        return cls(**ApiKey.of(created.record).model_dump(), api_key=created.text)


class ApiKeyList(BaseModel):
    """One page of keys, oldest first."""

    items: list[ApiKey]
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next page.")
