"""Erasures as callers send and see them."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field

from almanac.ids import id_pattern
from identity.erasure import model
from identity.erasure.model import LAST_LOOK_SECONDS, ErasureKind, ErasureState
from identity.schemas import Moment, Name

RECOVERY_DAYS = 35

ErasureId = Annotated[str, Field(pattern=id_pattern("ers"), examples=["ers_01k9zq3v7m8x2c4b6n0d1f5g7h"])]


class ErasureCreate(BaseModel):
    """Erase the tenant that the caller works in."""

    model_config = ConfigDict(extra="forbid")

    confirm: Name = Field(description="The tenant's name, to be sure.", examples=["Acme"])


class PersonErasureCreate(BaseModel):
    """Erase the person who calls."""

    model_config = ConfigDict(extra="forbid")

    confirm: Annotated[str, Field(min_length=1, max_length=320)] = Field(
        description="The person's verified e-mail address, or its id where it has none, to be sure.",
        examples=["ada@example.org"],
    )


class Kept(BaseModel):
    """A copy that nothing can remove before its time."""

    what: str = Field(examples=["point-in-time recovery of the table"])
    until: Moment


class Erasure(BaseModel):
    """How far an erasure is, and the receipt of what it removed."""

    id: ErasureId
    kind: ErasureKind
    subject_id: str = Field(description="The tenant or person.", examples=["ten_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    state: ErasureState = Field(
        description=(
            "`closing`: nobody is let in any more. `erasing`: rows and objects are being removed. `settling`: it looks "
            "again when no worker can be writing any more. `done`: such a look found nothing."
        )
    )
    asked_at: Moment
    done_at: Moment | None
    rows: dict[str, int] = Field(description="Rows that were removed, by kind.", examples=[{"message": 12}])
    objects: dict[str, int] = Field(
        description="Object versions that were removed, by what they held.", examples=[{"messages": 12}]
    )
    object_bytes: int = Field(examples=[73912])
    looks: int = Field(description="How often everything was looked through.", examples=[2])
    audit_head: str | None = Field(description="The hash that the tenant's audit log ended with.", examples=["9f86d0"])
    cause: str | None = Field(description="Why the last step failed; it is tried again.")
    kept: list[Kept] = Field(description="Copies that expire by themselves, once the erasure is done.")
    last_copy_expires_at: Moment | None

    @classmethod
    def of(cls, erasure: model.Erasure, log_retention_days: int) -> Self:
        kept = _kept(erasure.done_at, log_retention_days) if erasure.done_at else []
        return cls(
            id=erasure.id,
            kind=erasure.kind,
            subject_id=erasure.subject_id,
            state=erasure.state,
            asked_at=erasure.asked_at,
            done_at=erasure.done_at,
            rows=dict(erasure.rows),
            objects=dict(erasure.objects),
            object_bytes=erasure.object_bytes,
            looks=erasure.looks,
            audit_head=erasure.audit_head,
            cause=erasure.cause,
            kept=kept,
            last_copy_expires_at=max((copy.until for copy in kept), default=None),
        )


class ErasureList(BaseModel):
    """Erasures, newest first: a person asks for few."""

    items: list[Erasure]


def _kept(done_at: str, log_retention_days: int) -> list[Kept]:
    done = datetime.fromisoformat(done_at)
    copies = {
        "point-in-time recovery of the table": timedelta(days=RECOVERY_DAYS),
        "logs, which hold ids, counts and times": timedelta(days=log_retention_days),
        "messages in dead-letter queues, which hold ids": timedelta(seconds=LAST_LOOK_SECONDS),
    }
    return [Kept(what=what, until=_iso(done + life)) for what, life in copies.items()]


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
