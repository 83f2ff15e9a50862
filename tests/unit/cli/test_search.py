"""What `almanac search` tells beside the hits."""

import json
from typing import Any

import pytest

from tests.unit.cli.conftest import Cli, FakeApi

SEARCH = "/api/v1/search"
WHY = {
    "bm25": 11.824,
    "terms": {"retri": 4.0, "pars": 7.82},
    "cosine": 0.7112,
    "embedded": True,
    "words_weight": 0.3,
    "meaning_weight": 0.7,
}
HIT = {
    "kind": "message",
    "title": "Notes",
    "excerpt": "retry",
    "highlights": [],
    "score": 0.5,
    "citation": {"type": "message", "checkpoint_id": "chk_1", "message_id": "msg_1"},
}
POINTER = "retry kind:poem\n           ^^^^"
DETAIL = "There is no such kind."
FAULT = {"field": "body.q", "code": "query_syntax", "message": DETAIL, "position": 11, "length": 4, "pointer": POINTER}
REFUSAL = {"code": "invalid_query", "detail": DETAIL, "errors": [FAULT]}


def answer(hints: tuple[str, ...] = (), why: dict[str, Any] | None = None, **index: Any) -> dict[str, Any]:
    return {"items": [{**HIT, "explanation": why}], "next_cursor": None, "hints": list(hints), "index": index}


def test_a_moment_and_an_explanation_are_asked_for(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", SEARCH, answer())
    cli.json("search", "x", "--as-of", "9fceb02", "--explain")
    assert api.sent("POST", SEARCH)[0].json == {"q": "x", "limit": 10, "as_of": "9fceb02", "explain": True}


def test_an_explanation_is_one_line_with_the_strongest_term_first(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", SEARCH, answer(why=WHY), answer(why={**WHY, "cosine": None, "terms": {}}))
    line = "bm25 11.82 (pars 7.82, retri 4.00); cosine 0.711; weights: words 0.30, meaning 0.70"
    assert line in cli.run("search", "x", "--explain").stdout
    assert "(no term occurs); no vector;" in cli.run("search", "x", "--explain").stdout


@pytest.mark.parametrize(
    ("found", "line"),
    [
        (answer(hints=("Did you mean `lang:`?",)), "Hint: Did you mean `lang:`?"),
        (answer(degraded="words only"), "Degraded: words only"),
        (
            answer(pending={"messages": 3, "batches": {"rep_1": 1, "rep_2": 1}}),
            "3 messages and 2 batches are not embedded yet; messages are found by their words.",
        ),
        (answer(pending={"messages": 0, "batches": {"rep_1": 1}}), "1 batch is not embedded yet."),
        (
            answer(pending={"messages": 1, "documents": 2, "batches": {"rep_1": 1}}),
            "1 message, 2 documents and 1 batch are not embedded yet; messages are found by their words.",
        ),
        (
            answer(as_of={"moment": "2026-01-31T12:00:00Z", "commits": {"rep_1": "9fceb02d0ae598e9"}}),
            "As of 2026-01-31T12:00:00Z: rep_1 @9fceb02d0a",
        ),
    ],
)
def test_what_the_hits_come_from_is_said_below_them(cli: Cli, api: FakeApi, found: dict[str, Any], line: str) -> None:
    api.answer("POST", SEARCH, found)
    assert line in cli.run("search", "x").stdout.splitlines()


def test_a_page_is_cited_as_its_reader_would_look_for_it(cli: Cli, api: FakeApi) -> None:
    citation = {"document_id": "doc_1", "version": 2, "title": "Contract", "label": "page 12"}
    api.answer("POST", SEARCH, {"items": [{**HIT, "kind": "document", "citation": citation}]})
    assert "Contract, page 12 (doc_1 version 2)" in cli.run("search", "x").stdout


def test_documents_are_narrowed_to_by_collection_id_and_version(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", SEARCH, {"items": []})
    api.answer("GET", "/api/v1/collections/col_1", {"id": "col_1"})
    cli.json("search", "x", "--collection", "col_1", "--document", "doc_1", "--version", "2")
    asked = api.sent("POST", SEARCH)[0].json
    assert (asked["collection"], asked["document"], asked["version"]) == (["col_1"], ["doc_1"], 2)


def test_a_fault_in_the_query_is_pointed_at_and_said_once(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", SEARCH, REFUSAL, status=422)
    result = cli.run("search", "retry kind:poem")
    assert result.exit_code == 1
    assert POINTER in result.stderr
    assert result.stderr.count(DETAIL) == 1


def test_a_script_gets_the_fault_as_the_api_told_it(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", SEARCH, REFUSAL, status=422)
    assert json.loads(cli.run("search", "retry kind:poem", "--json").stderr)["errors"] == [FAULT]
