"""Identifiers: a short prefix that names the kind, and a ULID in lower case (https://github.com/ulid/spec).

ULIDs sort by creation time, so a listing ordered by id is a listing ordered by age.
"""

import hashlib
import os
import re
import time
from typing import Literal

Prefix = Literal[
    "ten", "prj", "rep", "chk", "msg", "key", "cnv", "usr", "svc", "inv", "fnd", "exp", "imp", "ers", "doc", "col"
]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_ULID_PATTERN = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")


def new_ulid(at_ms: int | None = None) -> str:
    """Return 26 characters: 48 bits of milliseconds since the epoch, then 80 random bits."""
    milliseconds = time.time_ns() // 1_000_000 if at_ms is None else at_ms
    number = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def new_id(prefix: Prefix) -> str:
    """Return a fresh identifier. Example: `prj_01k9zq3v7m8x2c4b6n0d1f5g7h`."""
    return f"{prefix}_{new_ulid()}"


def person_id(issuer: str, subject: str) -> str:
    """Return the identifier of whom an OpenID Connect issuer names by a subject: always the same, without a look-up.

    `usr_` and the first 128 bits of SHA-256 over both, spelled like a ULID; it does not sort by time.
    """
    return "usr_" + _spelled(hashlib.sha256(f"{issuer}\n{subject}".encode()).digest())


def finding_id(digest: bytes) -> str:
    """Return the identifier of what a keyed digest stands for: `fnd_` and its first 128 bits, spelled like a ULID."""
    return "fnd_" + _spelled(digest)


def _spelled(digest: bytes) -> str:
    number = int.from_bytes(digest[:16], "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_id(value: str, prefix: Prefix) -> bool:
    """Tell whether `value` is a well-formed identifier of that kind."""
    head, _, tail = value.partition("_")
    return head == prefix and _ULID_PATTERN.fullmatch(tail) is not None


def id_pattern(prefix: Prefix) -> str:
    """Return the regular expression that the OpenAPI document states for such an identifier."""
    return f"^{prefix}_{_ULID_PATTERN.pattern}$"
