import pytest
from hypothesis import given
from hypothesis import strategies as st

from search.asking.spans import MAX_SPAN, Form, locate, normalized, plain, spans

MARKDOWN = """# Sessions

A session lasts twelve hours, i.e. half a day. It ends earlier
when the user signs out (see `logout()`). Dr. Who agrees.

- the first item
- the second item, which
  goes on

| setting | default |
|---|---|
| `timeout` | 30 s |

```sh
almanac up
almanac status
```

Done."""
PYTHON = '''import os


class Parser:
    """Reads requests. Never blocks."""

    async def parse(
        self, line: bytes
    ) -> Header:
        # Split at the first colon. A header
        # without one is refused.
        return split(line)
'''


def texts(text: str, **how: object) -> list[str]:
    given = {"code": False, "language": None, **how}
    return [plain(text[span.start : span.end], span.form) for span in spans(text, **given)]  # type: ignore[arg-type]


def test_prose_is_taken_apart_into_sentences_items_rows_and_commands() -> None:
    assert texts(MARKDOWN) == [
        "A session lasts twelve hours, i.e. half a day.",
        "It ends earlier when the user signs out (see `logout()`).",
        "Dr. Who agrees.",
        "the first item",
        "the second item, which goes on",
        "setting · default",
        "`timeout` · 30 s",
        "almanac up",
        "almanac status",
        "Done.",
    ]


def test_code_gives_its_docstrings_signatures_comments_and_lines_but_no_imports() -> None:
    assert texts(PYTHON, code=True, language="python") == [
        "class Parser:",
        "Reads requests.",
        "Never blocks.",
        "async def parse( self, line: bytes ) -> Header:",
        "Split at the first colon.",
        "A header without one is refused.",
        "return split(line)",
    ]


def test_other_languages_comments_are_read_alike() -> None:
    source = "/* Opens a file.\n * Closes it later. */\nfn open(path: &str) -> File {\n    // Never fails.\n}\n"
    assert texts(source, code=True, language="rust") == [
        "Opens a file.",
        "Closes it later.",
        "fn open(path: &str) -> File {",
        "Never fails.",
    ]


def test_russian_and_chinese_sentences_end_where_theirs_end() -> None:
    assert texts("Сессия длится 12 ч. и т.д. в течение дня. Потом она кончается!") == [
        "Сессия длится 12 ч. и т.д. в течение дня.",
        "Потом она кончается!",
    ]
    assert texts("会话持续十二个小时。然后结束了。") == ["会话持续十二个小时。", "然后结束了。"]


def test_settings_are_lines() -> None:
    assert texts("timeout: 30\n# In seconds.\nretries: 5\n", code=True, language="yaml") == [
        "timeout: 30",
        "In seconds.",
        "retries: 5",
    ]


@given(st.text(alphabet="ab .!?\n#*-|`\"'/:д。\t", max_size=400), st.booleans())
def test_spans_of_any_text_lie_in_it_in_order_and_short(text: str, code: bool) -> None:
    end = 0
    for span in spans(text, code=code, language="python" if code else None):
        assert end <= span.start < span.end <= len(text)
        assert span.end - span.start <= 2 * MAX_SPAN
        assert locate(text[span.start : span.end], text) is not None
        end = span.end


def test_a_very_long_sentence_is_cut_where_it_may_be() -> None:
    found = spans("word, " * 300, code=False)
    assert all(span.end - span.start <= MAX_SPAN for span in found)
    assert len(found) > 3


def test_a_quote_is_found_whatever_its_blank_space() -> None:
    text = "one  two\n\tthree. four"
    assert locate("two three.", text) == (5, 16)
    assert locate(" one two ", text) == (0, 8)
    assert locate("two four", text) is None
    assert locate("  ", text) is None
    assert normalized(text) == "one two three. four"


@pytest.mark.parametrize("quote", ["(", "[a", "a+", "\\"])
def test_a_quote_is_no_pattern(quote: str) -> None:
    assert locate(quote, f"x {quote} y") == (2, 2 + len(quote))
    assert locate(quote, "aaa") is None


def test_code_is_shown_as_it_is_written() -> None:
    assert plain("  # not a comment", Form.LINE) == "# not a comment"
    assert plain("> - quoted", Form.SENTENCE) == "quoted"
