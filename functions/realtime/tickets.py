"""Tickets as text: `rtt_<tenant ulid>_<43 base64url characters>`. Only the SHA-256 of one is ever stored.

A ticket opens one connection within a minute, so it may stand in an address, where no long-lived token may.
"""

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

_PATTERN = re.compile(r"rtt_([0-7][0-9a-hjkmnp-tv-z]{25})_[0-9A-Za-z_-]{43}")


@dataclass(frozen=True)
class Claim:
    """What a well-formed ticket says: whose it is. Only the store knows whether it exists."""

    tenant_id: str
    sha256: str


def create(tenant_id: str) -> str:
    """Return a new ticket of the tenant."""
    return f"rtt_{tenant_id.removeprefix('ten_')}_{secrets.token_urlsafe(32)}"


def parse(ticket: str) -> Claim | None:
    """Return what a ticket claims, or None when it is not of the form."""
    match = _PATTERN.fullmatch(ticket)
    return Claim(f"ten_{match[1]}", digest(ticket)) if match else None


def digest(ticket: str) -> str:
    """Return the text under which a ticket is stored."""
    return sha256(ticket.encode()).hexdigest()
