"""Who may do what: permissions, the roles that people have, and callers as the request authorizer vouches for them.

An API key's scopes are permissions by name. The table of roles is `ROLES`; docs/access.md shows it with every route.
Imported by the authorizer, whose cold start every call waits for: standard library only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

TENANT_HEADER = "x-almanac-tenant"
"""Says which of its tenants a person means."""


class Permission(StrEnum):
    """What a caller may do in a tenant."""

    CONTENT_READ = "content:read"
    CONTENT_WRITE = "content:write"
    PROJECTS_ALL = "projects:all"
    INDEX_MANAGE = "index:manage"
    TENANT_READ = "tenant:read"
    TENANT_MANAGE = "tenant:manage"
    MEMBERS_READ = "members:read"
    MEMBERS_MANAGE = "members:manage"
    KEYS_MANAGE = "keys:manage"
    SECRETS_MANAGE = "secrets:manage"
    AUDIT_READ = "audit:read"
    TENANT_EXPORT = "tenant:export"
    TENANT_OWN = "tenant:own"


class Role(StrEnum):
    """What a person is in a tenant."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
    VIEWER = "viewer"
    AUDITOR = "auditor"


MEANINGS: dict[Permission, str] = {
    Permission.CONTENT_READ: "read, search and ask what the tenant wrote",
    Permission.CONTENT_WRITE: "write it: projects, repositories, checkpoints, messages, conversations",
    Permission.PROJECTS_ALL: "see private projects without being a member of them",
    Permission.INDEX_MANAGE: "build, switch, check and compact the search index",
    Permission.TENANT_READ: "see the tenant, its limits and their use",
    Permission.TENANT_MANAGE: "rename the tenant and change its settings",
    Permission.MEMBERS_READ: "see who is a member",
    Permission.MEMBERS_MANAGE: "invite people, change their roles, remove them",
    Permission.KEYS_MANAGE: "manage service accounts and API keys",
    Permission.SECRETS_MANAGE: "see and purge secrets found in content, set provider keys",
    Permission.AUDIT_READ: "read, export and verify the audit log",
    Permission.TENANT_EXPORT: "export the tenant",
    Permission.TENANT_OWN: "hand the tenant over, erase it; no API key has it",
}

_EVERYONE = {Permission.TENANT_READ, Permission.MEMBERS_READ}
_VIEWER = _EVERYONE | {Permission.CONTENT_READ}
_MEMBER = _VIEWER | {Permission.CONTENT_WRITE}
_OWNERS_ALONE = {Permission.AUDIT_READ, Permission.TENANT_EXPORT, Permission.TENANT_OWN}

ROLES: dict[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.ADMIN: frozenset(set(Permission) - _OWNERS_ALONE),
    Role.MEMBER: frozenset(_MEMBER),
    Role.VIEWER: frozenset(_VIEWER),
    Role.AUDITOR: frozenset(_EVERYONE | {Permission.AUDIT_READ}),
}

# What an API key may be given at most.
GRANTABLE = frozenset(set(Permission) - {Permission.TENANT_OWN})


@dataclass(frozen=True)
class Principal:
    """A caller in a tenant: a person (`usr_...`, with a role), or a key (of a service account `svc_...`, or itself)."""

    tenant_id: str
    actor_id: str
    permissions: frozenset[Permission]
    role: Role | None = None
    key_id: str | None = None
    session_id: str | None = field(default=None, repr=False)

    def may(self, permission: Permission) -> bool:
        """Tell whether the caller has the permission."""
        return permission in self.permissions

    @property
    def is_person(self) -> bool:
        return self.key_id is None


@dataclass(frozen=True)
class Person:
    """A signed-in person, whatever tenants it belongs to. `email` is verified, or empty."""

    id: str
    email: str = field(default="", repr=False)
    session_id: str = field(default="", repr=False)


@dataclass(frozen=True)
class Caller:
    """What the authorizer vouches for: a person, a principal, or a person as the principal of the tenant it chose."""

    person: Person | None = None
    principal: Principal | None = None

    def to_context(self) -> dict[str, str]:
        """Return the authorizer's context: API Gateway carries texts."""
        context: dict[str, str] = {}
        if self.person is not None:
            context |= {"person_id": self.person.id, "email": self.person.email, "session_id": self.person.session_id}
        if self.principal is not None:
            principal = self.principal
            context |= {
                "tenant_id": principal.tenant_id,
                "actor_id": principal.actor_id,
                "permissions": spell(principal.permissions),
                "role": principal.role or "",
                "key_id": principal.key_id or "",
            }
        return context

    @classmethod
    def from_context(cls, context: Mapping[str, str]) -> Self:
        """Read the authorizer's context; an empty one is a caller whom nobody vouched for."""
        person = principal = None
        session_id = context.get("session_id", "")
        if context.get("person_id"):
            person = Person(context["person_id"], context.get("email", ""), session_id)
        if context.get("tenant_id"):
            principal = Principal(
                tenant_id=context["tenant_id"],
                actor_id=context["actor_id"],
                permissions=read(context["permissions"]),
                role=Role(context["role"]) if context.get("role") else None,
                key_id=context.get("key_id") or None,
                session_id=session_id or None,
            )
        return cls(person, principal)


def spell(permissions: Iterable[Permission]) -> str:
    """Return permissions as one text, in the order of their definition."""
    given = set(permissions)
    return " ".join(permission for permission in Permission if permission in given)


def read(text: str) -> frozenset[Permission]:
    """Return the permissions that a text spells; a word that is none is an error."""
    return frozenset(Permission(word) for word in text.split())
