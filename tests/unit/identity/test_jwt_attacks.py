"""Every way of getting a forged token past a verifier that the RFCs and the JOSE libraries' own suites know of.

RFC 7515 (JWS), RFC 7519 (JWT), RFC 7797 (b64), RFC 8725 (best current practices), CVE-2015-9235 (HS/RS confusion),
CVE-2018-0114 (embedded keys), CVE-2022-21449 (the ECDSA signature of zeros).
"""

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from identity.issuers import ClaimNames
from identity.tokens import jwks, web_tokens
from identity.tokens.errors import TokenRefused
from identity.tokens.web_tokens import WebTokens
from tests.support.tokens import ISSUER, NOW, Maker, ec_jwk, ec_key, encode, rsa_jwk, rsa_key, sign_es256, sign_rs256

MAKER = Maker()


def verifier(*more: dict[str, Any], **configured: Any) -> WebTokens:
    document = MAKER.document(*more)
    return WebTokens({ISSUER: MAKER.configuration(**configured)}, lambda _: document)


def refusal(token: str, *more: dict[str, Any], **configured: Any) -> str:
    with pytest.raises(TokenRefused) as refused:
        verifier(*more, **configured).verify(token, NOW)
    return refused.value.reason


def made(claims: dict[str, Any]) -> str:
    return MAKER.token(**claims)


def unsigned(header: dict[str, Any], signature: bytes = b"", **claims: Any) -> str:
    return f"{signing_input(header, **claims)}.{encode(signature)}"


def signing_input(header: dict[str, Any], **claims: Any) -> str:
    payload = json.dumps(MAKER.claims(**claims))
    return f"{encode(json.dumps({'typ': 'JWT', 'kid': 'rsa-1', **header}).encode())}.{encode(payload.encode())}"


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_good_token_is_accepted(algorithm: str) -> None:
    identity = verifier().verify(MAKER.token(algorithm), NOW)
    assert (identity.issuer, identity.subject, identity.session_id) == (ISSUER, "subject-1", "session-1")


# RFC 7515, appendices A.1 (HS256), A.3 (ES256, with the key P256) and A.5 (no signature): one payload, thrice.
PAYLOAD = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
HS256 = f"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{PAYLOAD}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
ES256 = (
    f"eyJhbGciOiJFUzI1NiJ9.{PAYLOAD}."
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)
UNSECURED = f"eyJhbGciOiJub25lIn0.{PAYLOAD}."
P256 = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}


def test_the_examples_of_the_rfc_are_judged_as_it_says() -> None:
    key = jwks.parse(json.dumps({"keys": [{**P256, "kid": "rfc"}]}).encode(), MAKER.configuration())["rfc"]
    web_tokens._verify_signature(ES256, key)
    with pytest.raises(TokenRefused, match="wrong_signature"):
        web_tokens._verify_signature(ES256[:-6] + "AAAA" + ES256[-2:], key)
    for token in (HS256, UNSECURED, ES256):
        assert refusal(token, {**P256, "kid": "rfc"}) == "unknown_key"


@pytest.mark.parametrize("spelling", ["none", "None", "NONE", "nOnE", "none ", ""])
@pytest.mark.parametrize("signature", [b"", b"x"])
def test_no_algorithm_is_no_signature(spelling: str, signature: bytes) -> None:
    assert refusal(unsigned({"alg": spelling}, signature)) == "wrong_algorithm"


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize("form", [PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1])
@pytest.mark.parametrize(("algorithm", "digest"), [("HS256", "sha256"), ("HS384", "sha384"), ("HS512", "sha512")])
def test_a_public_key_is_no_shared_secret(encoding: Encoding, form: PublicFormat, algorithm: str, digest: str) -> None:
    secret = MAKER.rsa_private.public_key().public_bytes(encoding, form)
    text = signing_input({"alg": algorithm})
    assert refusal(f"{text}.{encode(hmac.new(secret, text.encode(), digest).digest())}") == "wrong_algorithm"


def test_a_symmetric_key_in_the_issuers_set_verifies_nothing() -> None:
    secret = b"s" * 32
    text = signing_input({"alg": "HS256", "kid": "oct-1"})
    token = f"{text}.{encode(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"
    jwk = {"kty": "oct", "kid": "oct-1", "alg": "HS256", "k": encode(secret)}
    assert refusal(token, jwk) == "wrong_algorithm"
    assert refusal(MAKER.token(header={"kid": "oct-1"}), jwk) == "unknown_key"


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256", "ES384", "ES512", "ES256K", "EdDSA", "RSA1_5", "dir"])
def test_only_two_algorithms_exist(algorithm: str) -> None:
    assert refusal(MAKER.token(header={"alg": algorithm})) == "wrong_algorithm"


