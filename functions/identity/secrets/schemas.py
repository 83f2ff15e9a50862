"""Provider keys as callers send and see them. A key goes in and never comes out."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints


class ProviderKeySet(BaseModel):
    """A key to call a provider with, instead of the deployment's own."""

    model_config = ConfigDict(extra="forbid")

    key: SecretStr = Field(
        min_length=8,
        max_length=2048,
        description="The key. It is kept encrypted and never shown again.",
        examples=["..........."],
    )
    base_url: Annotated[str, StringConstraints(max_length=2048)] | None = Field(
        default=None,
        description="Where the provider is called, as `https://.../v1`. Default: as the deployment calls it.",
        examples=["https://models.example.org/v1"],
    )


class ProviderKey(BaseModel):
    """That there is a key, and since when."""

    provider: str = Field(examples=["openai"])
    ending: str = Field(description="Its last four characters; empty where it is short.", examples=["9aZx"])
    base_url: str | None = Field(examples=["https://models.example.org/v1"])
    set_by: str = Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    set_at: str = Field(description="UTC, ISO 8601.", examples=["2026-01-31T12:00:00.000Z"])


class ProviderKeyList(BaseModel):
    """The tenant's keys."""

    items: list[ProviderKey]
