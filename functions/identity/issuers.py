"""The OpenID Connect issuers whose tokens open the API, as the operator configures them.

A setting is a JSON list. Each entry names `issuer` and `audiences`, and may name the rest; docs/identity.md says more:

    {"issuer": "https://login.example.org/realms/team", "audiences": ["almanac"],
     "jwks_uri": "https://...", "algorithms": ["RS256"], "required": {"typ": "Bearer"}, "clients": ["almanac-web"],
     "max_lifetime": 86400, "claims": {"subject": "sub", "audience": "aud", "email": "email",
     "email_verified": "email_verified", "tenant": "almanac_tenant", "session": "sid"}}

Imported by the authorizer, whose cold start every call waits for: standard library only.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self
from urllib.parse import urlsplit

ALGORITHMS = frozenset({"RS256", "ES256"})
_LONGEST_LIFETIME = 7 * 24 * 3600
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class IssuersError(RuntimeError):
    """The setting cannot be used; the text says which entry and member, and what would be right."""


@dataclass(frozen=True)
class ClaimNames:
    """Under which names an issuer's tokens say what. `session` and `tenant` are empty where they say none.

    Without `session`, the first of `origin_jti` (Cognito's), `sid` and `jti` that a token has names its session.
    """

    subject: str = "sub"
    audience: str = "aud"
    email: str = "email"
    email_verified: str = "email_verified"
    tenant: str = ""
    session: str = ""


@dataclass(frozen=True)
class Issuer:
    """One issuer: `issuer` and one of `audiences` must be in a token as they are written here.

    `required` are claims that must have exactly these values. `clients`, unless empty, are the values that `azp` may
    have. Without `jwks_uri` the issuer's discovery document says where its keys are.
    """

    issuer: str
    audiences: frozenset[str]
    jwks_uri: str = ""
    algorithms: frozenset[str] = ALGORITHMS
    required: Mapping[str, Any] = field(default_factory=dict)
    clients: frozenset[str] = frozenset()
    max_lifetime: int = 24 * 3600
    claims: ClaimNames = ClaimNames()

    @property
    def discovery_uri(self) -> str:
        return f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"

    @classmethod
    def of(cls, entry: Any, *, local: bool) -> Self:
        """Check one entry; raises `ValueError` with what is wrong."""
        given = _members(entry, cls)
        issuer = address(given, "issuer", local=local)
        jwks_uri = address(given, "jwks_uri", local=local) if given.get("jwks_uri") else ""
        algorithms = _texts(given, "algorithms") or ALGORITHMS
        if unknown := sorted(algorithms - ALGORITHMS):
            raise ValueError(f"algorithms: {unknown[0]} is not accepted; {' and '.join(sorted(ALGORITHMS))} are")
        if not (audiences := _texts(given, "audiences")):
            raise ValueError("audiences: name at least one: a token for somebody else must not open this API")
        lifetime = given.get("max_lifetime", cls.max_lifetime)
        if type(lifetime) is not int or not 0 < lifetime <= _LONGEST_LIFETIME:
            raise ValueError(f"max_lifetime: must be a number of seconds, at most {_LONGEST_LIFETIME}")
        names = _members(given.get("claims", {}), ClaimNames)
        if not all(isinstance(name, str) for name in names.values()):
            raise ValueError("claims: each must be the name of a claim")
        if not isinstance(required := given.get("required", {}), dict):
            raise ValueError("required: must be an object of claims and their values")
        clients = _texts(given, "clients")
        return cls(issuer, audiences, jwks_uri, algorithms, dict(required), clients, int(lifetime), ClaimNames(**names))


def parse(settings: Iterable[str], *, local: bool) -> dict[str, Issuer]:
    """Return the issuers of all settings by their names; an empty setting has none. Raises `IssuersError`.

    Addresses are https; `local` also allows loopback over http, for the local stage.
    """
    found: dict[str, Issuer] = {}
    for text in settings:
        for position, entry in enumerate(_entries(text)):
            try:
                issuer = Issuer.of(entry, local=local)
                if issuer.issuer in found:
                    raise ValueError(f"issuer: {issuer.issuer} is there twice")
            except ValueError as error:
                raise IssuersError(f"cannot start: issuers, entry {position}: {error}") from None
            found[issuer.issuer] = issuer
    return found


def _entries(text: str) -> list[Any]:
    try:
        entries = json.loads(text or "[]")
    except ValueError as error:
        raise IssuersError(f"cannot start: issuers: not JSON: {error}") from None
    if not isinstance(entries, list):
        raise IssuersError("cannot start: issuers: must be a list of objects")
    return entries


def _members(entry: Any, form: type[Any]) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise ValueError("must be an object")
    known = {member.name for member in fields(form)}
    if unknown := sorted(set(entry) - known):
        raise ValueError(f"{unknown[0]}: there is no such member; there are {', '.join(sorted(known))}")
    return entry


def _texts(entry: Mapping[str, Any], name: str) -> frozenset[str]:
    values = entry.get(name, [])
    if not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
        raise ValueError(f"{name}: must be a list of texts")
    return frozenset(values)


def address(entry: Mapping[str, Any], name: str, *, local: bool) -> str:
    """Return a member that is an https address; raises `ValueError`. `local` also allows loopback over http.

    Operators and their issuers name these, callers never, so private networks are not walled off.
    """
    value = entry.get(name)
    parts = urlsplit(value) if isinstance(value, str) else None
    if parts is None or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError(f"{name}: must be an address, https://host/path")
    loopback = local and parts.scheme == "http" and parts.hostname in _LOOPBACK
    if parts.scheme != "https" and not loopback:
        raise ValueError(f"{name}: must be https")
    return str(value)