@pytest.mark.parametrize("algorithm", [None, 256, ["RS256"], {"alg": "RS256"}, True, "rs256", "RS256\x00"])
def test_the_algorithm_is_its_exact_name(algorithm: Any) -> None:
    assert refusal(MAKER.token(header={"alg": algorithm})) == "wrong_algorithm"


def test_a_key_verifies_its_own_algorithm_only() -> None:
    assert refusal(MAKER.token("ES256", header={"alg": "RS256"})) == "wrong_algorithm"
    assert refusal(MAKER.token("RS256", header={"alg": "ES256"})) == "wrong_algorithm"
    assert refusal(MAKER.token("ES256", header={"kid": "rsa-1"})) == "wrong_algorithm"
    assert refusal(MAKER.token("RS256", header={"kid": "ec-1"})) == "wrong_algorithm"
    assert refusal(MAKER.token("ES256", header={"kid": "rsa-1", "alg": "RS256"})) == "wrong_signature"
    assert refusal(MAKER.token("RS256", header={"kid": "ec-1", "alg": "ES256"})) == "wrong_signature"


def test_an_issuer_may_be_held_to_one_algorithm() -> None:
    assert refusal(MAKER.token("ES256"), algorithms=frozenset({"RS256"})) == "wrong_algorithm"


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": rsa_jwk(rsa_key(which=1), kid="rsa-1")},
        {"jwk": rsa_jwk(rsa_key(which=1), kid="mine"), "kid": "mine"},
        {"jku": "https://attacker.example.org/keys"},
        {"jku": f"{ISSUER}/.well-known/jwks.json"},
        {"x5u": "https://attacker.example.org/certificate.pem"},
        {"x5c": ["MIIB"]},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
        {"enc": "A256GCM"},
        {"cty": "JWT"},
    ],
)
def test_a_header_neither_brings_keys_nor_changes_the_rules(header: dict[str, Any]) -> None:
    attacker = Maker(rsa_private=rsa_key(which=1))
    assert refusal(attacker.token(header=header)) == "header_refused"
    assert refusal(MAKER.token(header=header)) == "header_refused"


def test_a_key_of_ones_own_verifies_nothing() -> None:
    assert refusal(Maker(rsa_private=rsa_key(which=1)).token()) == "wrong_signature"
    assert refusal(Maker(ec_private=ec_key(which=1)).token("ES256")) == "wrong_signature"


@pytest.mark.parametrize(
    "kid",
    [
        "../../../../dev/null",
        "/etc/passwd",
        "x' UNION SELECT 'secret",
        "rsa-1\x00",
        "rsa-1 ",
        "RSA-1",
        "",
        "|id",
        "https://attacker.example.org/keys",
        "x" * 257,
        None,
        1,
        ["rsa-1"],
        {"kid": "rsa-1"},
    ],
)
def test_a_key_id_is_looked_up_and_nothing_else(kid: Any) -> None:
    assert refusal(MAKER.token(header={"kid": kid})) == "unknown_key"
    assert refusal(unsigned({"alg": "HS256", "kid": kid}, hmac.digest(b"", b"", "sha256"))) != "accepted"


def test_a_key_id_is_needed() -> None:
    token = MAKER.signed(json.dumps(MAKER.claims()), header='{"alg":"RS256","typ":"JWT"}')
    assert refusal(token) == "unknown_key"


@pytest.mark.parametrize("curve", [ec.SECP384R1, ec.SECP521R1, ec.SECP256K1])
def test_a_key_on_another_curve_verifies_nothing(curve: type[ec.EllipticCurve]) -> None:
    key = ec_key(curve)
    text = signing_input({"alg": "ES256", "kid": "other"})
    token = f"{text}.{encode(sign_es256(text, key))}"
    name = {"secp384r1": "P-384", "secp521r1": "P-521", "secp256k1": "secp256k1"}[key.curve.name]
    assert refusal(token, ec_jwk(key, kid="other", crv=name)) == "unknown_key"
    assert refusal(token, ec_jwk(key, kid="other", crv="P-256")) == "unknown_key"


