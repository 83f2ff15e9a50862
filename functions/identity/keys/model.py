"""API keys as the table holds them."""

from dataclasses import dataclass

from almanac.access import Permission, read, spell
from almanac.aws import keys
from almanac.aws.table import Item


@dataclass(frozen=True)
class ApiKeyRecord:
    """A key without its secret. `ending` is the end of its text, for people to tell keys apart."""

    id: str
    tenant_id: str
    name: str
    scopes: frozenset[Permission]
    created_at: str
    ending: str
    sha256: str

    @property
    def manages_keys(self) -> bool:
        return Permission.KEYS_MANAGE in self.scopes

    @property
    def key(self) -> keys.Key:
        return keys.api_key(self.tenant_id, self.sha256)

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
            "ending": self.ending,
            "sha256": self.sha256,
        }

    @classmethod
    def from_item(cls, item: Item) -> "ApiKeyRecord":
        return cls(
            id=item["id"],
            tenant_id=item["tenant_id"],
            name=item["name"],
            scopes=read(item["scopes"]),
            created_at=item["created_at"],
            ending=item["ending"],
            sha256=item["sha256"],
        )
