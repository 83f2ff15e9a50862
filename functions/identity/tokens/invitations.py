"""Invitations as text: `almi_<tenant ulid>_<invitation ulid>_<43 base62 characters><6 characters of checksum>`.

Example: `almi_01k9zq3v7m8x2c4b6n0d1f5g7h_01k9zq4a0c6e8g2j4m6p8r0t2v_` and 49 letters or digits: see
`identity.tokens.opaque`.
"""

import re
from dataclasses import dataclass

from identity.tokens import opaque

_ULID = "[0-7][0-9a-hjkmnp-tv-z]{25}"
_PATTERN = re.compile(rf"almi_({_ULID})_({_ULID})_{opaque.ENDING}")


@dataclass(frozen=True)
class Claim:
    """What a well-formed token says: into which tenant, by which invitation. Only the store knows whether it exists."""

    tenant_id: str
    invitation_id: str
    sha256: str


def create(tenant_id: str, invitation_id: str) -> str:
    """Return a new token of the invitation."""
    return opaque.create(f"almi_{tenant_id.removeprefix('ten_')}_{invitation_id.removeprefix('inv_')}")


def parse(token: str) -> Claim | None:
    """Return what the token claims, or None when form or checksum is wrong."""
    match = _PATTERN.fullmatch(token)
    if match is None or not opaque.is_whole(token):
        return None
    return Claim(f"ten_{match[1]}", f"inv_{match[2]}", opaque.digest(token))