def test_a_signature_of_zeros_is_none() -> None:
    text = signing_input({"alg": "ES256", "kid": "ec-1"})
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    length = 32
    for r, s in ((0, 0), (0, 1), (1, 0), (order, order), (1, order), (order, 1)):
        signature = r.to_bytes(length, "big") + s.to_bytes(length, "big")
        assert refusal(f"{text}.{encode(signature)}") == "wrong_signature"


def test_a_signature_has_the_form_of_its_algorithm() -> None:
    text = signing_input({"alg": "ES256", "kid": "ec-1"})
    raw = sign_es256(text, MAKER.ec_private)
    der = MAKER.ec_private.sign(text.encode(), ec.ECDSA(SHA256()))
    for signature in (der, b"\0" + raw, raw + b"\0", raw[:-1], raw[:32], b""):
        assert refusal(f"{text}.{encode(signature)}") == "wrong_signature"
    text = signing_input({"alg": "RS256"})
    raw = sign_rs256(text, MAKER.rsa_private)
    for signature in (b"\0" + raw, raw + b"\0", raw[:-1], b"\0" * 256, b"\1" * 256, b""):
        assert refusal(f"{text}.{encode(signature)}") == "wrong_signature"


def test_a_token_has_three_parts_and_nothing_around_them() -> None:
    token = MAKER.token()
    header, payload, signature = token.split(".")
    for broken in (
        "",
        ".",
        "..",
        "...",
        header,
        f"{header}.{payload}",
        f"{header}.{payload}.",
        f"{token}.",
        f".{token}",
        f"{token}.{signature}",
        f"{header}.{payload}.{payload}.{signature}",
        f"{token}.e30.e30",
        f" {token}",
        f"{token} ",
        f"{token}\n",
        f"{header}.{payload}\n.{signature}",
        f"{header} .{payload}.{signature}",
        f"{header}=.{payload}.{signature}",
        f"{header}.{payload}.{signature}==",
        token.replace(".", "\u2024"),
        token + "\0",
        token[: len(token) // 2],
        token[:-5],
        token + "A",
        token + "AAAA",
        token.swapcase(),
        f"{payload}.{header}.{signature}",
        f"{header}.{header}.{signature}",
        f"..{signature}",
        f"{header}..{signature}",
        "\ud800.\ud800.\ud800",
        "\uff4530.e30.e30",
    ):
        assert refusal(broken) in {"malformed", "wrong_signature", "wrong_algorithm", "wrong_issuer"}, broken


def test_the_standard_alphabet_and_spare_bits_are_other_spellings() -> None:
    header, payload, signature = MAKER.token("ES256").split(".")
    assert refusal(f"{header}.{payload}.{signature.translate(str.maketrans('-_', '+/'))}=") == "malformed"
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = alphabet[alphabet.index(signature[-1]) + 1]
    # 64 bytes leave four bits over in the last character: another one there decodes to the same bytes.
    assert refusal(f"{header}.{payload}.{signature[:-1]}{spare}") == "malformed"


def test_a_token_is_not_longer_than_any_honest_one() -> None:
    assert refusal(MAKER.token(more="x" * 8192)) == "too_long"
    assert refusal("." * 1_000_000) == "too_long"


@pytest.mark.parametrize(
    "payload",
    [
        '{"sub":"subject-1","sub":"subject-2",%s}',
        '{"aud":"almanac","aud":"almanac",%s}',
        '{"a":{"b":1,"b":2},%s}',
        '{"\\u0073ub":"subject-2",%s}',
        '{"x":NaN,%s}',
        '{"x":Infinity,%s}',
        "[%s]",
        "{%s",
        "{%s}{}",
        "{%s,}",
        "{'sub':'subject-1'}%s",
        "\ufeff{%s}",
        "%s",
    ],
)
def test_claims_are_read_in_one_way_or_not_at_all(payload: str) -> None:
    members = json.dumps(MAKER.claims())[1:-1]
    assert refusal(MAKER.signed(payload.replace("%s", members))) == "malformed"


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"none","alg":"RS256","kid":"rsa-1"}',
        '{"alg":"RS256","kid":"rsa-1","kid":"rsa-1"}',
        '{"alg":"RS256","kid":"rsa-1",}',
        '["RS256"]',
        '"RS256"',
        "null",
        "",
    ],
)
def test_a_header_is_read_in_one_way_or_not_at_all(header: str) -> None:
    assert refusal(MAKER.signed(json.dumps(MAKER.claims()), header=header)) == "malformed"


