"""API keys as callers send and see them."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from almanac.access import GRANTABLE, Permission
from almanac.clock import iso
from almanac.ids import id_pattern
from identity.accounts.schemas import ServiceAccountId
from identity.keys.model import ApiKeyRecord
from identity.keys.service import NewKey
from identity.schemas import Moment, Name

_LONGEST_DAYS = 3650

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


class ApiKeyState(StrEnum):
    """Whether a key opens the API."""

    ACTIVE = "active"
    DISABLED = "disabled"
    EXPIRED = "expired"


class ApiKeyCreate(BaseModel):
    """A new key: what it is for, what it may do, and how long."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["continuous integration"])
    scopes: Scopes
    service_account_id: ServiceAccountId | None = Field(
        default=None, description="Whose key it is. What it does is done in that account's name."
    )
    expires_in_days: int | None = Field(
        default=None, ge=1, le=_LONGEST_DAYS, description="Instead of `expires_at`. Neither: it does not expire."
    )
    expires_at: AwareDatetime | None = Field(
        default=None, description="When it stops working: in the future, at most ten years.", examples=[None]
    )

    @model_validator(mode="after")
    def _ends_once(self) -> Self:
        if self.expires_in_days is not None and self.expires_at is not None:
            raise ValueError("say expires_in_days or expires_at, not both")
        present = datetime.now(UTC)
        if self.expires_at and not present < self.expires_at <= present + timedelta(days=_LONGEST_DAYS):
            raise ValueError("expires_at must be in the future, at most ten years")
        return self

    def ends_at(self) -> str | None:
        """Return when the key ends, or None."""
        if self.expires_in_days is not None:
            return iso((datetime.now(UTC) + timedelta(days=self.expires_in_days)).timestamp())
        return iso(self.expires_at.timestamp()) if self.expires_at else None


class ApiKeyUpdate(BaseModel):
    """Another name for a key."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(examples=["continuous integration"])


class ApiKeyRotation(BaseModel):
    """How long the old key goes on working beside the new one."""

    model_config = ConfigDict(extra="forbid")

    overlap_hours: int = Field(default=24, ge=0, le=168, description="0 stops the old key at once.", examples=[24])


class ApiKey(BaseModel):
    """A key without its secret."""

    id: KeyId
    name: str = Field(examples=["continuous integration"])
    scopes: list[Permission] = Field(examples=[["content:read"]])
    service_account_id: ServiceAccountId | None
    created_at: Moment
    created_by: str = Field(
        description="Who made it: a person, a service account or a key; empty for an operator.",
        examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"],
    )
    expires_at: str | None = Field(description="UTC, ISO 8601.", examples=["2027-01-31T12:00:00.000Z"])
    last_used_at: str | None = Field(description="To five minutes.", examples=["2026-01-31T12:00:00.000Z"])
    state: ApiKeyState
    replaced_by: KeyId | None = Field(description="The key that took its place.")
    ending: str = Field(description="The last characters of the key, to tell keys apart.", examples=["x7Qz"])

    @classmethod
    def of(cls, record: ApiKeyRecord, at: str) -> Self:
        return cls(
            id=record.id,
            name=record.name,
            scopes=[permission for permission in Permission if permission in record.scopes],
            service_account_id=record.service_account_id,
            created_at=record.created_at,
            created_by=record.created_by,
            expires_at=record.ends_at,
            last_used_at=record.last_used_at,
            state=_state(record, at),
            replaced_by=record.replaced_by,
            ending=record.ending,
        )


def _state(record: ApiKeyRecord, at: str) -> ApiKeyState:
    if record.has_ended(at):
        return ApiKeyState.EXPIRED
    return ApiKeyState.DISABLED if record.disabled else ApiKeyState.ACTIVE


class ApiKeyCreated(ApiKey):
    """A new key with its secret, which is never shown again."""

    api_key: str = Field(
        description="Keep it: it cannot be read again.",
        examples=["alm_01k9zq3v7m8x2c4b6n0d1f5g7h_..."],
    )

    @classmethod
    def of_new(cls, created: NewKey) -> Self:
        shown = ApiKey.of(created.record, created.record.created_at)
        return cls(**shown.model_dump(), api_key=created.text)


class ApiKeyList(BaseModel):
    """One page of keys, oldest first."""

    items: list[ApiKey]
    next_cursor: str | None = Field(description="Send it as `cursor` to get the next page.")
