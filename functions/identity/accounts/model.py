"""Service accounts as the table holds them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from almanac.aws import keys
from almanac.aws.table import Item


@dataclass(frozen=True)
class HeldKey:
    """A key of the account, as the account's own item names it: hash, and end as ISO time where it has one."""

    sha256: str
    ends_at: str | None = None

    def lives(self, at: str) -> bool:
        return self.ends_at is None or self.ends_at > at


@dataclass(frozen=True)
class AccountRecord:
    """An account names its own keys, so that what ends it ends them with it. `version` counts changes."""

    id: str
    tenant_id: str
    name: str
    description: str
    created_at: str
    created_by: str
    disabled: bool = False
    version: int = 1
    held: Mapping[str, HeldKey] = field(default_factory=dict)

    @property
    def key(self) -> keys.Key:
        return keys.service_account(self.tenant_id, self.id)

    def to_item(self) -> Item:
        return {
            **self.key.as_dict(),
            "gsi1pk": keys.service_accounts(self.tenant_id),
            "gsi1sk": self.id,
            "entity": "service_account",
            "id": self.id,
            "tenant_id": self.tenant_id,
            "name": self.name,
            "description": self.description,
            "created_at": self.created_at,
            "created_by": self.created_by,
            "disabled": self.disabled,
            "version": self.version,
            "held": held_item(self.held),
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        return cls(
            id=item["id"],
            tenant_id=item["tenant_id"],
            name=item["name"],
            description=item["description"],
            created_at=item["created_at"],
            created_by=item["created_by"],
            disabled=item["disabled"],
            version=item["version"],
            held={key_id: HeldKey(held["sha256"], held.get("ends_at")) for key_id, held in item["held"].items()},
        )


def held_item(held: Mapping[str, HeldKey]) -> dict[str, Any]:
    """Return an account's keys as its item holds them."""
    return {
        key_id: {"sha256": key.sha256} | ({"ends_at": key.ends_at} if key.ends_at else {})
        for key_id, key in held.items()
    }
