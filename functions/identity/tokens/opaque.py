"""What our own tokens have in common: `<prefix>_..._<43 base62 characters><6 characters of checksum>`.

The 43 characters are the secret (256 bits). The checksum is the CRC-32 of everything before it in base62, so that a
secret scanner, and a handler before it reads anything, can tell a token from a text that looks like one. Only the
SHA-256 of a token is ever stored: 256 random bits need no slow hash, and finding an item by its hash compares nothing
byte by byte.
"""

import secrets
from hashlib import sha256
from zlib import crc32

# What a pattern ends with: the secret and its checksum.
ENDING = "[0-9A-Za-z]{49}"

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARACTERS = 43
_CHECKSUM_CHARACTERS = 6


def create(head: str) -> str:
    """Return a new token that begins with `head` and an underscore."""
    secret = "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_CHARACTERS))
    body = f"{head}_{secret}"
    return body + checksum(body)


def is_whole(token: str) -> bool:
    """Tell whether the token ends with its checksum."""
    return checksum(token[:-_CHECKSUM_CHARACTERS]) == token[-_CHECKSUM_CHARACTERS:]


def digest(token: str) -> str:
    """Return the text under which a token is stored."""
    return sha256(token.encode()).hexdigest()


def checksum(body: str) -> str:
    """Return what follows the body of a token."""
    number = crc32(body.encode())
    characters = ""
    for _ in range(_CHECKSUM_CHARACTERS):
        number, remainder = divmod(number, len(_ALPHABET))
        characters = _ALPHABET[remainder] + characters
    return characters
