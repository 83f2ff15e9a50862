"""Excerpts: slices of the chunk around what was found, with exact offsets."""

from hypothesis import given
from hypothesis import strategies as st

from almanac.index.highlight import CODE_LENGTH, PROSE_LENGTH, excerpt
from almanac.text.tokenize import terms


def weights(query: str) -> dict[str, float]:
    return dict.fromkeys(terms(query), 1.0)


def shown(text: str, query: str, *, code: bool = False) -> list[str]:
    made = excerpt(text, weights(query), code=code)
    return [made.text[start:end] for start, end in made.highlights]


def test_what_was_asked_is_highlighted_in_any_form() -> None:
    assert shown("It parses HTTP headers.", "parse header") == ["parses", "headers"]
    assert shown("def parseHTTPHeader(x):", "parse header", code=True) == ["parse", "Header"]
    assert shown("Дата заголовков 🎉 header", "заголовки header") == ["заголовков", "header"]


def test_an_identifier_and_its_parts_are_one_highlight() -> None:
    assert shown("call parse_http_header now", "parse_http_header") == ["parse_http_header"]


def test_words_that_tell_little_are_not_highlighted() -> None:
    made = excerpt("the header of the request", {"the": 0.1, "header": 3.0, "request": 2.0})
    assert [made.text[start:end] for start, end in made.highlights] == ["header", "request"]


def test_the_window_shows_most_of_the_query_and_begins_at_a_word() -> None:
    text = "header " + "filler word " * 100 + "the header is parsed here " + "other words " * 100
    made = excerpt(text, weights("parse header"))
    assert "header is parsed" in made.text
    assert len(made.text) <= PROSE_LENGTH
    assert made.text.split()[0] in {"filler", "word", "the"}


def test_code_begins_at_a_line_and_tells_which() -> None:
    lines = [f"    value_{number} = compute({number})" for number in range(100)]
    lines[60] = "    header = parse_header(raw)"
    made = excerpt("\n".join(lines), weights("parse_header"), code=True)
    assert made.text.split("\n") == lines[made.first_line : made.last_line + 1]
    assert made.first_line <= 60 <= made.last_line


def test_a_chunk_without_the_query_shows_its_beginning() -> None:
    made = excerpt("first words " * 100, weights("absent"))
    assert made.text.startswith("first words")
    assert (made.highlights, made.first_line) == ([], 0)


@given(st.text("ab \n", max_size=3000), st.sampled_from(["a", "ab", "bbb", "a b"]), st.booleans())
def test_highlights_are_apart_in_order_and_inside(text: str, query: str, code: bool) -> None:
    made = excerpt(text, weights(query), code=code)
    assert made.text in text
    assert len(made.text) <= (CODE_LENGTH if code else PROSE_LENGTH) or len(text) <= CODE_LENGTH
    places = [place for span in made.highlights for place in span]
    assert places == sorted(set(places))
    assert all(0 <= place <= len(made.text) for place in places)
    lines = text.split("\n")
    assert made.text.split("\n")[0] in lines[made.first_line]
    assert 0 <= made.first_line <= made.last_line < len(lines)
