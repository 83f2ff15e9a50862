"""Refresh tokens: what they say, what is derived, and that nothing near one is one."""

from hypothesis import assume, given
from hypothesis import strategies as st

from almanac.ids import person_id
from identity.tokens import refresh

PERSON = person_id("https://issuer.test", "ada")
SESSION = "5c3f2b0e-7c0b-4f0e-9d7a-2f1c8b6a4e90"


def test_a_token_says_whose_it_is_and_of_which_session() -> None:
    token = refresh.first(PERSON, SESSION)
    claim = refresh.parse(token)
    assert claim is not None
    assert (claim.person_id, claim.session_id) == (PERSON, SESSION)
    assert (claim.sha256, claim.family_sha256) == (refresh.digest(token), refresh.family_digest(token))


@given(st.binary(min_size=32, max_size=32))
def test_the_next_token_is_of_the_same_family_and_always_the_same(key: bytes) -> None:
    token = refresh.first(PERSON, SESSION)
    following = refresh.following(token, key)
    assert following == refresh.following(token, key) != token
    before, after = refresh.parse(token), refresh.parse(following)
    assert before is not None
    assert after is not None
    assert after.family_sha256 == before.family_sha256
    assert after.sha256 != before.sha256


@given(st.lists(st.binary(min_size=32, max_size=32), min_size=2, max_size=2, unique=True))
def test_who_lacks_the_key_cannot_tell_the_next_token(keys: list[bytes]) -> None:
    token = refresh.first(PERSON, SESSION)
    assert refresh.following(token, keys[0]) != refresh.following(token, keys[1])


def test_two_sessions_have_different_families() -> None:
    families = {refresh.family_digest(refresh.first(PERSON, SESSION)) for _ in range(50)}
    assert len(families) == 50


@given(position=st.integers(min_value=0), character=st.characters(codec="utf-8"))
def test_a_token_with_one_other_character_is_none(position: int, character: str) -> None:
    token = refresh.first(PERSON, SESSION)
    position %= len(token)
    assume(token[position] != character)
    assert refresh.parse(token[:position] + character + token[position + 1 :]) is None


@given(st.text(max_size=200))
def test_what_is_no_token_says_nothing(text: str) -> None:
    assert refresh.parse(text) is None
