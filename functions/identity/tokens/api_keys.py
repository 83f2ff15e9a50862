"""API keys as text: `alm_<tenant ulid>_<43 base62 characters><6 characters of checksum>`.

Example: `alm_01k9zq3v7m8x2c4b6n0d1f5g7h_` and 49 letters or digits. The 43 characters are the secret (256 bits). The
checksum is the CRC-32 of everything before it in base62, so that a secret scanner, and the authorizer before it reads
anything, can tell a key from a text that looks like one. Only a key's SHA-256 is ever stored: 256 random bits need no
slow hash, and finding an item by its hash compares nothing byte by byte.
"""

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from zlib import crc32

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARACTERS = 43
_CHECKSUM_CHARACTERS = 6
_PATTERN = re.compile(r"alm_([0-7][0-9a-hjkmnp-tv-z]{25})_[0-9A-Za-z]{49}")


@dataclass(frozen=True)
class Claim:
    """What a well-formed key says: whose it is. Only the store knows whether it exists."""

    tenant_id: str
    sha256: str


def create(tenant_id: str) -> str:
    """Return a new key of the tenant."""
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARACTERS))
    body = f"alm_{tenant_id.removeprefix('ten_')}_{secret}"
    return body + _checksum(body)


def parse(token: str) -> Claim | None:
    """Return what the key claims, or None when form or checksum is wrong."""
    match = _PATTERN.fullmatch(token)
    if match is None or _checksum(token[:-_CHECKSUM_CHARACTERS]) != token[-_CHECKSUM_CHARACTERS:]:
        return None
    return Claim(tenant_id=f"ten_{match[1]}", sha256=digest(token))


def digest(token: str) -> str:
    """Return the text under which a key is stored."""
    return sha256(token.encode()).hexdigest()


def _checksum(body: str) -> str:
    number = crc32(body.encode())
    characters = ""
    for _ in range(_CHECKSUM_CHARACTERS):
        number, remainder = divmod(number, len(_ALPHABET))
        characters = _ALPHABET[remainder] + characters
    return characters
