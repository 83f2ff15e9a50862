"""API keys as text."""

import re
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from almanac.ids import new_id
from identity import tokens

TENANT = "ten_01k9zq3v7m8x2c4b6n0d1f5g7h"


def test_a_key_names_its_tenant_and_has_the_documented_form() -> None:
    key = tokens.create(TENANT)
    assert re.fullmatch(r"alm_01k9zq3v7m8x2c4b6n0d1f5g7h_[0-9A-Za-z]{43}[0-9A-Za-z]{6}", key)
    assert tokens.parse(key) == tokens.Claim(TENANT, tokens.digest(key))


def test_the_checksum_is_the_crc_32_of_the_rest_in_base62() -> None:
    body = "alm_01k9zq3v7m8x2c4b6n0d1f5g7h_" + "A" * 43
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    checksum = "".join(digits[crc32(body.encode()) // 62**place % 62] for place in range(5, -1, -1))
    assert tokens.parse(body + checksum) is not None


def test_no_two_keys_are_alike() -> None:
    assert len({tokens.create(TENANT) for _ in range(500)}) == 500


@given(position=st.integers(0, 79), replacement=st.characters())
def test_a_key_with_one_character_changed_is_refused(position: int, replacement: str) -> None:
    key = tokens.create(new_id("ten"))
    assert len(key) == 80
    changed = key[:position] + replacement + key[position + 1 :]
    assert (tokens.parse(changed) is None) == (changed != key)


@given(st.text())
def test_a_text_that_is_no_key_is_refused(text: str) -> None:
    assert tokens.parse(text) is None
    assert tokens.parse(f"alm_{text}") is None


def test_a_truncated_or_extended_key_is_refused() -> None:
    key = tokens.create(TENANT)
    assert tokens.parse(key[:-1]) is None
    assert tokens.parse(key + "0") is None
    assert tokens.parse(key + "\n") is None
