"""An erasure as the table holds it: how far it is, and the receipt of what it removed.

    closing -> erasing -> settling -> done
                  ^----------'
Closed, a tenant lets nobody in, and a person is let in nowhere. Erasing removes every object version and every row that
names it. What a worker was still writing may come after that: once everything that may have run has ended, the erasure
looks again, and is done when it finds nothing. It looks a last time when no queue can hold a message any more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from almanac.aws import keys
from almanac.aws.table import Item

# A worker may run for 15 minutes, and its message be handed out again 90 minutes after it died.
SETTLING_SECONDS = 2 * 3600
# Dead-letter queues keep messages for 14 days.
LAST_LOOK_SECONDS = 15 * 24 * 3600
# What refuses an erased person's tokens, until the last of them has expired.
TOMBSTONE = "person_erased"
TOMBSTONE_SECONDS = 2 * 24 * 3600
RECEIPT_SECONDS = 400 * 24 * 3600


class ErasureKind(StrEnum):
    """What is erased."""

    TENANT = "tenant"
    PERSON = "person"


class ErasureState(StrEnum):
    """Where an erasure stands."""

    CLOSING = "closing"
    ERASING = "erasing"
    SETTLING = "settling"
    DONE = "done"


@dataclass(frozen=True)
class Erasure:
    """`subject_id` is what it erases; of a person, `tenants` are those that it belonged to.

    `rows` counts by entity, `objects` versions by what they held; `found` is what the current look has found.

    `due_at` is when the next step may begin, None when there is none; `cursor` where a scan of the table stopped;
    `audit_head` the hash that the tenant's audit log ended with; `cause` why the last step failed.
    """

    id: str
    kind: ErasureKind
    subject_id: str
    person_id: str
    asked_at: str
    state: ErasureState
    due_at: str | None
    rows: Mapping[str, int] = field(default_factory=dict)
    objects: Mapping[str, int] = field(default_factory=dict)
    object_bytes: int = 0
    looks: int = 0
    found: int = 0
    cursor: Item | None = None
    audit_head: str | None = None
    done_at: str | None = None
    cause: str | None = None
    expires_at: int | None = None
    tenants: Sequence[str] = ()

    @property
    def key(self) -> keys.Key:
        return keys.erasure(self.id)

    def progress(self) -> dict[str, Any]:
        """Return what a step changes, as attributes."""
        return {
            "state": self.state.value,
            "gsi2pk": keys.due_erasures() if self.due_at else None,
            "gsi2sk": self.due_at,
            "rows": dict(self.rows),
            "objects": dict(self.objects),
            "object_bytes": self.object_bytes,
            "looks": self.looks,
            "found": self.found,
            "cursor": self.cursor,
            "audit_head": self.audit_head,
            "done_at": self.done_at,
            "cause": self.cause,
            "expires_at": self.expires_at,
        }

    def to_item(self) -> Item:
        """Return the whole item. Its subject is not called `tenant_id`: the look for a tenant's rows finds those."""
        return {
            **self.key.as_dict(),
            "gsi1pk": keys.persons_erasures(self.person_id),
            "gsi1sk": self.id,
            "entity": "erasure",
            "id": self.id,
            "kind": self.kind.value,
            "subject_id": self.subject_id,
            "tenants": list(self.tenants),
            "person_id": self.person_id,
            "asked_at": self.asked_at,
            **self.progress(),
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        return cls(
            id=item["id"],
            kind=ErasureKind(item["kind"]),
            subject_id=item["subject_id"],
            tenants=item["tenants"],
            person_id=item["person_id"],
            asked_at=item["asked_at"],
            state=ErasureState(item["state"]),
            due_at=item.get("gsi2sk"),
            rows=item["rows"],
            objects=item["objects"],
            object_bytes=item["object_bytes"],
            looks=item["looks"],
            found=item["found"],
            cursor=item.get("cursor"),
            audit_head=item.get("audit_head"),
            done_at=item.get("done_at"),
            cause=item.get("cause"),
            expires_at=item.get("expires_at"),
        )
