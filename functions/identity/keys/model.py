"""API keys as the table holds them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from almanac.access import Permission, read, spell
from almanac.aws import keys
from almanac.aws.table import Item
from identity.accounts.model import HeldKey

_KEPT_AFTER_END = timedelta(days=30)


@dataclass(frozen=True)
class ApiKeyRecord:
    """A key without its secret. `ending` is the end of its text, for people to tell keys apart.

    `ends_at` is when it expires, `replaced_by` the key that took its place. The authorizer refuses one that has ended
    or is `disabled`, and writes `last_used_at`.
    """

    id: str
    tenant_id: str
    name: str
    scopes: frozenset[Permission]
    created_at: str
    ending: str
    sha256: str
    created_by: str = ""
    service_account_id: str | None = None
    ends_at: str | None = None
    replaced_by: str | None = None
    last_used_at: str | None = None
    disabled: bool = False

    @property
    def is_way_in(self) -> bool:
        """Tell whether the tenant can always be managed as long as this key is there."""
        return Permission.KEYS_MANAGE in self.scopes and self.ends_at is None and self.service_account_id is None

    @property
    def key(self) -> keys.Key:
        return keys.api_key(self.tenant_id, self.sha256)

    @property
    def held(self) -> HeldKey:
        return HeldKey(self.sha256, self.ends_at)

    def has_ended(self, at: str) -> bool:
        return self.ends_at is not None and self.ends_at <= at

    def ending_by(self, at: str, replaced_by: str) -> Self:
        """Return the key as it is once another one has taken its place and it expires no later than `at`."""
        return replace(self, ends_at=min(at, self.ends_at or at), replaced_by=replaced_by)

    def to_item(self) -> Item:
        return {
            **self.key.as_dict(),
            "gsi1pk": keys.api_keys(self.tenant_id),
            "gsi1sk": self.id,
            "entity": "api_key",
            "id": self.id,
            "tenant_id": self.tenant_id,
            "name": self.name,
            "scopes": spell(self.scopes),
            "created_at": self.created_at,
            "created_by": self.created_by,
            "ending": self.ending,
            "sha256": self.sha256,
            "service_account_id": self.service_account_id,
            "replaced_by": self.replaced_by,
            "last_used_at": self.last_used_at,
            "disabled": True if self.disabled else None,
            **ends(self.ends_at),
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        return cls(
            id=item["id"],
            tenant_id=item["tenant_id"],
            name=item["name"],
            scopes=read(item["scopes"]),
            created_at=item["created_at"],
            ending=item["ending"],
            sha256=item["sha256"],
            created_by=item.get("created_by", ""),
            service_account_id=item.get("service_account_id"),
            ends_at=item.get("ends_at"),
            replaced_by=item.get("replaced_by"),
            last_used_at=item.get("last_used_at"),
            disabled=item.get("disabled", False),
        )


def ends(at: str | None) -> Item:
    """Return the attributes that end a key: the authorizer's, and when the item itself may go."""
    if at is None:
        return {"ends_at": None, "expires_at": None}
    return {"ends_at": at, "expires_at": int((datetime.fromisoformat(at) + _KEPT_AFTER_END).timestamp())}
