import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.index.sources import Kind, Source
from almanac.text.chunking import MAX_SIZE, Chunk, chunk, chunk_source, embedding_text
from almanac.text.syntax import LANGUAGES, MAX_LENGTH

ALL_LANGUAGES = [*sorted(LANGUAGES), "markdown", "text", "sql", None]

fragments = st.sampled_from(
    [
        *("\n", "\r\n", "\n\n", " ", "    ", "\t", "\u2028", "\0", "\ud800", "é", "日本語。", "ё", "👩‍🚀"),
        *("{", "}", "(", ")", "[", "]", "<div>", "</div>", '"', "'", "`", ";", ",", "=", "#", "//", "/*", "*/", "--"),
        *("# Title\n", "## Part\n", "Title\n=====\n", "```\n", "- item\n", "A sentence. Another one! ", "x" * 300),
        *("def f(x):\n    return x\n", "class A:\n", "function f() {\n", "fn main() {\n", "if x then\n", "end\n"),
        *("word " * 100, "line\n" * 100, "[" * 200, "a: 1\n", "key = 1\n", "SELECT 1;\n", "<?php\n", "#!/bin/sh\n"),
    ]
)
texts = st.lists(fragments | st.text(max_size=20), max_size=60).map("".join)


def function(name: str, lines: int = 8) -> str:
    return f"def {name}(value):\n" + "".join(f"    step_{n} = value.apply({n})\n" for n in range(lines)) + "\n\n"


@given(texts, st.sampled_from(ALL_LANGUAGES))
def test_chunks_hold_all_that_is_not_blank_in_order_and_once(text: str, language: str | None) -> None:
    position = 0
    for ordinal, part in enumerate(chunk(text, language=language)):
        assert part.ordinal == ordinal
        assert not text[position : part.start].strip()
        assert part.text == text[part.start : part.end]
        assert part.text.strip()
        position = part.end
    assert not text[position:].strip()


@given(texts, st.sampled_from(ALL_LANGUAGES))
def test_the_lines_of_a_chunk_are_those_an_editor_shows(text: str, language: str | None) -> None:
    for part in chunk(text, language=language):
        assert part.start_line == text.count("\n", 0, part.start) + 1
        assert part.end_line == part.start_line + part.text.count("\n")


@given(texts, st.sampled_from(ALL_LANGUAGES))
def test_no_chunk_is_larger_than_the_model_reads_well(text: str, language: str | None) -> None:
    for part in chunk(text, language=language):
        assert len("".join(part.text.split()).encode("utf-8", "replace")) <= MAX_SIZE


@given(texts, st.sampled_from(ALL_LANGUAGES))
def test_chunking_again_gives_the_same_chunks(text: str, language: str | None) -> None:
    assert chunk(text, language=language) == chunk(text, language=language)


def test_a_small_file_is_one_chunk_with_its_indentation() -> None:
    assert chunk("\n\n    x = 1\n    y = 2\n\n", path="a.py") == [Chunk(0, "    x = 1\n    y = 2", 3, 4, 2, 21, ())]


def test_a_blank_file_has_no_chunks() -> None:
    assert chunk(" \n\t\n", path="a.py") == []


def test_functions_are_not_cut_while_they_fit() -> None:
    text = "".join(function(f"number_{n}") for n in range(40))
    parts = chunk(text, path="steps.py")
    assert len(parts) >= 10
    assert all(part.text.startswith("def ") and part.text.count("def ") >= 2 for part in parts[:-1])


def test_a_long_function_names_itself_in_what_is_embedded_of_its_later_parts() -> None:
    text = "class Pipeline:\n    " + function("run", 100).replace("\n", "\n    ").rstrip() + "\n"
    first, second, *_ = chunk(text, path="pipeline.py")
    assert first.text.startswith("class Pipeline:\n    def run")
    assert second.context == ("Pipeline", "run")
    assert embedding_text(second).startswith("Pipeline > run\n        step_")


def test_a_comment_stays_with_the_function_below_it() -> None:
    text = "".join(f"# Explains {n} " + "at length " * 30 + "\n" + function(f"number_{n}", 12) for n in range(8))
    assert all(part.text.startswith("# Explains") for part in chunk(text, path="steps.py"))


