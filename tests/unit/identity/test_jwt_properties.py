"""Whatever is changed about a good token, it is refused."""

import json
from functools import cache

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from identity.tokens.errors import TokenRefused
from identity.tokens.web_tokens import WebTokens
from tests.support.tokens import ISSUER, NOW, Maker, encode

MAKER = Maker()
DOCUMENT = MAKER.document()
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ \n\0é"

algorithms = st.sampled_from(["RS256", "ES256"])


@cache
def good(algorithm: str) -> str:
    return MAKER.token(algorithm)


@cache
def verifier() -> WebTokens:
    return WebTokens({ISSUER: MAKER.configuration()}, lambda _: DOCUMENT)


def assert_refused(token: str) -> None:
    with pytest.raises(TokenRefused):
        verifier().verify(token, NOW)


@given(algorithms, st.data())
def test_another_character_anywhere_is_refused(algorithm: str, data: st.DataObject) -> None:
    token = good(algorithm)
    position = data.draw(st.integers(0, len(token) - 1))
    character = data.draw(st.sampled_from(ALPHABET))
    assume(token[position] != character)
    assert_refused(token[:position] + character + token[position + 1 :])


@given(algorithms, st.data())
def test_a_character_more_or_less_is_refused(algorithm: str, data: st.DataObject) -> None:
    token = good(algorithm)
    position = data.draw(st.integers(0, len(token)))
    assert_refused(token[:position] + data.draw(st.sampled_from(ALPHABET)) + token[position:])
    assume(position < len(token))
    assert_refused(token[:position] + token[position + 1 :])


@given(algorithms, st.data())
def test_parts_in_another_order_are_refused(algorithm: str, data: st.DataObject) -> None:
    parts = good(algorithm).split(".")
    order = data.draw(st.lists(st.integers(0, 2), max_size=5))
    assume(order != [0, 1, 2])
    assert_refused(".".join(parts[place] for place in order))


@given(
    algorithms, st.dictionaries(st.sampled_from(["sub", "aud", "exp", "iat", "iss", "x"]), st.text() | st.integers())
)
def test_other_claims_under_the_same_signature_are_refused(algorithm: str, claims: dict[str, object]) -> None:
    header, payload, signature = good(algorithm).split(".")
    changed = encode(json.dumps({**MAKER.claims(), **claims}).encode())
    assume(changed != payload)
    assert_refused(f"{header}.{changed}.{signature}")


@given(algorithms, st.binary(max_size=300))
def test_a_made_up_signature_is_refused(algorithm: str, signature: bytes) -> None:
    header, payload, _ = good(algorithm).split(".")
    assert_refused(f"{header}.{payload}.{encode(signature)}")


@given(st.text(max_size=200) | st.text("ABCabc012-_.", max_size=200) | st.binary(max_size=200).map(encode))
def test_no_text_at_all_is_more_than_a_refusal(token: str) -> None:
    assert_refused(token)
