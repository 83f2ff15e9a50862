"""Identifiers: well-formed, ordered by time, and never alike."""

import re

from hypothesis import given
from hypothesis import strategies as st

from almanac.ids import id_pattern, is_id, new_id, new_ulid

LAST_MILLISECOND = 2**48 - 1


@given(st.integers(0, LAST_MILLISECOND), st.integers(0, LAST_MILLISECOND))
def test_ids_sort_by_the_time_they_were_made(one: int, other: int) -> None:
    earlier, later = sorted((one, other))
    if earlier < later:
        assert new_ulid(earlier) < new_ulid(later)


@given(st.integers(0, LAST_MILLISECOND))
def test_the_first_ten_characters_are_the_time(at: int) -> None:
    digits = "0123456789abcdefghjkmnpqrstvwxyz"
    ulid = new_ulid(at)
    assert sum(digits.index(character) << 5 * place for place, character in enumerate(reversed(ulid[:10]))) == at


def test_ten_thousand_ids_of_one_millisecond_differ() -> None:
    assert len({new_ulid(1) for _ in range(10_000)}) == 10_000


def test_an_id_is_one_of_its_own_kind_only() -> None:
    project = new_id("prj")
    assert is_id(project, "prj")
    assert not is_id(project, "rep")
    assert re.fullmatch(id_pattern("prj"), project)


@given(st.text())
def test_a_text_that_is_no_id_is_not_taken_for_one(text: str) -> None:
    assert not is_id(text, "prj")
    assert not is_id(f"prj_{text}", "prj") or re.fullmatch(id_pattern("prj"), f"prj_{text}")
