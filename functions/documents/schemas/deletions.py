"""Receipts of deletions as callers see them."""

from datetime import datetime, timedelta
from typing import Self

from pydantic import BaseModel, Field

from almanac.clock import iso
from almanac.web.fields import ActorId, DocumentId, Moment
from documents.deletion import model
from documents.deletion.model import ReceiptState

TABLE_BACKUP = timedelta(days=35)
"""How far back the table can be restored."""
INDEX_SWEEP = timedelta(days=3)
"""Until then the daily sweep has had the index merged, and a later one has deleted what was replaced."""
_NOWHERE = frozenset({"file", "text", "analysis"})

_REMAINING = (
    "Conversations are kept as they were said: delete those in which the document was quoted.",
    "The events that were told of it are kept for 7 days, with their numbers and times and nothing that they said.",
    "Logs hold ids, counts and times, for as long as this deployment keeps them.",
    "Copies that people downloaded are theirs.",
)


class Removed(BaseModel):
    """What was removed of one sort."""

    what: str = Field(
        description=(
            "`file`, `text`, `analysis`: versions of objects. `version`, `row`: of the table. `vector`: of its texts, "
            "in the cache, and of what it states. `chunk`: hidden in the index at once, and merged out of it."
        ),
        examples=["file"],
    )
    count: int = Field(examples=[2])
    last_copy_until: Moment | None = Field(
        description="When the last backup of it is gone; null where there is none, or while it is being removed."
    )


class DeletionReceipt(BaseModel):
    """What was removed of a document. It holds no name and no content."""

    document_id: DocumentId
    state: ReceiptState = Field(
        description=(
            "`removing`: nobody sees the document any more, and all of it is being removed. `settling`: that was done, "
            "and is looked at again once nothing that ran can be writing any more. `done`."
        ),
        examples=["removing"],
    )
    requested_by: ActorId
    requested_at: Moment
    settles_at: Moment | None = Field(description="When it is looked through again; null where nothing was running.")
    finished_at: Moment | None
    removed: list[Removed]
    object_bytes: int = Field(description="The bytes of the objects that were removed.", examples=[120000])
    remaining: list[str] = Field(description="What a deletion does not reach, and what to do about it.")
    last_copy_until: Moment | None = Field(description="When the last backup is gone; null until it is done.")

    @classmethod
    def of(cls, receipt: model.Receipt) -> Self:
        removed = [
            Removed(what=what, count=count, last_copy_until=_until(receipt.finished_at, what))
            for what, count in receipt.counts.items()
        ]
        given = receipt.model_dump(
            include={"document_id", "state", "requested_by", "requested_at", "settles_at", "finished_at"}
        )
        return cls(
            **given,
            removed=removed,
            object_bytes=receipt.object_bytes,
            remaining=list(_REMAINING),
            last_copy_until=_until(receipt.finished_at, "row"),
        )


def _until(finished_at: str | None, what: str) -> str | None:
    if finished_at is None or what in _NOWHERE:
        return None
    kept = INDEX_SWEEP if what == "chunk" else TABLE_BACKUP
    return iso((datetime.fromisoformat(finished_at) + kept).timestamp())
