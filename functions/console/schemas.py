"""Health as callers see it."""

from typing import Literal

from pydantic import BaseModel, Field


class Part(BaseModel):
    """One thing that the product stands on."""

    status: Literal["ok", "failed"]
    milliseconds: float = Field(description="How long its answer took.", examples=[4.2])


class Health(BaseModel):
    """Whether the product works. `parts` is there when a deep look was asked for."""

    status: Literal["ok"]
    version: str = Field(examples=["0.1.0"])
    stage: str = Field(examples=["prod"])
    parts: dict[str, Part] | None = Field(default=None, examples=[{"table": {"status": "ok", "milliseconds": 4.2}}])
