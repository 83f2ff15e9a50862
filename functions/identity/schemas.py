"""Tenants and API keys as callers send and see them."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from almanac.ids import id_pattern
from almanac.scopes import Scope
from identity.model import ApiKeyRecord
from identity.service import NewKey

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")
]
TenantId = Annotated[str, Field(pattern=id_pattern("ten"), examples=["ten_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
KeyId = Annotated[str, Field(pattern=id_pattern("key"), examples=["key_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
Created = Annotated[str, Field(description="UTC, ISO 8601.", examples=["2026-01-31T12:00:00.000Z"])]


class Caller(BaseModel):
    """The key that made the call."""

    key_id: str = Field(examples=["key_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    scope: Scope


class Tenant(BaseModel):
    """A tenant, and who is asking."""

    id: TenantId
    name: str = Field(examples=["Acme"])
    created_at: Created
    caller: Caller


class ApiKeyCreate(BaseModel):
    """A new key: what it is for and what it may do."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["continuous integration"])
    scope: Scope = Field(description="`write` includes `read`, `admin` includes both and manages API keys.")


class ApiKey(BaseModel):
    """A key without its secret."""

    id: KeyId
    name: str = Field(examples=["continuous integration"])
    scope: Scope
    created_at: Created
    ending: str = Field(description="The last characters of the key, to tell keys apart.", examples=["x7Qz"])

    @classmethod
    def of(cls, record: ApiKeyRecord) -> Self:
        return cls(
            id=record.id,
            name=record.name,
            scope=record.scope,
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
