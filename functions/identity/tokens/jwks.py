"""Issuers' public keys (RFC 7517): which are used, how long they are believed, and when they are read again."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from identity.issuers import Issuer
from identity.tokens.compact import decode
from identity.tokens.errors import IssuerUnavailable, TokenRefused

FRESH_SECONDS = 3600
"""Keys are read again after this."""
BELIEVED_SECONDS = 24 * 3600
"""Without an answer of the issuer, keys that were read before are believed so long."""
UNKNOWN_KEY_SECONDS = 60
"""A key that is not known makes an issuer's keys be read at most this often, whatever tokens come."""
RETRY_SECONDS = 5
"""As long as an issuer's keys were never read, they are asked for at most this often."""

_MOST_KEYS = 100
_LEAST_RSA_BITS, _MOST_RSA_BITS = 2048, 8192
_MOST_EXPONENT = 1 << 32
_KINDS = {"RS256": {"kty": "RSA"}, "ES256": {"kty": "EC", "crv": "P-256"}}

Fetch = Callable[[Issuer], bytes]


@dataclass(frozen=True)
class PublicKey:
    """A key and the one algorithm that it verifies."""

    algorithm: str
    key: Any


def parse(document: bytes, issuer: Issuer) -> dict[str, PublicKey]:
    """Return the usable keys of a JWK Set by their ids; raises `ValueError` when it has none.

    A key that cannot be used is left out, so that one of a kind unknown here does not take the others with it.
    """
    content = json.loads(document)
    entries = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a JWK Set")
    found: dict[str, PublicKey] = {}
    for entry in entries[:_MOST_KEYS]:
        key = _usable(entry)
        if key is not None and key.algorithm in issuer.algorithms:
            found.setdefault(entry["kid"], key)
    if not found:
        raise ValueError("no usable key")
    return found


class KeyRing:
    """The keys of one issuer, read when they are needed."""

    def __init__(self, issuer: Issuer, fetch: Fetch) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._keys: dict[str, PublicKey] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None

    def find(self, key_id: str, algorithm: str, now: float) -> PublicKey:
        """Return the key that a token names; raises `TokenRefused`, or `IssuerUnavailable` when none was ever read."""
        if self._due(key_id, now):
            self._refresh(now)
        if self._read_at is None or now - self._read_at > BELIEVED_SECONDS:
            raise IssuerUnavailable(self._issuer.issuer)
        key = self._keys.get(key_id)
        if key is None:
            raise TokenRefused("unknown_key")
        if key.algorithm != algorithm:
            raise TokenRefused("wrong_algorithm")
        return key

    def _due(self, key_id: str, now: float) -> bool:
        waited = now - self._tried_at if self._tried_at is not None else float("inf")
        if self._read_at is None:
            return waited >= RETRY_SECONDS
        stale = now - self._read_at > FRESH_SECONDS
        return (stale or key_id not in self._keys) and waited >= UNKNOWN_KEY_SECONDS

    def _refresh(self, now: float) -> None:
        self._tried_at = now
        try:
            self._keys, self._read_at = parse(self._fetch(self._issuer), self._issuer), now
        except (OSError, ValueError):
            # The issuer is down or talks nonsense: what is known goes on serving for a while.
            return


def _usable(entry: Any) -> PublicKey | None:
    """Return the key, or None for one that is not for signatures, too weak, not public, or of no kind that we take."""
    if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
        return None
    operations = entry.get("key_ops", ["verify"])
    for_signatures = entry.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    kind = next((kind for kind, form in _KINDS.items() if all(entry.get(name) == form[name] for name in form)), None)
    # A published private part means that anyone can sign with it.
    if not for_signatures or kind is None or entry.get("alg", kind) != kind or "d" in entry:
        return None
    try:
        return PublicKey(kind, _rsa(entry) if kind == "RS256" else _elliptic(entry))
    except Exception:  # noqa: BLE001 - whatever a library says of a key, it is one less
        return None


def _rsa(entry: Mapping[str, Any]) -> Any:
    modulus, exponent = (int.from_bytes(decode(entry[name]), "big") for name in ("n", "e"))
    if not _LEAST_RSA_BITS <= modulus.bit_length() <= _MOST_RSA_BITS or not 2 < exponent < _MOST_EXPONENT:
        raise ValueError("a modulus or exponent out of bounds")
    return RSAAlgorithm.from_jwk({name: entry[name] for name in ("kty", "n", "e")})


def _elliptic(entry: Mapping[str, Any]) -> Any:
    return ECAlgorithm.from_jwk({name: entry[name] for name in ("kty", "crv", "x", "y")})
