"""The index from the command line."""

import json
from typing import Any

import pytest

from almanac_cli import index
from tests.unit.cli.conftest import Cli, FakeApi

INDEX = "/api/v1/search/index"
INDEXES = "/api/v1/search/indexes"
NEW = "test-hash-32-01k9zq3v7m8x2c4b6n0d1f5g7h"
BUILD: dict[str, Any] = {
    "from": "index",
    "started_at": "2026-01-31T12:00:00.000Z",
    "total": 4,
    "done": 0,
    "missing": 4,
    "unexpected": 0,
    "chunks": 0,
    "embedded": 0,
    "ready": False,
    "checked_at": None,
    "error": None,
}
BUILDING: dict[str, Any] = {
    "id": NEW,
    "model": "test:hash@32",
    "state": "building",
    "shards": 1,
    "created_at": "2026-01-31T12:00:00.000Z",
    "served_until": None,
    "build": BUILD,
}
SERVING = {**BUILDING, "state": "serving"}
STATUS: dict[str, Any] = {
    "id": "test-hash",
    "model": "test:hash",
    "shards": 1,
    "readable": True,
    "lost": [],
    "chunks": 4211,
    "unembedded": 3,
    "superseded": 57,
    "history": 310,
    "awaiting": 2,
    "log": {"segments": 1, "rows": 96, "bytes": 81_920},
    "snapshots": [
        {
            "shard": 0,
            "generation": 7,
            "at": "x",
            "age_seconds": 60,
            "rows": 4115,
            "bytes": 3_342_336,
            "history_rows": 310,
        }
    ],
    "repositories": {"rep_1": {"commit": "9fceb02d0ae598e95dc970b74767f19372d61af8", "branch": "main", "run": 3}},
    "others": [BUILDING],
}
REPORT: dict[str, Any] = {
    "at": "2026-01-31T12:00:00.000Z",
    "index_id": "test-hash",
    "sample": 50,
    "checked": {"messages": 3, "parts": 1, "repositories": 0},
    "differences": [],
    "left_off": 0,
    "repairs": 0,
    "skipped": [],
}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "POLL_SECONDS", 0.01)


def _progress(api: FakeApi, *builds: dict[str, Any]) -> None:
    api.answer("POST", INDEXES, BUILDING, status=202)
    api.answer("GET", f"{INDEXES}/{NEW}", *({**BUILDING, "build": {**BUILD, **build}} for build in builds))
    api.answer("POST", f"{INDEXES}/{NEW}/activate", SERVING)


