"""Projects, checkpoints, messages and search from the command line."""

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli, FakeApi

PROJECTS = "/api/v1/projects"
PROJECT = {"id": "prj_1", "name": "api", "description": ""}
CODE_HIT = {
    "kind": "code",
    "title": "src/http.py",
    "context": "Parser > parse",
    "excerpt": "def parse_header(\x1b[31mline):\n\n    return 1",
    "highlights": [[4, 16]],
    "score": 0.93,
    "citation": {"type": "code", "path": "src/http.py", "commit": "9fceb02d0ae598e9", "start_line": 41, "end_line": 63},
}
COMMIT_HIT = {
    "kind": "commit",
    "title": "Fix [the] parser",
    "excerpt": "Fix",
    "highlights": [],
    "score": 0.5,
    "citation": {"type": "commit", "sha": "abcdef0123456789", "author": "Ada"},
}


def test_a_project_is_found_by_its_name(cli: Cli, api: FakeApi) -> None:
    api.items(PROJECTS, PROJECT, {**PROJECT, "id": "prj_2", "name": "web"})
    assert cli.json("projects", "get", "web")["id"] == "prj_2"


def test_a_name_that_two_projects_have_is_not_guessed(cli: Cli, api: FakeApi) -> None:
    api.items(PROJECTS, PROJECT, {**PROJECT, "id": "prj_2"})
    result = cli.run("projects", "delete", "api")
    assert result.exit_code == 2
    assert "prj_1, prj_2" in result.stderr
    assert api.sent("DELETE", f"{PROJECTS}/prj_1") == []


def test_a_list_is_followed_to_its_last_page(cli: Cli, api: FakeApi) -> None:
    pages = [{"items": [PROJECT], "next_cursor": "c"}, {"items": [{**PROJECT, "id": "prj_2"}], "next_cursor": None}]
    api.answer("GET", PROJECTS, *pages)
    assert [item["id"] for item in cli.json("projects", "list")["items"]] == ["prj_1", "prj_2"]
    assert api.requests[1].query["cursor"] == ["c"]


def test_deleting_answers_with_the_id(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", f"{PROJECTS}/prj_1", PROJECT)
    api.answer("DELETE", f"{PROJECTS}/prj_1", None, status=204)
    assert cli.json("projects", "delete", "prj_1") == {"id": "prj_1", "status": "deleted"}


def test_a_message_comes_from_an_argument_a_file_or_standard_input(cli: Cli, api: FakeApi, tmp_path: Path) -> None:
    api.answer("POST", "/api/v1/messages", {"id": "msg_1", "status": "created"}, status=201)
    (tmp_path / "note.md").write_text("from a file, ü")
    add = ("messages", "add", "--checkpoint", "chk_1")
    runs = [
        cli.run(*add, "from an argument"),
        cli.run(*add, "--file", str(tmp_path / "note.md")),
        cli.run(*add, stdin="from standard input"),
        cli.run(
            *add,
            "-",
            stdin="from a dash",
        ),
    ]
    assert [run.exit_code for run in runs] == [0, 0, 0, 0]
    contents = [request.json["content"] for request in api.sent("POST", "/api/v1/messages")]
    assert contents == ["from an argument", "from a file, ü", "from standard input", "from a dash"]


def test_a_message_from_two_places_or_from_none_that_exists_is_wrong_usage(cli: Cli, tmp_path: Path) -> None:
    add = ("messages", "add", "--checkpoint", "chk_1")
    (tmp_path / "latin").write_bytes(b"\xff")
    for arguments in (("text", "--file", "x"), ("--file", "/nowhere"), ("--file", str(tmp_path / "latin"))):
        assert cli.run(*add, *arguments).exit_code == 2


def test_an_idempotency_key_travels_as_a_header(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", "/api/v1/messages", {"id": "msg_1", "status": "created"}, status=201)
    cli.json("messages", "add", "--checkpoint", "chk_1", "text", "--idempotency-key", "once")
    assert api.requests[0].headers["idempotency-key"] == "once"


def test_search_sends_its_filters_and_nothing_that_was_not_given(cli: Cli, api: FakeApi) -> None:
    api.items(PROJECTS, PROJECT)
    api.answer("POST", "/api/v1/search", {"items": [], "next_cursor": None})
    cli.json("search", "two", "words")
    options = ["--project", "api", "--kind", "code", "--kind", "commit", "--path", "src/**", "--since", "7d"]
    cli.json("search", "words", *options, "--limit", "3")
    plain, filtered = (request.json for request in api.sent("POST", "/api/v1/search"))
    assert plain == {"q": "two words", "limit": 10}
    filters = {"project": ["prj_1"], "kind": ["code", "commit"], "path": "src/**", "since": "7d"}
    assert filtered == {"q": "words", "limit": 3, **filters}


def test_hits_are_shown_with_citations_and_without_what_a_terminal_would_act_on(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", "/api/v1/search", {"items": [CODE_HIT, COMMIT_HIT], "next_cursor": None})
    shown = cli.run("search", "parse header").stdout
    assert "1. src/http.py:41-63 @9fceb02d0a" in shown
    assert "Parser > parse" in shown
    assert "def parse_header(" in shown
    assert "\x1b" not in shown
    assert "2. Fix [the] parser (abcdef0123, Ada)" in shown


def test_no_hits_are_said_in_words(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", "/api/v1/search", {"items": [], "next_cursor": None})
    assert "Nothing was found." in cli.run("search", "x").stdout


@pytest.mark.parametrize(
    "arguments", [("search", "x", "--limit", "0"), ("search",), ("nonsense",), ("messages", "add")]
)
def test_wrong_usage_is_told_apart_from_failure(cli: Cli, arguments: tuple[str, ...]) -> None:
    assert cli.run(*arguments).exit_code == 2
