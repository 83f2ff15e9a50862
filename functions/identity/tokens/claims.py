"""What a token's claims must say (RFC 7519, section 4; RFC 9068): of us, of now, of one person."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from identity.issuers import Issuer
from identity.tokens.errors import TokenRefused

SKEW_SECONDS = 30
_LONGEST_SUBJECT = 255
_USUAL_SESSIONS = ("origin_jti", "sid", "jti")
_SESSION = re.compile(r"[\x21-\x7e]{1,256}")
_EMAIL = re.compile(r"[^\s@\x00-\x1f\x7f]{1,64}@[^\s@\x00-\x1f\x7f]{1,189}")


@dataclass(frozen=True)
class Identity:
    """Whom a verified token speaks of. `email` is verified by the issuer, or empty; `tenant_id` may be empty too."""

    issuer: str
    subject: str = field(repr=False)
    session_id: str = field(repr=False)
    tenant_id: str
    email: str = field(repr=False)
    issued_at: int
    expires_at: int


def check(claims: Mapping[str, Any], issuer: Issuer, now: float) -> Identity:
    """Return whom the claims speak of; raises `TokenRefused`. `issuer` is the one that signed them."""
    if claims.get("iss") != issuer.issuer:
        raise TokenRefused("wrong_issuer")
    _check_audience(claims, issuer)
    for name, value in issuer.required.items():
        if type(claims.get(name)) is not type(value) or claims[name] != value:
            raise TokenRefused("wrong_kind")
    issued_at, expires_at = _check_times(claims, issuer, now)
    names = issuer.claims
    subject = claims.get(names.subject)
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise TokenRefused("no_subject")
    tenant = claims.get(names.tenant, "") if names.tenant else ""
    if not isinstance(tenant, str):
        raise TokenRefused("malformed")
    return Identity(
        issuer.issuer, subject, _session(claims, issuer), tenant, _email(claims, issuer), issued_at, expires_at
    )


def _check_audience(claims: Mapping[str, Any], issuer: Issuer) -> None:
    given = claims.get(issuer.claims.audience)
    audiences = given if isinstance(given, list) else [given]
    if not all(isinstance(audience, str) for audience in audiences) or not issuer.audiences & set(audiences):
        raise TokenRefused("wrong_audience")
    client = claims.get("azp")
    if issuer.clients and not (isinstance(client, str) and client in issuer.clients):
        raise TokenRefused("wrong_client")


def _check_times(claims: Mapping[str, Any], issuer: Issuer, now: float) -> tuple[int, int]:
    expires_at, issued_at = _seconds(claims, "exp"), _seconds(claims, "iat")
    not_before = _seconds(claims, "nbf") if "nbf" in claims else issued_at
    if now >= expires_at + SKEW_SECONDS:
        raise TokenRefused("expired")
    if now < max(issued_at, not_before) - SKEW_SECONDS:
        raise TokenRefused("not_yet_valid")
    if not 0 < expires_at - issued_at <= issuer.max_lifetime:
        raise TokenRefused("lives_too_long")
    return issued_at, expires_at


def _seconds(claims: Mapping[str, Any], name: str) -> int:
    """Return a time in whole seconds, as every issuer writes it; `bool` is an `int` to Python and no time."""
    value = claims.get(name)
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise TokenRefused("wrong_time")
    return value


def _session(claims: Mapping[str, Any], issuer: Issuer) -> str:
    """Return the session's name, or an empty text for an issuer that names none.

    One that was to be there, or cannot be looked up, is refused: the session may have been ended.
    """
    wanted = issuer.claims.session
    for name in (wanted,) if wanted else _USUAL_SESSIONS:
        if name in claims or wanted:
            value = claims.get(name)
            if not isinstance(value, str) or not _SESSION.fullmatch(value):
                raise TokenRefused("no_session")
            return value
    return ""


def _email(claims: Mapping[str, Any], issuer: Issuer) -> str:
    email = claims.get(issuer.claims.email)
    verified = claims.get(issuer.claims.email_verified)
    # Cognito writes the flag as a text.
    if verified is not True and verified != "true":
        return ""
    return email.lower() if isinstance(email, str) and _EMAIL.fullmatch(email) else ""
