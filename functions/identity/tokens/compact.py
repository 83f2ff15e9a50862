"""A JSON Web Token's compact form (RFC 7515, RFC 7519), read as strictly as it is written. Nothing here is verified.

Whatever two readers could understand differently is refused before a signature is looked at: other alphabets and
paddings of base64, unused bits, members that come twice, numbers that JSON does not have, header parameters that change
how the rest is to be read.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from identity.tokens.errors import TokenRefused

MAX_BYTES = 8 * 1024
_SEGMENTS = 3
_LONGEST_KEY_ID = 256
_TYPES = {"jwt", "at+jwt", "application/jwt", "application/at+jwt"}
# Keys come from the issuer, never from a token; the others change what is signed, or say that the content is a token.
_FORBIDDEN = frozenset({"jwk", "jku", "x5u", "x5c", "crit", "b64", "zip", "enc", "cty"})


@dataclass(frozen=True)
class Unverified:
    """What a token says of itself."""

    algorithm: str
    key_id: str
    claims: Mapping[str, Any]


def read(token: str) -> Unverified:
    """Return the token's parts; raises `TokenRefused`."""
    if len(token) > MAX_BYTES:
        raise TokenRefused("too_long")
    segments = token.split(".")
    if len(segments) != _SEGMENTS:
        raise TokenRefused("malformed")
    header, claims = _object(segments[0]), _object(segments[1])
    _bytes(segments[2])
    if _FORBIDDEN & set(header):
        raise TokenRefused("header_refused")
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise TokenRefused("wrong_type")
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str):
        raise TokenRefused("wrong_algorithm")
    if not isinstance(key_id, str) or not 0 < len(key_id) <= _LONGEST_KEY_ID:
        raise TokenRefused("unknown_key")
    return Unverified(algorithm, key_id, claims)


def decode(text: str) -> bytes:
    """Return the bytes that base64url without padding spells (RFC 7515, section 2); raises `ValueError`."""
    data = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(data).rstrip(b"=") != text.encode("ascii"):
        raise ValueError("not the one spelling of these bytes")
    return data


def _bytes(segment: str) -> bytes:
    try:
        return decode(segment)
    except (ValueError, binascii.Error):
        raise TokenRefused("malformed") from None


def _object(segment: str) -> dict[str, Any]:
    try:
        content = json.loads(_bytes(segment).decode(), object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise TokenRefused("malformed") from None
    if not isinstance(content, dict):
        raise TokenRefused("malformed")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member comes twice")
    return members


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
