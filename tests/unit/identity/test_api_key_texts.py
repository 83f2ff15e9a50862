"""API keys as text."""

import re
from zlib import crc32

from hypothesis import given
from hypothesis import strategies as st

from almanac.ids import new_id
from identity.tokens import api_keys

TENANT = "ten_01k9zq3v7m8x2c4b6n0d1f5g7h"


def test_a_key_names_its_tenant_and_has_the_documented_form() -> None:
    key = api_keys.create(TENANT)
    assert re.fullmatch(r"alm_01k9zq3v7m8x2c4b6n0d1f5g7h_[0-9A-Za-z]{43}[0-9A-Za-z]{6}", key)
    assert api_keys.parse(key) == api_keys.Claim(TENANT, api_keys.digest(key))


def test_the_checksum_is_the_crc_32_of_the_rest_in_base62() -> None:
    body = "alm_01k9zq3v7m8x2c4b6n0d1f5g7h_" + "A" * 43
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    checksum = "".join(digits[crc32(body.encode()) // 62**place % 62] for place in range(5, -1, -1))
    assert api_keys.parse(body + checksum) is not None


def test_no_two_keys_are_alike() -> None:
    assert len({api_keys.create(TENANT) for _ in range(500)}) == 500


@given(position=st.integers(0, 79), replacement=st.characters())
def test_a_key_with_one_character_changed_is_refused(position: int, replacement: str) -> None:
    key = api_keys.create(new_id("ten"))
    assert len(key) == 80
    changed = key[:position] + replacement + key[position + 1 :]
    assert (api_keys.parse(changed) is None) == (changed != key)


@given(st.text())
def test_a_text_that_is_no_key_is_refused(text: str) -> None:
    assert api_keys.parse(text) is None
    assert api_keys.parse(f"alm_{text}") is None


def test_a_truncated_or_extended_key_is_refused() -> None:
    key = api_keys.create(TENANT)
    assert api_keys.parse(key[:-1]) is None
    assert api_keys.parse(key + "0") is None
    assert api_keys.parse(key + "\n") is None
