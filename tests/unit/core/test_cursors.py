"""Cursors: opaque, and good for one tenant and one query only."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.web.pagination import Cursors, InvalidCursor

CURSORS = Cursors(b"0" * 32)
POSITIONS = st.dictionaries(st.text(), st.text() | st.integers() | st.none(), max_size=4)


@given(query=st.text(), position=POSITIONS)
def test_a_cursor_gives_its_position_back(query: str, position: dict[str, object]) -> None:
    assert CURSORS.decode(query, CURSORS.encode(query, position)) == position


@given(queries=st.lists(st.text(), min_size=2, max_size=2, unique=True), position=POSITIONS)
def test_a_cursor_of_another_query_is_refused(queries: list[str], position: dict[str, object]) -> None:
    with pytest.raises(InvalidCursor):
        CURSORS.decode(queries[0], CURSORS.encode(queries[1], position))


@given(position=POSITIONS)
def test_a_cursor_of_another_tenant_is_refused(position: dict[str, object]) -> None:
    with pytest.raises(InvalidCursor):
        CURSORS.decode("list", Cursors(b"1" * 32).encode("list", position))


@given(position=POSITIONS, at=st.integers(0, 1000), bit=st.integers(0, 7))
def test_a_cursor_with_one_bit_changed_is_refused(position: dict[str, object], at: int, bit: int) -> None:
    token = CURSORS.encode("list", position)
    raw = bytearray(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    raw[at % len(raw)] ^= 1 << bit
    with pytest.raises(InvalidCursor):
        CURSORS.decode("list", base64.urlsafe_b64encode(bytes(raw)).decode().rstrip("="))


@given(token=st.text())
def test_a_text_that_is_no_cursor_is_refused(token: str) -> None:
    with pytest.raises(InvalidCursor) as refused:
        CURSORS.decode("list", token)
    assert (refused.value.status, refused.value.field) == (400, "query.cursor")
