"""JSON Web Tokens of the configured issuers: from a text to whom it speaks of, or a refusal."""

from collections.abc import Mapping

from jwt import PyJWS
from jwt.exceptions import PyJWTError

from identity.issuers import ALGORITHMS, Issuer
from identity.tokens import claims, compact, fetch
from identity.tokens.claims import Identity
from identity.tokens.errors import TokenRefused
from identity.tokens.jwks import Fetch, KeyRing, PublicKey

# It knows no other algorithm, whatever a header says.
_jws = PyJWS(algorithms=sorted(ALGORITHMS))


class WebTokens:
    """Verifies tokens of the given issuers; keeps their keys for the environment's life."""

    def __init__(self, issuers: Mapping[str, Issuer], fetched: Fetch = fetch.keys_of) -> None:
        self._issuers = issuers
        self._rings = {name: KeyRing(issuer, fetched) for name, issuer in issuers.items()}

    def verify(self, token: str, now: float) -> Identity:
        """Return whom the token speaks of; raises `TokenRefused`, or `IssuerUnavailable` when there is no verdict."""
        unverified = compact.read(token)
        named = unverified.claims.get("iss")
        issuer = self._issuers.get(named) if isinstance(named, str) else None
        if issuer is None:
            raise TokenRefused("wrong_issuer")
        if unverified.algorithm not in issuer.algorithms:
            raise TokenRefused("wrong_algorithm")
        key = self._rings[issuer.issuer].find(unverified.key_id, unverified.algorithm, now)
        _verify_signature(token, key)
        return claims.check(unverified.claims, issuer, now)


def _verify_signature(token: str, key: PublicKey) -> None:
    try:
        _jws.decode_complete(token, key.key, algorithms=[key.algorithm])
    except (PyJWTError, ValueError):
        raise TokenRefused("wrong_signature") from None
