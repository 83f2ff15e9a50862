"""Tenants as the table holds them."""

from dataclasses import dataclass

from almanac.aws import keys
from almanac.aws.table import Item


@dataclass(frozen=True)
class TenantRecord:
    """`cursor_secret` signs the tenant's list cursors; it never leaves the stack."""

    id: str
    name: str
    created_at: str
    cursor_secret: bytes

    def to_item(self, admin_keys: int) -> Item:
        """Return the new tenant's item. `admin_keys` counts its admin keys, so that the last one can be protected."""
        return {
            **keys.tenant(self.id).as_dict(),
            "entity": "tenant",
            "id": self.id,
            "name": self.name,
            "created_at": self.created_at,
            "cursor_secret": self.cursor_secret,
            "admin_keys": admin_keys,
        }

    @classmethod
    def from_item(cls, item: Item) -> "TenantRecord":
        return cls(item["id"], item["name"], item["created_at"], item["cursor_secret"])
