"""Questions from the command line."""

from typing import Any

import pytest

from tests.unit.cli.conftest import Cli, FakeApi

ASK = "/api/v1/ask"
CODE = {"type": "code", "path": "docs/leases.md", "commit": "9fceb02d0ae598e9", "start_line": 4, "end_line": 5}
CITED = {"n": 1, "kind": "code", "title": "docs/leases.md", "citation": CODE, "quote": "A lease lasts 30 s."}
ANSWER: dict[str, Any] = {
    "answer": "A lease lasts 30 s. [1]",
    "answered": True,
    "sentences": [{"text": "A lease [red]lasts[/red] 30 s.\x1b[31m", "citations": [1]}],
    "citations": [CITED],
    "suggestions": [],
    "how": "extractive",
    "fallback": None,
    "question": "how long",
    "resolved_question": "how long",
    "conversation_id": None,
}
NONE = {**ANSWER, "answered": False, "sentences": [], "citations": [], "suggestions": [CITED]}


def test_an_answer_is_shown_with_numbered_citations_and_how_it_was_made(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", ASK, ANSWER)
    shown = cli.run("ask", "how", "long").stdout
    assert "A lease [red]lasts[/red] 30 s.[31m [1]" in shown
    assert "[1] docs/leases.md:4-5 @9fceb02d0a" in shown
    assert "not written by a language model." in shown
    assert "\x1b" not in shown


def test_both_sides_of_a_contradiction_are_shown_with_their_citations(cli: Cli, api: FakeApi) -> None:
    sides = [{"text": "It is 30 days.", "citations": [1]}, {"text": "It is 45 days.", "citations": [2]}]
    api.answer("POST", ASK, {**ANSWER, "contradictions": [{"about": "payment", "statements": sides}]})
    shown = cli.run("ask", "how", "long").stdout
    assert "The sources contradict each other about payment:" in shown
    assert "It is 30 days. [1]" in shown
    assert "It is 45 days. [2]" in shown


def test_what_is_not_in_the_sources_is_said_with_what_comes_nearest(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", ASK, NONE)
    result = cli.run("ask", "how long")
    assert result.exit_code == 0
    assert "Not in the sources." in result.stdout
    assert "docs/leases.md:4-5" in result.stdout


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"how": "openai:gpt"}, "Written by openai:gpt; each sentence was checked"),
        ({"fallback": "model_unavailable"}, "the language model does not answer."),
        ({"fallback": "something_new"}, "not written by a language model."),
        ({"resolved_question": "how long (lease)"}, "how long (lease)"),
    ],
)
def test_it_is_told_who_answered_which_question(cli: Cli, api: FakeApi, changes: dict[str, Any], text: str) -> None:
    api.answer("POST", ASK, {**ANSWER, **changes})
    assert text in cli.run("ask", "how long").stdout


def test_a_question_sends_its_filters_and_nothing_that_was_not_given(cli: Cli, api: FakeApi) -> None:
    api.items("/api/v1/projects", {"id": "prj_1", "name": "api"})
    api.answer("POST", ASK, ANSWER)
    assert cli.json("ask", "how", "long") == ANSWER
    options = ["--project", "api", "--kind", "code", "--as-of", "7d", "--limit", "2", "--conversation", "cnv_1"]
    cli.json("ask", "how long", *options)
    plain, filtered = (request.json for request in api.sent("POST", ASK))
    assert plain == {"question": "how long", "limit": 5}
    given = {"project": ["prj_1"], "kind": ["code"], "as_of": "7d", "conversation_id": "cnv_1"}
    assert filtered == {"question": "how long", "limit": 2, **given}


def test_a_new_conversation_is_begun_and_its_id_shown(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", "/api/v1/conversations", {"id": "cnv_9"}, status=201)
    api.answer("POST", ASK, {**ANSWER, "conversation_id": "cnv_9"})
    assert "--conversation cnv_9" in cli.run("ask", "how long", "--conversation", "new").stdout
    assert api.sent("POST", ASK)[0].json["conversation_id"] == "cnv_9"
    assert api.sent("POST", "/api/v1/conversations")[0].json == {"title": "how long"}


def test_wrong_usage_is_told_apart(cli: Cli) -> None:
    assert cli.run("ask").exit_code == 2
    assert cli.run("ask", "x", "--limit", "11").exit_code == 2
