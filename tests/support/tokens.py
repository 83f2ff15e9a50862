"""JSON Web Tokens for tests, put together by hand: what a library would refuse to make is what is tested."""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from identity.issuers import Issuer

NOW = 1_800_000_000.0
ISSUER = "https://issuer.example.org/pool"
AUDIENCE = "almanac"


def encode(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value: int, length: int | None = None) -> str:
    """Return an integer as RFC 7518 writes one."""
    return encode(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


@cache
def rsa_key(bits: int = 2048, which: int = 0) -> rsa.RSAPrivateKey:
    """Return an RSA key, the same within a run."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@cache
def ec_key(curve: type[ec.EllipticCurve] = ec.SECP256R1, which: int = 0) -> ec.EllipticCurvePrivateKey:
    """Return a key on a curve, the same within a run."""
    return ec.generate_private_key(curve())


def rsa_jwk(key: rsa.RSAPrivateKey, **members: Any) -> dict[str, Any]:
    """Return a public RSA key as issuers publish it."""
    numbers = key.public_key().public_numbers()
    given = {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa-1", "n": number(numbers.n), "e": number(numbers.e)}
    return given | members


def ec_jwk(key: ec.EllipticCurvePrivateKey, **members: Any) -> dict[str, Any]:
    """Return a public key on a curve as issuers publish it."""
    numbers, length = key.public_key().public_numbers(), (key.curve.key_size + 7) // 8
    given = {"kty": "EC", "use": "sig", "alg": "ES256", "crv": "P-256", "kid": "ec-1"}
    return given | {"x": number(numbers.x, length), "y": number(numbers.y, length)} | members


def sign_rs256(text: str, key: rsa.RSAPrivateKey) -> bytes:
    return key.sign(text.encode(), padding.PKCS1v15(), SHA256())


def sign_es256(text: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    r, s = decode_dss_signature(key.sign(text.encode(), ec.ECDSA(SHA256())))
    length = (key.curve.key_size + 7) // 8
    return r.to_bytes(length, "big") + s.to_bytes(length, "big")


@dataclass
class Maker:
    """An issuer that signs whatever it is asked to."""

    issuer: str = ISSUER
    rsa_private: rsa.RSAPrivateKey = field(default_factory=rsa_key)
    ec_private: ec.EllipticCurvePrivateKey = field(default_factory=ec_key)

    def document(self, *more: Mapping[str, Any]) -> bytes:
        """Return its JWK Set."""
        return json.dumps({"keys": [rsa_jwk(self.rsa_private), ec_jwk(self.ec_private), *more]}).encode()

    def configuration(self, **members: Any) -> Issuer:
        """Return it as an operator configures it."""
        return Issuer(**{"issuer": self.issuer, "audiences": frozenset({AUDIENCE}), **members})

    def claims(self, now: float = NOW, **changed: Any) -> dict[str, Any]:
        """Return a good token's claims; one that is None is left out."""
        given = {
            "iss": self.issuer,
            "sub": "subject-1",
            "aud": AUDIENCE,
            "iat": int(now) - 60,
            "exp": int(now) + 900,
            "sid": "session-1",
        }
        return {name: value for name, value in {**given, **changed}.items() if value is not None}

    def token(self, algorithm: str = "RS256", *, header: Mapping[str, Any] | None = None, **claims: Any) -> str:
        """Return a token, signed with the algorithm whatever `header` says. Claims change those of a good one."""
        return self.signed(json.dumps(self.claims(**claims)), algorithm, header=header)

    def signed(self, payload: str | bytes, algorithm: str = "RS256", *, header: Any = None) -> str:
        """Return a token with this payload. `header` changes a good one, or is the text of another."""
        kid = "rsa-1" if algorithm == "RS256" else "ec-1"
        if not isinstance(header, str):
            header = json.dumps({"alg": algorithm, "typ": "JWT", "kid": kid, **(header or {})})
        payload = payload if isinstance(payload, bytes) else payload.encode()
        text = f"{encode(header.encode())}.{encode(payload)}"
        signature = sign_rs256(text, self.rsa_private) if algorithm == "RS256" else sign_es256(text, self.ec_private)
        return f"{text}.{encode(signature)}"
