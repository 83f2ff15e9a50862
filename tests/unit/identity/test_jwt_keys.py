"""Issuers' keys: which are used, how long they are believed, and how they are fetched."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from identity.issuers import Issuer
from identity.tokens import fetch, jwks
from identity.tokens.errors import IssuerUnavailable, TokenRefused
from identity.tokens.web_tokens import WebTokens
from tests.support.issuer_server import Served, serve
from tests.support.tokens import ISSUER, NOW, Maker, ec_jwk, ec_key, encode, rsa_jwk, rsa_key

MAKER = Maker()
NEXT = Maker(rsa_private=rsa_key(which=1))
CONFIGURED = MAKER.configuration()


class Fetched:
    """Stands in for the network: answers what it is given, or fails, and counts."""

    def __init__(self, answer: bytes | Exception) -> None:
        self.answer = answer
        self.times = 0

    def __call__(self, issuer: Issuer) -> bytes:
        self.times += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def accepts(tokens: WebTokens, token: str, now: float = NOW) -> bool:
    try:
        return tokens.verify(token, now).subject == "subject-1"
    except TokenRefused as refused:
        assert refused.reason == "unknown_key"
        return False


def test_keys_are_read_once_an_hour() -> None:
    fetched = Fetched(MAKER.document())
    tokens = WebTokens({ISSUER: CONFIGURED}, fetched)
    token = MAKER.token(exp=int(NOW) + 8000)
    for second in range(0, 3600, 100):
        assert accepts(tokens, token, NOW + second)
    assert fetched.times == 1
    assert accepts(tokens, token, NOW + 3601)
    assert fetched.times == 2


def test_a_new_key_of_the_issuer_is_found_and_the_old_one_is_dropped() -> None:
    fetched = Fetched(MAKER.document())
    tokens = WebTokens({ISSUER: CONFIGURED}, fetched)
    assert accepts(tokens, MAKER.token())
    fetched.answer = json.dumps({"keys": [rsa_jwk(NEXT.rsa_private, kid="rsa-2")]}).encode()
    assert accepts(tokens, NEXT.token(header={"kid": "rsa-2"}), NOW + 60)
    assert not accepts(tokens, MAKER.token(), NOW + 60)


def test_unknown_keys_make_the_issuer_be_asked_once_a_minute() -> None:
    fetched = Fetched(MAKER.document())
    tokens = WebTokens({ISSUER: CONFIGURED}, fetched)
    assert accepts(tokens, MAKER.token())
    for number in range(300):
        assert not accepts(tokens, MAKER.token(header={"kid": f"made up {number}"}), NOW + number)
    assert fetched.times == 5


def test_each_issuer_has_a_limit_of_its_own() -> None:
    other = Maker("https://other.example.org", rsa_private=rsa_key(which=1))
    asked: list[str] = []

    def fetched(issuer: Issuer) -> bytes:
        asked.append(issuer.issuer)
        return MAKER.document() if issuer.issuer == ISSUER else other.document()

    tokens = WebTokens({ISSUER: CONFIGURED, other.issuer: other.configuration()}, fetched)
    assert not accepts(tokens, MAKER.token(header={"kid": "made up"}))
    assert accepts(tokens, other.token())
    assert asked == [ISSUER, other.issuer]


@pytest.mark.parametrize("down", [OSError("down"), ValueError("nonsense"), TimeoutError()])
def test_known_keys_serve_while_the_issuer_is_down_but_not_for_ever(down: Exception) -> None:
    fetched = Fetched(MAKER.document())
    tokens = WebTokens({ISSUER: MAKER.configuration(max_lifetime=2 * 86400)}, fetched)
    token = MAKER.token(exp=int(NOW) + 2 * 86400 - 60)
    assert accepts(tokens, token)
    fetched.answer = down
    assert accepts(tokens, token, NOW + 3601)
    assert not accepts(tokens, NEXT.token(header={"kid": "rsa-2"}), NOW + 3602)
    assert fetched.times == 2
    assert accepts(tokens, token, NOW + jwks.BELIEVED_SECONDS)
    with pytest.raises(IssuerUnavailable):
        tokens.verify(token, NOW + jwks.BELIEVED_SECONDS + 61)
    fetched.answer = MAKER.document()
    assert accepts(tokens, token, NOW + jwks.BELIEVED_SECONDS + 122)


def test_an_issuer_that_was_never_reached_gives_no_verdict_and_is_asked_again_soon() -> None:
    fetched = Fetched(OSError("down"))
    tokens = WebTokens({ISSUER: CONFIGURED}, fetched)
    for second in range(5):
        with pytest.raises(IssuerUnavailable):
            tokens.verify(MAKER.token(), NOW + second)
    assert fetched.times == 1
    fetched.answer = MAKER.document()
    assert accepts(tokens, MAKER.token(), NOW + 5)


@pytest.mark.parametrize("document", [b"", b"{", b"[]", b"null", b'{"keys":{}}', b'{"keys":[]}', b'{"keys":[1,null]}'])
def test_a_document_without_keys_takes_nothing_away(document: bytes) -> None:
    fetched = Fetched(MAKER.document())
    tokens = WebTokens({ISSUER: CONFIGURED}, fetched)
    assert accepts(tokens, MAKER.token())
    fetched.answer = document
    assert not accepts(tokens, NEXT.token(header={"kid": "rsa-2"}), NOW + 60)
    assert accepts(tokens, MAKER.token(), NOW + 61)


GOOD = rsa_jwk(rsa_key())
CURVE = ec_jwk(ec_key())


@pytest.mark.parametrize(
    "unusable",
    [
        GOOD | {"use": "enc"},
        GOOD | {"key_ops": ["encrypt"]},
        GOOD | {"key_ops": "verify"},
        GOOD | {"alg": "RS512"},
        GOOD | {"alg": "HS256"},
        GOOD | {"kty": "oct", "k": encode(b"secret")},
        GOOD | {"kty": ["RSA"]},
        GOOD | {"d": GOOD["n"]},
        GOOD | {"kid": None},
        GOOD | {"kid": 1},
        GOOD | {"e": encode(b"\x01")},
        GOOD | {"e": encode(b"\x02")},
        GOOD | {"e": encode(b"\x01" * 9)},
        GOOD | {"n": encode(b"\xff" * 128)},
        GOOD | {"n": encode(b"\xff" * 2048)},
        GOOD | {"n": "not base64!"},
        GOOD | {"n": None},
        {"kty": "RSA", "kid": "rsa-1"},
        CURVE | {"crv": "P-384"},
        CURVE | {"crv": None},
        CURVE | {"x": CURVE["y"], "y": CURVE["x"]},
        CURVE | {"x": encode(b"\0" * 32), "y": encode(b"\0" * 32)},
        CURVE | {"x": CURVE["x"][:-2]},
        CURVE | {"alg": "ES384"},
        {"kty": "OKP", "crv": "Ed25519", "x": encode(b"1" * 32), "kid": "okp"},
    ],
)
def test_a_key_that_cannot_be_used_is_left_out_and_the_others_stay(unusable: dict[str, Any]) -> None:
    kept = rsa_jwk(rsa_key(which=1), kid="kept")
    assert set(jwks.parse(json.dumps({"keys": [unusable, kept]}).encode(), CONFIGURED)) == {"kept"}


def test_a_weak_key_is_left_out() -> None:
    document = json.dumps({"keys": [rsa_jwk(rsa_key(1024), kid="weak"), GOOD]}).encode()
    assert set(jwks.parse(document, CONFIGURED)) == {"rsa-1"}


def test_a_key_needs_no_more_than_its_numbers() -> None:
    bare = {name: GOOD[name] for name in ("kty", "kid", "n", "e")}
    assert jwks.parse(json.dumps({"keys": [bare]}).encode(), CONFIGURED)["rsa-1"].algorithm == "RS256"


@pytest.fixture
def server() -> Iterator[Served]:
    with serve() as served:
        yield served


def configured(server: Served, **members: Any) -> Issuer:
    return Issuer(server.url, frozenset({"almanac"}), **members)


def test_keys_are_read_where_the_operator_says(server: Served) -> None:
    server.put("/keys", MAKER.document())
    tokens = WebTokens({ISSUER: MAKER.configuration(jwks_uri=f"{server.url}/keys")})
    assert accepts(tokens, MAKER.token())
    assert server.asked == ["/keys"]


def test_keys_are_discovered_from_the_issuers_name(server: Served) -> None:
    maker = Maker(server.url)
    discovery = {"issuer": server.url, "jwks_uri": f"{server.url}/keys"}
    server.put("/.well-known/openid-configuration", json.dumps(discovery).encode())
    server.put("/keys", maker.document())
    assert accepts(WebTokens({server.url: maker.configuration()}), maker.token())
    assert server.asked == ["/.well-known/openid-configuration", "/keys"]


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://other.example.org", "jwks_uri": "/keys"},
        {"issuer": "", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "", "jwks_uri": "http://10.0.0.1/keys"},
        {"issuer": "", "jwks_uri": "gopher://127.0.0.1/"},
        {"issuer": ""},
        {"issuer": "", "jwks_uri": ["/keys"]},
        ["issuer"],
    ],
)
def test_a_discovery_document_leads_nowhere_else(server: Served, document: Any) -> None:
    if isinstance(document, dict) and document["issuer"] == "":
        document = document | {"issuer": server.url}
    server.put("/.well-known/openid-configuration", json.dumps(document).encode())
    with pytest.raises((ValueError, OSError)):
        fetch.keys_of(configured(server))
    assert server.asked == ["/.well-known/openid-configuration"]


def answers_nothing(server: Served) -> None:
    server.stall = threading.Event()


@pytest.mark.parametrize(
    "break_it",
    [
        lambda server: server.put("/keys", b"", 302, location="/elsewhere"),
        lambda server: server.put("/keys", b"", 307, location="http://169.254.169.254/latest/meta-data/"),
        lambda server: server.put("/keys", MAKER.document(), 500),
        lambda server: server.put("/keys", MAKER.document(), 404),
        lambda server: server.put("/keys", b" " * (fetch.MAX_BYTES + 1) + MAKER.document()),
        lambda server: server.put("/keys", gzip.compress(MAKER.document()), content_encoding="gzip"),
        answers_nothing,
    ],
)
def test_an_answer_that_is_not_the_keys_is_none(
    server: Served, monkeypatch: pytest.MonkeyPatch, break_it: Callable[[Served], None]
) -> None:
    monkeypatch.setattr(fetch, "_SECONDS", 0.3)
    server.put("/elsewhere", MAKER.document())
    break_it(server)
    tokens = WebTokens({ISSUER: MAKER.configuration(jwks_uri=f"{server.url}/keys")})
    with pytest.raises(IssuerUnavailable):
        tokens.verify(MAKER.token(), NOW)
    assert server.asked == ["/keys"]


def test_an_address_where_nobody_listens_is_an_issuer_that_is_down(server: Served) -> None:
    tokens = WebTokens({ISSUER: MAKER.configuration(jwks_uri="http://127.0.0.1:9/keys")})
    with pytest.raises(IssuerUnavailable):
        tokens.verify(MAKER.token(), NOW)
