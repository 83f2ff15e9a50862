"""Filters: what they let through is what a plain reading of them says."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.index.filters import Filters, compile_glob, microseconds
from almanac.index.sources import Kind, SourceInfo
from tests.unit.index.histories import answer, info, query, segment, view_of

SOURCES = [info(number) for number in range(40)]
VIEW = view_of(segment([(source, ["parse the header", "queue"]) for source in SOURCES]))

moments = st.none() | st.integers(-2, 45).map(lambda hours: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours))
globs = st.lists(st.sampled_from(["*.py", "src/a/**", "src/?/file1*.py", "nowhere/*"]), max_size=2).map(tuple)
authors = st.lists(st.sampled_from(["ANN1@EXAMPLE", "ann2", "bob"]), max_size=2).map(tuple)
filters = st.builds(
    Filters,
    projects=st.frozensets(st.sampled_from(["prj_0", "prj_1", "prj_9"])),
    containers=st.frozensets(st.sampled_from(["chk_0", "chk_1", "chk_9"]), max_size=2),
    groups=st.frozensets(st.sampled_from(["doc_1", "doc_2", "doc_9"]), max_size=2),
    kinds=st.frozensets(st.sampled_from(Kind)),
    languages=st.frozensets(st.sampled_from(["python", "PYTHON", "Markdown", "go"])),
    paths=globs,
    authors=authors,
    without_kinds=st.frozensets(st.sampled_from(Kind), max_size=1),
    without_languages=st.frozensets(st.sampled_from(["PYTHON", "go"]), max_size=1),
    without_paths=globs,
    without_authors=authors,
    since=moments,
    until=moments,
)


def passes(source: SourceInfo, asked: Filters) -> bool:
    language, author = (source.language or "").lower(), (source.author or "").lower()

    def under(globs: tuple[str, ...]) -> bool:
        return source.path is not None and any(matches(glob, source.path) for glob in globs)

    return (
        (not asked.projects or source.project_id in asked.projects)
        and (not asked.containers or source.container_id in asked.containers)
        and (not asked.groups or source.group_id in asked.groups)
        and (not asked.kinds or source.kind in asked.kinds)
        and (not asked.languages or language in {name.lower() for name in asked.languages})
        and (not asked.authors or any(name.lower() in author for name in asked.authors))
        and (not asked.paths or under(asked.paths))
        and source.kind not in asked.without_kinds
        and language not in {name.lower() for name in asked.without_languages}
        and not any(name.lower() in author for name in asked.without_authors)
        and not under(asked.without_paths)
        and (asked.since is None or (source.occurred_at is not None and source.occurred_at >= asked.since))
        and (asked.until is None or (source.occurred_at is not None and source.occurred_at < asked.until))
    )


def matches(glob: str, path: str) -> bool:
    """Match by trying everything."""
    glob = glob if "/" in glob else f"**/{glob}"
    return _match([part for part in (glob + "**" if glob.endswith("/") else glob).split("/") if part], path.split("/"))


def _match(glob: list[str], path: list[str]) -> bool:
    if not glob:
        return not path
    if glob == ["**"]:
        return bool(path)
    if glob[0] == "**":
        return _match(glob[1:], path) or (bool(path) and _match(glob, path[1:]))
    return bool(path) and _match_name(glob[0], path[0]) and _match(glob[1:], path[1:])


def _match_name(glob: str, name: str) -> bool:
    if not glob:
        return not name
    if glob[0] == "*":
        return _match_name(glob[1:], name) or (bool(name) and _match_name(glob, name[1:]))
    return bool(name) and glob[0] in ("?", name[0]) and _match_name(glob[1:], name[1:])


@settings(max_examples=200, deadline=None)
@given(filters)
def test_filters_let_through_exactly_what_they_say(asked: Filters) -> None:
    hits = answer(VIEW, query("parse", filters=asked))
    assert {hit.info.source_id for hit in hits} == {source.source_id for source in SOURCES if passes(source, asked)}


@settings(max_examples=500)
@given(st.text("ab*?/", min_size=1, max_size=10), st.text("ab/", min_size=1, max_size=8))
def test_globs_match_what_trying_everything_matches(glob: str, path: str) -> None:
    path = re.sub("/+", "/", path).strip("/") or "a"
    assert bool(compile_glob(glob).fullmatch(path)) == matches(glob, path)


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("[a-c]x.py", "src/bx.py", True),
        ("[!a-c]x.py", "src/bx.py", False),
        ("src/[!x]ain.py", "src/main.py", True),
        ("a[b", "a[b", True),
        ("a+(b)|c", "a+(b)|c", True),
        ("[^a]", "^", True),
        ("/setup.py", "setup.py", True),
        ("/setup.py", "src/setup.py", False),
        ("docs/", "docs/a/b.md", True),
        ("docs/", "docs", False),
        ("*.py", "a\nb.py", True),
    ],
)
def test_sets_anchors_and_special_characters(glob: str, path: str, expected: bool) -> None:
    assert bool(compile_glob(glob).fullmatch(path)) == expected


def test_a_bad_set_is_refused_with_a_reason() -> None:
    with pytest.raises(ValueError, match="not a glob"):
        compile_glob("[z-a]")


def test_no_glob_backtracks_without_end() -> None:
    # With backtracking, either would outlast the run.
    assert not compile_glob("*a" * 30 + "b").fullmatch("a" * 500)
    assert not compile_glob("**/a/" * 30 + "b").fullmatch("a/" * 300 + "a")


def test_times_are_compared_exactly_and_across_zones() -> None:
    east = datetime(2026, 1, 1, 3, tzinfo=timezone(timedelta(hours=3)))
    assert microseconds(east) == microseconds(datetime(2026, 1, 1, tzinfo=UTC))
    assert microseconds(datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)) == -1
