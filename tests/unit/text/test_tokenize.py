import argparse
import inspect
import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.text.tokenize import MAX_TERM, Token, analyze, occurrences, terms, whole_words

anything = st.text(st.characters(exclude_categories=()))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parseHTTPHeader", {"parsehttpheader", "pars", "http", "header"}),
        ("parse_http_header", {"parsehttpheader", "pars", "http", "header"}),
        ("__init__", {"init"}),
        ("utf8", {"utf8", "utf", "8"}),
        ("HTTP2Server", {"http2server", "http", "2", "server"}),
        ("userIDs", {"userids", "user", "id"}),
        ("src/almanac/ids.py", {"src", "almanac", "id", "py"}),
        ("Retries retry retrying", {"retri"}),
        ("машинами Машина", {"машин"}),
        ("ёлка елка", {"елк"}),
        ("straße STRASSE", {"strass"}),
        ("\uff28\uff34\uff34\uff30", {"http"}),
        ("cafe\u0301 café", {"café"}),
        ("हिन्दी", {"हिन्दी"}),
        ("使用HTTP协议吗", {"使用", "http", "协议", "议吗"}),
        ("水", {"水"}),
        ("___ -- \0 \x1b \ud800", set()),
    ],
)
def test_a_text_has_exactly_these_terms(text: str, expected: set[str]) -> None:
    assert set(terms(text)) == expected


def test_a_query_in_words_finds_the_identifier() -> None:
    assert set(terms("parse header")) <= set(terms("def parseHTTPHeader(self):"))


def test_the_parts_of_an_identifier_point_at_their_own_letters() -> None:
    assert analyze("x = maxRetryCount") == [
        Token("x", 0, 1),
        Token("maxretrycount", 4, 17),
        Token("max", 4, 7),
        Token("retri", 7, 12),
        Token("count", 12, 17),
    ]


@given(anything)
def test_every_string_has_tokens_that_lie_inside_it_in_order(text: str) -> None:
    tokens = analyze(text)
    assert all(0 <= token.start < token.end <= len(text) for token in tokens)
    assert [token.start for token in tokens] == sorted(token.start for token in tokens)
    assert all(0 < len(token.term) <= 2 * MAX_TERM for token in tokens)


@given(anything)
def test_terms_are_the_tokens_without_their_places(text: str) -> None:
    assert terms(text) == [token.term for token in analyze(text)]


@given(anything, anything)
def test_a_line_break_separates_what_it_stands_between(left: str, right: str) -> None:
    assert terms(f"{left}\n{right}") == terms(left) + terms(right)


@given(st.from_regex(r"[a-z]{1,20}", fullmatch=True))
def test_case_does_not_matter_to_a_word(word: str) -> None:
    assert terms(word) == terms(word.upper()) == terms(word.capitalize())


def test_a_word_of_a_megabyte_gives_one_term() -> None:
    (token,) = analyze("a" * 1_000_000)
    assert token == Token("a" * MAX_TERM, 0, 1_000_000)


WORDS = "dying lying tie skies ugly early a_b __x A_bc x2 parseHTTPHeader user_IDs Retries yes retrying 10 ёлка"


@given(st.lists(st.sampled_from(WORDS.split()) | st.text("aAbBsS_1 ", max_size=8), max_size=8), st.data())
def test_occurrences_are_the_wanted_tokens_of_the_analysis(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    known = [*terms(text), "die", "b", "zz"]
    wanted = data.draw(st.frozensets(st.sampled_from(known), max_size=4))
    assert occurrences(text, wanted) == [token for token in analyze(text) if token.term in wanted]


def test_real_words_occur_where_their_terms_are() -> None:
    text = inspect.getsource(textwrap) + (inspect.getdoc(argparse) or "")
    tokens = analyze(text)
    for term in sorted({token.term for token in tokens})[::3]:
        assert occurrences(text, {term}) == [token for token in tokens if token.term == term]


def test_a_whole_word_is_one_term_whatever_its_parts() -> None:
    assert whole_words("the parseHTTPHeader, user_IDs") == ["the", "parsehttpheader", "userids"]