def test_the_state_is_shown_as_it_is_and_in_words(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", INDEX, STATUS)
    assert cli.json("index", "status") == STATUS
    text = cli.run("index", "status").stdout
    for words in ("4211 chunks", "57 superseded", "1 segment,", "generation 7", "9fceb02d0ae5", "building", "0 of 4"):
        assert words in " ".join(text.split())


def test_a_damaged_index_says_what_to_do(cli: Cli, api: FakeApi) -> None:
    lost = {"sha256": "9f86d081", "reason": "missing", "at": "2026-01-31T12:00:00.000Z"}
    api.answer("GET", INDEX, {**STATUS, "readable": False, "lost": [lost], "chunks": None, "unembedded": None})
    text = " ".join(cli.run("index", "status").stdout.split())
    assert "queries are refused" in text
    assert "9f86d081 (missing); 'almanac index rebuild --from sources'" in text


def test_a_compaction_is_asked_for(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", f"{INDEX}/compact", {"status": "queued", "index_id": "test-hash", "shards": 1}, status=202)
    assert cli.json("index", "compact")["status"] == "queued"


def test_a_verification_without_differences_ends_well(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", index.VERIFY, REPORT)
    assert cli.json("index", "verify", "--sample", "7") == REPORT
    assert api.sent("POST", index.VERIFY)[0].json == {"sample": 7}
    assert "says what its sources say" in cli.run("index", "verify").stdout


def test_a_verification_with_differences_ends_with_status_1_and_shows_them(cli: Cli, api: FakeApi) -> None:
    differs = {
        "source_id": "message:msg_1",
        "kind": "message",
        "problem": "content_differs",
        "expected": "one",
        "found": None,
    }
    api.answer("POST", index.VERIFY, {**REPORT, "differences": [differs], "repairs": 1, "skipped": ["vectors: no"]})
    result = cli.run("index", "verify")
    assert result.exit_code == 1
    for words in ("message:msg_1", "content_differs", "expected one, found nothing", "1 part", "vectors: no"):
        assert words in " ".join(result.stdout.split())
    scripted = cli.run("index", "verify", "--json")
    assert (scripted.exit_code, json.loads(scripted.stdout)["differences"]) == (1, [differs])


def test_a_rebuild_is_begun_with_what_was_asked_for(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", INDEXES, BUILDING, status=202)
    assert cli.json("index", "rebuild")["id"] == NEW
    cli.json("index", "rebuild", "--model", "test:hash@32", "--from", "sources", "--shards", "4")
    first, second = api.sent("POST", INDEXES)
    assert first.json == {"from": "index"}
    assert second.json == {"from": "sources", "model": "test:hash@32", "shards": 4}
    assert f"switch {NEW}" in " ".join(cli.run("index", "rebuild").stdout.split())


def test_a_rebuild_waits_for_completeness_and_then_switches(cli: Cli, api: FakeApi) -> None:
    _progress(api, {}, {"done": 2}, {"done": 4, "missing": 0, "ready": True})
    assert cli.json("index", "rebuild", "--wait")["state"] == "serving"
    assert len(api.sent("POST", f"{INDEXES}/{NEW}/activate")) == 1


def test_progress_goes_to_standard_error_line_by_line(cli: Cli, api: FakeApi) -> None:
    _progress(api, {}, {"done": 2}, {"done": 2}, {"done": 4, "missing": 0, "ready": True})
    result = cli.run("index", "rebuild", "--wait")
    assert result.exit_code == 0
    assert result.stderr.count("2 of 4 sources") == 1
    assert "answers queries now" in " ".join(result.stdout.split())


def test_what_was_written_at_the_last_moment_is_waited_for(cli: Cli, api: FakeApi) -> None:
    _progress(api, {"ready": True})
    refused = {"status": 409, "code": "index_incomplete", "detail": "One source is missing."}
    calls = api.answers["POST", f"{INDEXES}/{NEW}/activate"]
    calls[:] = [(409, refused), (200, SERVING)]
    assert cli.json("index", "rebuild", "--wait")["state"] == "serving"


def test_a_failed_build_tells_its_cause_and_switches_nothing(cli: Cli, api: FakeApi) -> None:
    _progress(api, {"error": {"code": "embedding_refused", "cause": "the provider answered status 401", "at": None}})
    result = cli.run("index", "rebuild", "--wait", "--json")
    assert result.exit_code == 1
    problem = json.loads(result.stderr)
    assert "401" in problem["detail"]
    assert NEW in problem["way_out"]
    assert api.sent("POST", f"{INDEXES}/{NEW}/activate") == []


def test_a_build_that_is_tried_again_by_itself_is_waited_for(cli: Cli, api: FakeApi) -> None:
    passing = {"error": {"code": "build_interrupted", "cause": "the table is throttling reads", "at": None}}
    _progress(api, passing, {"done": 4, "ready": True})
    assert cli.json("index", "rebuild", "--wait")["state"] == "serving"


def test_a_build_that_takes_too_long_is_left_to_itself(cli: Cli, api: FakeApi) -> None:
    _progress(api, {})
    assert cli.run("index", "rebuild", "--wait", "--timeout", "0.05").exit_code == 6


def test_a_switch_names_the_index(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", f"{INDEXES}/{NEW}/activate", SERVING)
    assert cli.json("index", "switch", NEW) == SERVING


def test_a_refused_switch_says_what_is_missing(cli: Cli, api: FakeApi) -> None:
    refused = {"status": 409, "code": "index_incomplete", "detail": "3 sources are missing."}
    api.answer("POST", f"{INDEXES}/{NEW}/activate", refused, status=409)
    result = cli.run("index", "switch", NEW)
    assert result.exit_code == 1
    assert "3 sources are missing" in result.stderr


def test_a_roll_back_goes_to_the_index_that_served_last(cli: Cli, api: FakeApi) -> None:
    older = {**BUILDING, "id": "older", "state": "retained", "served_until": "2026-01-01T00:00:00.000Z"}
    last = {**BUILDING, "id": "last", "state": "retained", "served_until": "2026-01-31T00:00:00.000Z"}
    never = {**BUILDING, "id": "never", "state": "retained"}
    api.answer("GET", INDEXES, {"items": [SERVING, never, older, last]})
    api.answer("POST", f"{INDEXES}/last/activate", {**last, "state": "serving"})
    assert cli.json("index", "rollback")["id"] == "last"


def test_a_roll_back_without_another_index_is_not_found(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", INDEXES, {"items": [SERVING]})
    assert cli.run("index", "rollback").exit_code == 4


def test_a_delete_says_so(cli: Cli, api: FakeApi) -> None:
    api.answer("DELETE", f"{INDEXES}/{NEW}", None, status=204)
    assert cli.json("index", "delete", NEW) == {"id": NEW, "status": "deleted"}