def test_text_that_is_no_utf_8_is_refused() -> None:
    payload = json.dumps(MAKER.claims()).encode()
    assert refusal(MAKER.signed(payload.replace(b"subject-1", b"subject-\xff"))) == "malformed"
    assert refusal(MAKER.signed(payload.decode().encode("utf-16"))) == "malformed"


def test_endless_nesting_is_refused() -> None:
    assert refusal(MAKER.signed("[" * 5000)) == "malformed"
    assert refusal(MAKER.signed('{"a":' * 1000)) == "malformed"
    assert refusal(MAKER.signed('{"x":' + "9" * 5000 + "}")) == "malformed"


def test_a_token_within_a_token_is_refused() -> None:
    inner = MAKER.token()
    assert refusal(MAKER.signed(inner)) == "malformed"
    assert refusal(MAKER.signed(json.dumps(inner))) == "malformed"
    assert refusal(MAKER.token(header={"cty": "JWT"})) == "header_refused"


@pytest.mark.parametrize("kind", ["at+jwt", "application/at+jwt", "jwt", "JWT"])
def test_an_access_token_may_say_that_it_is_one(kind: str) -> None:
    assert verifier().verify(MAKER.token(header={"typ": kind}), NOW).subject == "subject-1"


@pytest.mark.parametrize("kind", ["secevent+jwt", "logout+jwt", "dpop+jwt", "JOSE", "", None, 1, ["JWT"]])
def test_a_token_made_for_something_else_is_refused(kind: Any) -> None:
    assert refusal(MAKER.token(header={"typ": kind})) == "wrong_type"


@pytest.mark.parametrize(
    "issuer",
    [
        "https://issuer.example.org/pool/",
        "https://issuer.example.org/Pool",
        "https://issuer.example.org",
        "https://issuer.example.org/pool2",
        "https://issuer.example.org.attacker.example.org/pool",
        "http://issuer.example.org/pool",
        ["https://issuer.example.org/pool"],
        {"iss": ISSUER},
        1,
        "",
        None,
    ],
)
def test_an_issuer_is_its_exact_name(issuer: Any) -> None:
    assert refusal(MAKER.token(iss=issuer)) == "wrong_issuer"


def test_a_token_of_one_issuer_is_none_of_another() -> None:
    other = Maker("https://other.example.org", rsa_private=rsa_key(which=1))
    documents = {ISSUER: MAKER.document(), other.issuer: other.document()}
    tokens = WebTokens(
        {ISSUER: MAKER.configuration(), other.issuer: other.configuration()}, lambda issuer: documents[issuer.issuer]
    )
    assert tokens.verify(other.token(), NOW).issuer == other.issuer
    with pytest.raises(TokenRefused, match="wrong_signature"):
        tokens.verify(other.token(iss=ISSUER), NOW)
    with pytest.raises(TokenRefused, match="wrong_signature"):
        tokens.verify(MAKER.token(iss=other.issuer), NOW)


@pytest.mark.parametrize(
    "audience",
    [
        "other",
        "almanac ",
        "ALMANAC",
        "almana",
        "",
        None,
        1,
        [],
        ["other"],
        [["almanac"]],
        {"almanac": 1},
        ["almanac", 1],
    ],
)
def test_a_token_for_another_audience_is_refused(audience: Any) -> None:
    assert refusal(MAKER.token(aud=audience)) == "wrong_audience"


def test_one_audience_of_several_is_enough() -> None:
    assert verifier().verify(MAKER.token(aud=["other", "almanac"]), NOW).subject == "subject-1"


def test_a_token_of_a_client_that_is_not_ours_is_refused_where_clients_are_named() -> None:
    clients = frozenset({"web", "cli"})
    assert verifier(clients=clients).verify(MAKER.token(azp="cli"), NOW).subject == "subject-1"
    for client in ("other", None, ["cli"], {"azp": "cli"}, ""):
        assert refusal(MAKER.token(azp=client), clients=clients) == "wrong_client"


