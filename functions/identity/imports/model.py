"""An import as the table holds it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from almanac.aws import keys
from almanac.aws.table import Item
from identity.exports.model import Part

LIFETIME_SECONDS = 7 * 24 * 3600


class ImportState(StrEnum):
    """Where an import stands."""

    WAITING = "waiting"
    CHECKING = "checking"
    WRITING = "writing"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Import:
    """`position` is how many parts were checked, or written; `counts` counts what was written by kind.

    `stored` are the bytes of files that it has counted as the tenant's: what begins again gives them back.
    """

    id: str
    tenant_id: str
    asked_at: str
    asked_by: str
    state: ImportState
    parts: Sequence[Part]
    position: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    stored: int = 0
    done_at: str | None = None
    cause: str | None = None
    expires_at: int = 0

    @property
    def key(self) -> keys.Key:
        return keys.import_(self.tenant_id, self.id)

    @property
    def is_over(self) -> bool:
        return self.expires_at <= time.time()

    @property
    def runs(self) -> bool:
        return self.state in {ImportState.CHECKING, ImportState.WRITING}

    def progress(self) -> dict[str, Any]:
        """Return what a step changes, as attributes."""
        return {
            "state": self.state.value,
            "position": self.position,
            "counts": dict(self.counts),
            "done_at": self.done_at,
            "cause": self.cause,
        }

    def to_item(self) -> Item:
        return {
            **self.key.as_dict(),
            "entity": "import",
            "id": self.id,
            "asked_at": self.asked_at,
            "asked_by": self.asked_by,
            "parts": [part.to_list() for part in self.parts],
            "stored": self.stored,
            "expires_at": self.expires_at,
            **self.progress(),
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        return cls(
            id=item["id"],
            tenant_id=keys.tenant_of(item["pk"]),
            asked_at=item["asked_at"],
            asked_by=item["asked_by"],
            state=ImportState(item["state"]),
            parts=[Part(*part) for part in item["parts"]],
            position=item["position"],
            counts=item["counts"],
            stored=item.get("stored", 0),
            done_at=item.get("done_at"),
            cause=item.get("cause"),
            expires_at=item["expires_at"],
        )