@pytest.mark.parametrize(
    ("path", "opening", "line", "closing"),
    [
        ("a.js", "function f{n}() {{\n", "  call({n}, 'some words');\n", "}}\n\n"),
        ("a.ts", "export function f{n}(x: number): void {{\n", "  call({n}, 'some words');\n", "}}\n\n"),
        ("a.go", "func f{n}() {{\n", "\tcall({n}, `some words`)\n", "}}\n\n"),
        ("a.rs", "#[test]\nfn f{n}() {{\n", '    call({n}, "some words");\n', "}}\n\n"),
        ("a.c", "static int f{n}(void) {{\n", '    call({n}, "some words");\n', "}}\n\n"),
        ("a.cpp", "int A::f{n}() {{\n", '    call({n}, "some words");\n', "}}\n\n"),
        ("a.rb", "def f{n}\n", "  call({n}, 'some words')\n", "end\n\n"),
        ("a.sh", "f{n}() {{\n", "  call {n} 'some words'\n", "}}\n\n"),
        ("a.lua", "local function f{n}()\n", "  call({n}, 'some words')\n", "end\n\n"),
        ("a.kt", "fun f{n}() {{\n", '    call({n}, "some words")\n', "}}\n\n"),
        ("a.swift", "func f{n}() {{\n", '    call({n}, "some words")\n', "}}\n\n"),
        ("a.scala", "def f{n}() = {{\n", '    call({n}, "some words")\n', "}}\n\n"),
        ("a.unknown", "define f{n}\n", "    call {n} some words\n", "\n"),
    ],
)
def test_every_language_is_cut_between_definitions(path: str, opening: str, line: str, closing: str) -> None:
    text = "".join(opening.format(n=n) + line.format(n=n) * 20 + closing.format() for n in range(10))
    head = opening.split("{n}")[0].split("\n")[0]
    assert all(part.text.startswith(head) for part in chunk(text, path=path))


def test_markdown_is_cut_at_headings_and_names_them() -> None:
    body = "Some words that explain the matter at hand. " * 12
    text = f"# Guide\n\n{body}\n\n## Install\n\n{body}\n\n```sh\n# not a heading\n```\n\nUse\n---\n\n{body * 4}\n"
    parts = chunk(text, path="guide.md")
    assert [part.text.splitlines()[0] for part in parts[:3]] == ["# Guide", "## Install", "Use"]
    assert parts[1].context == ("Guide",)
    assert parts[3].context == ("Guide", "Use")
    assert "# not a heading" in parts[1].text


def test_prose_is_cut_between_sentences() -> None:
    text = "The well-kept garden of Dr. Stein grew, e.g. Roses. " * 100
    parts = chunk(text, path="essay.txt")
    assert len(parts) > 4
    assert all(part.text.startswith("The") and part.text.endswith("Roses.") for part in parts)


def test_a_source_is_split_by_its_kind() -> None:
    fields = {"source_id": "s", "version": 1, "project_id": "p", "container_id": "c", "title": "t"}
    body = "# One\n" + "words " * 150 + "\n# Two\n" + "words " * 150
    commit = Source.model_validate({**fields, "kind": Kind.COMMIT, "text": body})
    code = Source.model_validate({**fields, "kind": Kind.CODE, "text": body, "path": "a.md"})
    assert chunk_source(commit) == chunk_source(code) == chunk(body, language="markdown")


def test_what_is_embedded_does_not_depend_on_the_path() -> None:
    text = "".join(function(f"number_{n}") for n in range(10))
    before = [embedding_text(part) for part in chunk(text, path="old/name.py")]
    assert before == [embedding_text(part) for part in chunk(text, path="new/place.py")]


@pytest.mark.parametrize(
    "language", ["python", "javascript", "html", "json", "kotlin", "yaml", "markdown", "text", None]
)
@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "word " * 200_000,
        " " * 500_000 + "x" + " " * 500_000 + "y",
        "\n" * 1_000_000 + "x",
        "x = 1\n" * 100_000,
        "var a=function(b){return b+1};" * 30_000,
        "[" * (MAX_LENGTH // 2) + "]" * (MAX_LENGTH // 2),
        ".!?" * 300_000 + "' ",
        "# " + " #" * 300_000,
        "日本語" * 100_000,
    ],
    ids=["letter", "line", "blank", "newlines", "lines", "minified", "nested", "stops", "hashes", "japanese"],
)
def test_a_megabyte_of_anything_is_split_into_few_chunks(text: str, language: str | None) -> None:
    parts = chunk(text, language=language)
    assert len(parts) < 4 * len(text.encode()) / MAX_SIZE + 2


def test_a_word_longer_than_a_chunk_ends_a_short_text() -> None:
    parts = chunk("Change\n\nFiles:\n" + "a" * MAX_SIZE + ".txt", language="markdown")
    assert "".join(part.text for part in parts).count("a") == MAX_SIZE + 1
