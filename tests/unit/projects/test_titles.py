"""The title of a message is its first line that says something."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projects.batches import title_of


@pytest.mark.parametrize(
    ("content", "title"),
    [
        ("Hello", "Hello"),
        ("\n\n  Hello   there \nmore", "Hello there"),
        (" \t\n", "Message"),
        ("word " * 50, "word " * 22 + "word…"),
        ("x" * 200, "x" * 119 + "…"),
    ],
)
def test_the_first_line_with_words_is_the_title(content: str, title: str) -> None:
    assert title_of(content) == title


@given(st.text())
def test_a_title_is_one_short_line_with_something_in_it(content: str) -> None:
    title = title_of(content)
    assert 1 <= len(title) <= 120
    assert len(title.splitlines()) == 1
