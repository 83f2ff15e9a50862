"""An export as the table holds it."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from almanac.aws import keys
from almanac.aws.table import Item

FORMAT = 1
LIFETIME_SECONDS = 7 * 24 * 3600


class ExportState(StrEnum):
    """Where an export stands."""

    RUNNING = "running"
    READY = "ready"
    FAILED = "failed"


@dataclass(frozen=True)
class Part:
    """One object of the archive: gzipped JSON Lines. `sha256` and `bytes` are of the gzipped bytes."""

    number: int
    sha256: str
    bytes: int
    lines: int

    @property
    def name(self) -> str:
        return f"{self.number:06d}.jsonl.gz"

    def to_list(self) -> list[Any]:
        """Return it as an item holds it; `Part(*...)` reads it back."""
        return [self.number, self.sha256, self.bytes, self.lines]


@dataclass(frozen=True)
class Export:
    """`counts` counts lines by kind; `cursor` is where the look at the table stopped.

    `after` is None until all rows are written, then the last object of a document that was; of the one that follows it
    `pieces` were.
    """

    id: str
    tenant_id: str
    asked_at: str
    asked_by: str
    state: ExportState
    parts: Sequence[Part] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    cursor: Item | None = None
    after: str | None = None
    pieces: int = 0
    done_at: str | None = None
    cause: str | None = None
    expires_at: int = 0

    @property
    def key(self) -> keys.Key:
        return keys.export(self.tenant_id, self.id)

    @property
    def is_over(self) -> bool:
        return self.expires_at <= time.time()

    def progress(self) -> dict[str, Any]:
        """Return what a step changes, as attributes."""
        return {
            "state": self.state.value,
            "parts": [part.to_list() for part in self.parts],
            "counts": dict(self.counts),
            "cursor": self.cursor,
            "after": self.after,
            "pieces": self.pieces,
            "done_at": self.done_at,
            "cause": self.cause,
        }

    def to_item(self) -> Item:
        return {
            **self.key.as_dict(),
            "entity": "export",
            "id": self.id,
            "asked_at": self.asked_at,
            "asked_by": self.asked_by,
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
            state=ExportState(item["state"]),
            parts=[Part(*part) for part in item["parts"]],
            counts=item["counts"],
            cursor=item.get("cursor"),
            after=item.get("after"),
            pieces=item.get("pieces", 0),
            done_at=item.get("done_at"),
            cause=item.get("cause"),
            expires_at=item["expires_at"],
        )
