"""Persons and their sessions as the table holds them."""

from dataclasses import dataclass, field
from typing import Self

from almanac.aws import keys
from almanac.aws.table import Item


@dataclass(frozen=True)
class PersonRecord:
    """A person. `email` is verified, or empty; `mfa` tells whether the last sign-in asked for a second factor.

    Tokens that were issued before `valid_after` (seconds since the epoch) are refused.
    """

    id: str
    email: str = field(repr=False)
    name: str = field(repr=False)
    issuer: str
    created_at: str
    mfa: bool = False
    version: int = 1
    valid_after: int | None = None

    def to_item(self) -> Item:
        return {
            **keys.person(self.id).as_dict(),
            "entity": "person",
            "id": self.id,
            "email": self.email,
            "name": self.name,
            "issuer": self.issuer,
            "created_at": self.created_at,
            "mfa": self.mfa,
            "version": self.version,
            "valid_after": self.valid_after,
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        return cls(
            id=item["id"],
            email=item["email"],
            name=item["name"],
            issuer=item["issuer"],
            created_at=item["created_at"],
            mfa=item.get("mfa", False),
            version=item["version"],
            valid_after=item.get("valid_after"),
        )


@dataclass(frozen=True)
class SessionRecord:
    """A session of the user pool, and the refresh token of ours that continues it.

    `cipher` holds the pool's own refresh token and the key from which ours are derived; one that has ended has none.
    `rotated_at` are milliseconds since the epoch. `user_agent` is what the client called itself when it signed in.
    """

    person_id: str
    id: str
    created_at: str
    used_at: str
    expires_at: int
    refresh_sha256: str = field(repr=False)
    family_sha256: str = field(repr=False)
    cipher: bytes = field(default=b"", repr=False)
    previous_sha256: str = field(default="", repr=False)
    rotated_at: int = 0
    user_agent: str = ""
    ended_at: str | None = None

    @property
    def key(self) -> keys.Key:
        return keys.person_session(self.person_id, self.id)

    def to_item(self) -> Item:
        return {
            **self.key.as_dict(),
            "entity": "session",
            "id": self.id,
            "person_id": self.person_id,
            "created_at": self.created_at,
            "used_at": self.used_at,
            "expires_at": self.expires_at,
            "refresh_sha256": self.refresh_sha256,
            "family_sha256": self.family_sha256,
            "refresh_cipher": self.cipher,
            "user_agent": self.user_agent,
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        return cls(
            person_id=item["person_id"],
            id=item["id"],
            created_at=item["created_at"],
            used_at=item["used_at"],
            expires_at=item["expires_at"],
            refresh_sha256=item.get("refresh_sha256", ""),
            family_sha256=item["family_sha256"],
            cipher=item.get("refresh_cipher", b""),
            previous_sha256=item.get("previous_sha256", ""),
            rotated_at=item.get("rotated_at", 0),
            user_agent=item.get("user_agent", ""),
            ended_at=item.get("ended_at"),
        )
