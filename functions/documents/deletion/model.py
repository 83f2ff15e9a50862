"""The receipt of a deletion: what of a document was removed, and what is to be.

    removing -> settling -> done
           '----------------^
Removing takes away what lies there. What a worker was still writing may come after that: if a job was running when the
deletion began, everything is looked through once more when none can be.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from almanac.aws import keys
from almanac.aws.table import Item, Put

SETTLING_SECONDS = 16 * 60
"""A worker may run for 15 minutes. After as long somebody looks whether a deletion has come to its end."""
RECEIPT_SECONDS = 400 * 24 * 3600


class ReceiptState(StrEnum):
    """Where a deletion stands."""

    REMOVING = "removing"
    SETTLING = "settling"
    DONE = "done"


@dataclass(frozen=True)
class Thing:
    """What is to be removed: a name that tells it from the others of its step, its sort, its bytes, how many it is."""

    name: str
    what: str
    size: int = 0
    count: int = 1


class Receipt(BaseModel):
    """What was removed of a document, by sort. It holds no name and no content.

    `owners` are the project and collection that the document was in. `dropped`: a drop of its own hides it in the
    index, which tombstones for `pages` pages up to `revision` follow; else its owner's does, for good. `settles_at` is
    when nothing can be writing any more. `stored` is what its files take of the quota, once that is known.

    `counted` are those of the things removed last that are in the counts, which may lie there still: each step writes
    down what it is about to remove. `texts_until` is the last text whose vectors were removed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    document_id: str
    owners: tuple[str, ...] = ()
    state: ReceiptState = ReceiptState.REMOVING
    requested_by: str
    requested_at: str
    dropped: bool = True
    pages: int = 0
    revision: int = 0
    settles_at: str | None = None
    finished_at: str | None = None
    counts: dict[str, int] = Field(default_factory=dict)
    object_bytes: int = 0
    stored: int | None = None
    counted: list[str] = Field(default_factory=list)
    texts_until: str = ""
    change: int = 1
    expires_at: int | None = None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate(item)

    def to_item(self, tenant_id: str) -> Item:
        key = keys.document_receipt(tenant_id, self.document_id)
        return {**key.as_dict(), "entity": "document_receipt", **self.model_dump(mode="json", exclude_none=True)}

    def next(self, **changes: Any) -> Self:
        """Return the receipt as it is to be after the next write."""
        return self.model_copy(update={**changes, "change": self.change + 1})

    def replacing(self, before: "Receipt", tenant_id: str) -> Put:
        """Return the write of this receipt in the place of the one before it; refused when another is there."""
        return Put(self.to_item(tenant_id), condition="#change = :before", values={":before": before.change})

    def counting(self, found: Sequence[Thing]) -> Self:
        """Return the receipt with what is about to be removed; what a step that was cut off counted, it counts once."""
        fresh = [thing for thing in found if thing.name not in self.counted]
        counts = Counter(self.counts)
        for thing in fresh:
            counts[thing.what] += thing.count
        return self.next(
            counts=dict(sorted(counts.items())),
            object_bytes=self.object_bytes + sum(thing.size for thing in fresh),
            counted=[thing.name for thing in found],
        )
