"""Tenants, members and invitations as the table holds them."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

from almanac.access import Role
from almanac.aws import keys
from almanac.aws.table import Item
from almanac.clock import iso
from identity.tenants.addresses import address_sha256

# How long an invitation stays listed, and its token explains itself, after it ended.
REMEMBERED_SECONDS = 30 * 24 * 3600


@dataclass(frozen=True)
class TenantRecord:
    """`cursor_secret` signs the tenant's list cursors; it never leaves the stack. Nobody enters a `closing` one."""

    id: str
    name: str
    created_at: str
    cursor_secret: bytes
    version: int = 1
    closing: bool = False

    def to_item(self, *, admin_keys: int, owners: int) -> Item:
        """Return the new tenant's item. It counts owners and admin keys, so that the last one can be protected."""
        return {
            **keys.tenant(self.id).as_dict(),
            "entity": "tenant",
            "id": self.id,
            "name": self.name,
            "created_at": self.created_at,
            "cursor_secret": self.cursor_secret,
            "version": self.version,
            "admin_keys": admin_keys,
            "owners": owners,
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        return cls(
            item["id"],
            item["name"],
            item["created_at"],
            item["cursor_secret"],
            item["version"],
            closing="erasure_id" in item,
        )


@dataclass(frozen=True)
class Member:
    """A person in a tenant. `email` is empty where the issuer has verified none."""

    tenant_id: str
    person_id: str
    email: str
    name: str
    role: Role
    joined_at: str
    version: int = 1

    @property
    def key(self) -> keys.Key:
        return keys.member(self.tenant_id, self.person_id)

    def to_item(self) -> Item:
        return {
            **self.key.as_dict(),
            "gsi1pk": keys.members(self.tenant_id),
            "gsi1sk": self.person_id,
            "entity": "member",
            "person_id": self.person_id,
            "email": self.email,
            "name": self.name,
            "role": self.role.value,
            "joined_at": self.joined_at,
            "version": self.version,
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        return cls(
            tenant_id=keys.tenant_of(item["pk"]),
            person_id=item["person_id"],
            email=item["email"],
            name=item["name"],
            role=Role(item["role"]),
            joined_at=item["joined_at"],
            version=item["version"],
        )


@dataclass(frozen=True)
class Membership:
    """The same fact in the person's own partition, where the authorizer reads it.

    `tenant_version` is the version that the copy of the name was taken from.
    """

    person_id: str
    tenant_id: str
    tenant_name: str
    tenant_version: int
    role: Role
    since: str

    def to_item(self) -> Item:
        return {
            **keys.person_tenant(self.person_id, self.tenant_id).as_dict(),
            "entity": "person_tenant",
            "tenant_id": self.tenant_id,
            "tenant_name": self.tenant_name,
            "tenant_version": self.tenant_version,
            "role": self.role.value,
            "since": self.since,
        }

    @classmethod
    def of(cls, member: Member, tenant: TenantRecord) -> Self:
        return cls(member.person_id, tenant.id, tenant.name, tenant.version, member.role, member.joined_at)

    @classmethod
    def from_item(cls, person_id: str, item: Item) -> Self:
        return cls(
            person_id,
            item["tenant_id"],
            item["tenant_name"],
            item["tenant_version"],
            Role(item["role"]),
            item["since"],
        )


class State(StrEnum):
    """Where an invitation stands. `expired` is never stored: time brings it about."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REVOKED = "revoked"
    EXPIRED = "expired"


class Mail(StrEnum):
    """What became of the letter. `pending`: it is under way, or its sender died on the way."""

    NOT_CONFIGURED = "not_configured"
    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"


@dataclass(frozen=True)
class Invitation:
    """Someone at an address may become a member. `ends_at` is in seconds since the epoch; `mail_cause` says why a
    letter failed."""

    id: str
    tenant_id: str
    email: str
    role: Role
    invited_by: str
    created_at: str
    ends_at: int
    days: int
    token_sha256: str
    mail: Mail
    mail_cause: str | None = None
    stored: State = State.PENDING
    accepted_by: str | None = None

    @property
    def key(self) -> keys.Key:
        return keys.invitation(self.tenant_id, self.id)

    @property
    def address_sha256(self) -> str:
        return address_sha256(self.email)

    @property
    def state(self) -> State:
        over = self.stored is State.PENDING and self.ends_at <= time.time()
        return State.EXPIRED if over else self.stored

    def to_item(self) -> Item:
        return {
            **self.key.as_dict(),
            "gsi1pk": keys.invitations(self.tenant_id),
            "gsi1sk": self.id,
            "entity": "invitation",
            "id": self.id,
            "email": self.email,
            "role": self.role.value,
            "invited_by": self.invited_by,
            "created_at": self.created_at,
            "ends_at": self.ends_at,
            "expires_at": self.ends_at + REMEMBERED_SECONDS,
            "days": self.days,
            "token_sha256": self.token_sha256,
            "mail": self.mail.value,
            "mail_cause": self.mail_cause,
            "state": self.stored.value,
            "accepted_by": self.accepted_by,
        }

    def token_item(self) -> Item:
        """Return what lies under the token's hash."""
        return {
            **keys.invitation_token(self.token_sha256).as_dict(),
            "entity": "invitation_token",
            "tenant_id": self.tenant_id,
            "invitation_id": self.id,
            "expires_at": self.ends_at + REMEMBERED_SECONDS,
        }

    def marker_item(self) -> Item:
        """Return what says that the address is waited for."""
        return {
            **keys.invited(self.address_sha256, self.tenant_id).as_dict(),
            "entity": "invited",
            "invitation_id": self.id,
            "expires_at": self.ends_at,
        }

    @classmethod
    def from_item(cls, item: Item) -> Self:
        return cls(
            id=item["id"],
            tenant_id=keys.tenant_of(item["pk"]),
            email=item["email"],
            role=Role(item["role"]),
            invited_by=item["invited_by"],
            created_at=item["created_at"],
            ends_at=item["ends_at"],
            days=item["days"],
            token_sha256=item["token_sha256"],
            mail=Mail(item["mail"]),
            mail_cause=item.get("mail_cause"),
            stored=State(item["state"]),
            accepted_by=item.get("accepted_by"),
        )

    def ends(self) -> str:
        return iso(self.ends_at)