def test_an_id_token_is_no_access_token() -> None:
    pool = verifier(required={"token_use": "access"}, claims=ClaimNames(audience="client_id"))
    access: dict[str, Any] = {"aud": None, "client_id": "almanac", "token_use": "access"}
    assert pool.verify(made(access), NOW).subject == "subject-1"
    for changed in ({"token_use": "id"}, {"token_use": None}, {"token_use": ["access"]}, {"token_use": True}):
        with pytest.raises(TokenRefused, match="wrong_kind"):
            pool.verify(made({**access, **changed}), NOW)
    with pytest.raises(TokenRefused, match="wrong_audience"):
        pool.verify(MAKER.token(token_use="id"), NOW)
    with pytest.raises(TokenRefused, match="wrong_audience"):
        pool.verify(made({**access, "client_id": "another client of the pool"}), NOW)


def test_a_required_value_is_compared_with_its_kind() -> None:
    for value in (1, "true", None, [True]):
        assert refusal(MAKER.token(ok=value), required={"ok": True}) == "wrong_kind"


@pytest.mark.parametrize("name", ["exp", "iat"])
@pytest.mark.parametrize(
    "value", [None, "1800000900", 1800000900.5, 1e300, 10**400, -1, 1 << 60, True, [1800000900], {"exp": 1800000900}]
)
def test_a_time_is_a_whole_number_of_seconds(name: str, value: Any) -> None:
    assert refusal(made({name: value})) == "wrong_time"


@pytest.mark.parametrize("value", ["1800000000", 1.5, -1, True, [1]])
def test_a_not_before_that_is_no_time_is_refused(value: Any) -> None:
    assert refusal(MAKER.token(nbf=value)) == "wrong_time"


def test_clocks_may_differ_by_thirty_seconds_and_no_more() -> None:
    now = int(NOW)
    for name, time in (("exp", now - 29), ("iat", now + 30), ("nbf", now + 30), ("exp", now + 1)):
        assert verifier().verify(made({name: time}), NOW).subject == "subject-1"
    assert refusal(MAKER.token(exp=now - 30)) == "expired"
    assert refusal(MAKER.token(exp=0, iat=0)) == "expired"
    assert refusal(MAKER.token(iat=now + 31)) == "not_yet_valid"
    assert refusal(MAKER.token(nbf=now + 31)) == "not_yet_valid"


def test_a_token_does_not_live_longer_than_its_issuer_may_let_it() -> None:
    now = int(NOW)
    assert refusal(MAKER.token(iat=now, exp=now + 24 * 3600 + 1)) == "lives_too_long"
    assert refusal(MAKER.token(iat=now, exp=now + 901), max_lifetime=900) == "lives_too_long"
    assert refusal(MAKER.token(iat=now + 10, exp=now + 10)) == "lives_too_long"
    assert verifier(max_lifetime=900).verify(MAKER.token(iat=now, exp=now + 900), NOW).expires_at == now + 900


@pytest.mark.parametrize("subject", [None, "", 1, ["subject-1"], {"sub": "subject-1"}, True, "x" * 256])
def test_a_token_speaks_of_somebody(subject: Any) -> None:
    assert refusal(MAKER.token(sub=subject)) == "no_subject"


@pytest.mark.parametrize("session", ["", "a b", "a\nb", "x" * 257, 7, ["session-1"], {"ended": False}])
def test_a_session_that_cannot_be_looked_up_is_refused(session: Any) -> None:
    assert refusal(MAKER.token(sid=session)) == "no_session"
    assert refusal(MAKER.token(origin_jti=session)) == "no_session"


def test_the_session_is_the_pools_before_the_tokens_own() -> None:
    assert verifier().verify(MAKER.token(origin_jti="a", jti="b"), NOW).session_id == "a"
    assert verifier().verify(MAKER.token(sid=None, jti="b"), NOW).session_id == "b"
    assert verifier().verify(MAKER.token(sid=None), NOW).session_id == ""


def test_a_session_that_the_operator_counts_on_is_needed() -> None:
    assert refusal(MAKER.token(), claims=ClaimNames(session="origin_jti")) == "no_session"


def test_only_a_verified_address_counts() -> None:
    def email(**claims: Any) -> str:
        return verifier().verify(MAKER.token(**claims), NOW).email

    assert email(email="Ann@Example.org", email_verified=True) == "ann@example.org"
    assert email(email="ann@example.org", email_verified="true") == "ann@example.org"
    for verified in (None, False, "false", 1, "True", ["true"]):
        assert email(email="ann@example.org", email_verified=verified) == ""
    for address in (
        "ann",
        "ann@",
        "@example.org",
        "a b@example.org",
        "a@b@c",
        "a@b\n",
        ["a@b.c"],
        1,
        "x" * 300 + "@a.b",
    ):
        assert email(email=address, email_verified=True) == ""
