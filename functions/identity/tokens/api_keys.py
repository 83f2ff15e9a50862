"""API keys as text: `alm_<tenant ulid>_<43 base62 characters><6 characters of checksum>`.

Example: `alm_01k9zq3v7m8x2c4b6n0d1f5g7h_` and 49 letters or digits: see `identity.tokens.opaque`.
"""

import re
from dataclasses import dataclass

from identity.tokens import opaque
from identity.tokens.opaque import digest

__all__ = ["Claim", "create", "digest", "parse"]

PREFIX = "alm_"
_PATTERN = re.compile(rf"alm_([0-7][0-9a-hjkmnp-tv-z]{{25}})_{opaque.ENDING}")


@dataclass(frozen=True)
class Claim:
    """What a well-formed key says: whose it is. Only the store knows whether it exists."""

    tenant_id: str
    sha256: str


def create(tenant_id: str) -> str:
    """Return a new key of the tenant."""
    return opaque.create(f"{PREFIX}{tenant_id.removeprefix('ten_')}")


def parse(token: str) -> Claim | None:
    """Return what the key claims, or None when form or checksum is wrong."""
    match = _PATTERN.fullmatch(token)
    if match is None or not opaque.is_whole(token):
        return None
    return Claim(tenant_id=f"ten_{match[1]}", sha256=digest(token))
