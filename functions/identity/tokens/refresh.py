"""Refresh tokens as text: `almr_<person>_<session>_<family>_<43 base62 characters><6 characters of checksum>`.

Person is the part of the person's id after `usr_`; session is the session's id. All tokens of a session share the
family (131 random bits): who presents the right family with a wrong secret holds a token that was used already, and
not a guess. The next token is derived from the one that is used and a key of the session, so that an answer that was
lost can be given again without keeping any token. See also `identity.tokens.opaque`.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256

from identity.tokens import opaque
from identity.tokens.opaque import digest

__all__ = ["Claim", "digest", "family_digest", "first", "following", "parse"]

_PATTERN = re.compile(
    r"almr_(?P<person>[0-7][0-9a-hjkmnp-tv-z]{25})_(?P<session>[0-9A-Za-z-]{1,64})_(?P<family>[0-9A-Za-z]{22})_"
    + opaque.ENDING
)
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_FAMILY_CHARACTERS = 22
_SECRET_CHARACTERS = 43


@dataclass(frozen=True)
class Claim:
    """What a well-formed token says: whose it is, and of which session. Only the store knows whether it is in force."""

    person_id: str
    session_id: str
    sha256: str
    family_sha256: str


def first(person_id: str, session_id: str) -> str:
    """Return the first token of a session."""
    family = "".join(secrets.choice(_ALPHABET) for _ in range(_FAMILY_CHARACTERS))
    return opaque.create(f"almr_{person_id.removeprefix('usr_')}_{session_id}_{family}")


def following(token: str, key: bytes) -> str:
    """Return the token that replaces `token`: always the same under the same key."""
    head = token.rpartition("_")[0]
    number = int.from_bytes(hmac.digest(key, token.encode(), "sha256"), "big")
    secret = ""
    for _ in range(_SECRET_CHARACTERS):
        number, remainder = divmod(number, len(_ALPHABET))
        secret = _ALPHABET[remainder] + secret
    body = f"{head}_{secret}"
    return body + opaque.checksum(body)


def parse(token: str) -> Claim | None:
    """Return what the token claims, or None when form or checksum is wrong."""
    match = _PATTERN.fullmatch(token)
    if match is None or not opaque.is_whole(token):
        return None
    return Claim(f"usr_{match['person']}", match["session"], digest(token), family_digest(token))


def family_digest(token: str) -> str:
    """Return the text under which the family of a well-formed token is stored."""
    return sha256(token.split("_")[3].encode()).hexdigest()
