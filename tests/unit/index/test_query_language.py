"""The query language: text stays text, fields narrow, and what means nothing is an error that points at itself."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from almanac.index.filters import Filters
from almanac.index.query_errors import QuerySyntaxError
from almanac.index.query_language import MOST_VALUES, ParsedQuery, parse, quote
from almanac.index.sources import Kind
from almanac.text.tokenize import whole_words

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROJECT = "prj_01k9zq3v7m8x2c4b6n0d1f5g7h"

SYNTAX = st.sampled_from(
    [
        '"',
        "-",
        ":",
        ",",
        " ",
        "\\",
        "path:",
        "-lang:",
        "kind:code",
        "since:7d",
        'author:"',
        "[z-a]",
        "word",
        "\u3000",
        "é",
        "👩‍👩‍👧",
    ]
)
queries = st.text() | st.lists(SYNTAX | st.text(max_size=4), max_size=12).map("".join)


def read(text: str) -> ParsedQuery:
    return parse(text, NOW)


def refusal(text: str) -> QuerySyntaxError:
    with pytest.raises(QuerySyntaxError) as caught:
        read(text)
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "where are HTTP headers parsed",
        "TypeError: x",
        "TypeError: 'NoneType' object is not subscriptable",
        "std::vector<int>",
        "path::join kind::Ord",
        "http://example.org/a?b=c",
        "https://example.org:8080",
        r"C:\x\y.txt",
        "key: value",
        "foo:bar",
        "localhost:8080",
        "12:30:59",
        "a->b x -> y",
        "git push --force",
        "-> -= -) --",
        'print("hello',
        "it's",
        "don't stop :",
        ":path",
        "well-known x-path:1",
        "a,b,c",
        "?!",
    ],
)
def test_what_could_be_text_is_text(text: str) -> None:
    assert read(text) == ParsedQuery(text)


def test_phrases_are_searched_for_and_must_occur() -> None:
    assert read('retry "exponential  backoff" delay') == ParsedQuery(
        "retry exponential  backoff delay", ("exponential  backoff",)
    )
    assert read(r'"say \"hi\" to C:\\x or \d"').phrases == (r'say "hi" to C:\x or \d',)


def test_a_quoted_field_is_text() -> None:
    assert read('"path:src" "-lang:go"') == ParsedQuery("path:src -lang:go", ("path:src", "-lang:go"))


def test_what_follows_a_phrase_without_a_space_is_text() -> None:
    assert read('"well"-known "a"path:x') == ParsedQuery("well -known a path:x", ("well", "a"))


def test_exclusions_are_left_out_of_the_text() -> None:
    assert read('queue -kafka -"dead letter" -foo.bar -lorem:ipsum -.env') == ParsedQuery(
        "queue", without=("kafka", "dead letter", "foo.bar", "lorem:ipsum", ".env")
    )


def test_fields_narrow_and_any_of_a_fields_values_will_do() -> None:
    found = read(
        'parse path:src/**/*.py path:lib/,"my dir/" lang:python,Go author:"Ada Lovelace",bob KIND:Code '
        f"project:{PROJECT} since:7d until:2026-02-28T12:00:00Z"
    )
    assert found.text == "parse"
    assert found.filters == Filters(
        projects=frozenset({PROJECT}),
        kinds=frozenset({Kind.CODE}),
        languages=frozenset({"python", "go"}),
        paths=("src/**/*.py", "lib/", "my dir/"),
        authors=("Ada Lovelace", "bob"),
        since=NOW - timedelta(days=7),
        until=datetime(2026, 2, 28, 12, tzinfo=UTC),
    )


def test_fields_can_be_negated() -> None:
    found = read('x -path:vendor/,dist/ -lang:md -author:"bot " -kind:commit,message')
    assert found.filters == Filters(
        without_kinds=frozenset({Kind.COMMIT, Kind.MESSAGE}),
        without_languages=frozenset({"markdown"}),
        without_paths=("vendor/", "dist/"),
        without_authors=("bot",),
    )


def test_a_language_goes_by_its_files_extension_or_the_longer_name_of_the_field() -> None:
    assert read("x lang:py,c++ language:ts lang:rust").filters.languages == {"python", "cpp", "typescript", "rust"}


@pytest.mark.parametrize(
    ("text", "meant"), [("lnag:python", "lang"), ("pth:src", "path"), ("Authr:ada", "author"), ("kinds:code", "kind")]
)
def test_a_slip_is_searched_for_as_text_with_a_hint(text: str, meant: str) -> None:
    found = read(f"x {text}")
    assert found.text == f"x {text}"
    (hint,) = found.hints
    assert f"`{meant}:`" in hint


@pytest.mark.parametrize(
    ("text", "at", "says"),
    [
        ("", "", "nothing to search for"),
        ("  ", "  ", "nothing to search for"),
        ("-a", "-a", "nothing to search for"),
        ("lang:python", "lang:python", "nothing to search for"),
        ('parse "http header', '"http header', "never closed"),
        ('parse author:"ada', '"ada', "never closed"),
        ('-"a', '"a', "never closed"),
        ("x -", "-", "follows the minus"),
        ("a - b", "-", "follows the minus"),
        ('x ""', '""', "empty"),
        ('x -"?!"', '-"?!"', "no letter or digit"),
        ("x path:", "path:", "`path:src/`"),
        ("kind: Deployment", "kind:", "no value"),
        ("x -author:", "-author:", "no value"),
        ('x language:""', 'language:""', "no value"),
        ("x lang:go,", "lang:go,", "no value"),
        ("x path:[z-a]", "[z-a]", "not a glob"),
        ("x kind:code,poem", "poem", "`code`, `commit`, `message`"),
        ("x -kind:poem", "poem", "`code`, `commit`, `message`"),
        ("x since:yesterday", "yesterday", "2026-01-31"),
        ("x since:7d since:8d", "8d", "one time"),
        ("x since:1d until:2d", "1d", "before `until:`"),
        ("x -since:7d", "-since:", "`until:`"),
        ("x -project:prj_1", "-project:", "cannot be excluded"),
        ("x project:mine", "mine", "prj_"),
        ('x author:"ada"b', "b", "space or a comma"),
        ("x lang:" + ",".join("abcdefghijklmnopqrstuvwxyz"), "u", f"at most {MOST_VALUES}"),
    ],
)
def test_what_means_nothing_is_an_error_that_points_at_it_and_tells_the_way_out(text: str, at: str, says: str) -> None:
    error = refusal(text)
    assert text[error.position : error.position + error.length] == at
    assert says in error.message


def test_the_pointer_stands_under_the_part_at_fault() -> None:
    assert refusal("x kind:poem y").pointer == "x kind:poem y\n       ^^^^"
    assert refusal("日本 e\u0301 kind:poem").pointer == "日本 e\u0301 kind:poem\n" + " " * 12 + "^^^^"
    assert refusal("a\tb\n-").pointer == "a b -\n    ^"
    long = refusal("a" * 500 + " kind:poem " + "b" * 500)
    query, carets = long.pointer.split("\n")
    assert query.startswith("...") and query.endswith("...")
    assert query[carets.index("^") : len(carets)] == "poem"


@settings(max_examples=300, deadline=None)
@given(queries)
@example('"' * 1000)
@example("-" * 1000)
@example("path:" * 200)
@example("since:99999w x")
@example('x since:"0001-01-01T00:00:00+14:00"')
@example("\ud800 \x00")
def test_any_string_is_a_query_or_an_error_with_a_place_in_it(text: str) -> None:
    try:
        found = read(text)
    except QuerySyntaxError as error:
        assert 0 <= error.position < max(1, len(text))
        assert 1 <= error.length <= max(1, len(text) - error.position)
        assert error.message.endswith(".")
        assert error.pointer.count("\n") == 1
    else:
        assert found.text.strip()
        assert all(map(whole_words, (*found.phrases, *found.without)))


@settings(deadline=None)
@given(st.text().filter(whole_words))
def test_quoted_text_is_one_phrase_and_never_anything_else(text: str) -> None:
    assert read(quote(text)) == ParsedQuery(text, (text,))
    assert read(f"x -{quote(text)}") == ParsedQuery("x", without=(text,))
    assert read(f"x author:{quote(text)}").filters == Filters(authors=(text.strip(),))


@settings(deadline=None)
@given(queries, queries)
def test_a_query_is_the_sum_of_its_parts(one: str, other: str) -> None:
    try:
        first, second, whole = read(one), read(other), read(f"{one} {other}")
    except QuerySyntaxError:
        return
    assert whole.text == f"{first.text} {second.text}"
    assert whole.phrases == first.phrases + second.phrases
    assert whole.without == first.without + second.without


DOCUMENT = (Path(__file__).parents[3] / "docs" / "search.md").read_text()


def test_the_documented_examples_are_queries() -> None:
    section = DOCUMENT.split("## The query")[1].split("## The answer")[0]
    examples = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert len(examples) >= 10
    for written in examples:
        assert read(written).hints == ()
    for text in re.findall(r"`([^`]+)`", section.split("**Text stays text.**")[1].split("\n\n")[0]):
        if text != "hints":
            assert read(text).text == text


def test_the_documented_error_is_the_error() -> None:
    (documented,) = json.loads(re.findall(r"```json\n(.*?)```", DOCUMENT, re.DOTALL)[0])["errors"]
    error = refusal(documented["pointer"].partition("\n")[0])
    assert (error.message, error.position, error.length, error.pointer) == tuple(
        documented[name] for name in ("message", "position", "length", "pointer")
    )
