"""The demo asks what it is told to ask, and leaves a person's own login alone."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from almanac_cli import demo, repositories, session
from almanac_cli.config import Config
from tests.unit.cli.conftest import TENANT, Cli, FakeApi

PROJECT = {"id": "prj_1", "name": "demo"}
REPOSITORY: dict[str, Any] = {
    "id": "rep_1",
    "project_id": "prj_1",
    "name": "acme/api",
    "url": "https://git.test/acme/api.git",
    "state": "synced",
    "sync_requested": False,
    "version": 1,
}
RUN = ("demo", "--repo", REPOSITORY["url"])
THE_REPOSITORY = "/api/v1/projects/prj_1/repositories/rep_1"


def indexing(indexed: int, batches: int = 124, seconds: float = 3600) -> dict[str, Any]:
    """Return the repository in a sync that began so many seconds ago."""
    began = (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()
    progress = {"batches": batches, "pending": batches - indexed, "started_at": began}
    return {**REPOSITORY, "state": "indexing", "sync_requested": True, "progress": progress}


@pytest.fixture(autouse=True)
def _stack(api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the fake API be the local stack, with the repository synced already."""
    monkeypatch.setenv("ALMANAC_LOCAL_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(repositories, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(demo, "start", lambda: SimpleNamespace(api_url=api.url))
    monkeypatch.setattr(session, "_local_stack", lambda: SimpleNamespace(api_url=api.url))
    monkeypatch.setattr(session, "create_local_tenant", lambda _name: {"api_key": "alm_demo"})
    api.items("/api/v1/projects", PROJECT)
    api.items("/api/v1/projects/prj_1/repositories", REPOSITORY)
    api.answer("POST", "/api/v1/projects/prj_1/repositories/rep_1/sync", None, status=202)
    api.answer("GET", "/api/v1/projects/prj_1/repositories/rep_1", REPOSITORY)
    api.answer("POST", "/api/v1/search", {"items": [], "next_cursor": None})


def test_queries_are_asked_as_given_repeated_or_split_by_bars(api: FakeApi, config_file: Path) -> None:
    document = Cli().json(*RUN, "--query", "first || second", "--query", "third")
    assert [search["query"] for search in document["searches"]] == ["first", "second", "third"]
    assert document["api_url"] == api.url
    assert document["repository"]["state"] == "synced"


def test_without_queries_the_demo_has_its_own(api: FakeApi, config_file: Path) -> None:
    assert len(Cli().json(*RUN)["searches"]) >= 2


def test_a_second_run_makes_nothing_again(api: FakeApi, config_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Cli().json(*RUN)
    monkeypatch.setattr(session, "create_local_tenant", lambda _name: pytest.fail("a second tenant"))
    Cli().json(*RUN)
    assert api.sent("POST", "/api/v1/projects") == []
    assert api.sent("POST", "/api/v1/projects/prj_1/repositories") == []


def test_a_login_elsewhere_stays_and_its_key_is_not_sent_to_the_local_stack(
    api: FakeApi, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Config(url="https://almanac.example", api_key="alm_theirs", tenant_id="ten_9")
    elsewhere.save()
    monkeypatch.setenv("ALMANAC_API_KEY", "alm_environment")
    Cli().json(*RUN)
    assert {request.headers["authorization"] for request in api.requests} == {"Bearer alm_demo"}
    monkeypatch.delenv("ALMANAC_API_KEY")
    assert Config.load() == elsewhere


def test_who_is_logged_in_nowhere_can_search_on_with_the_demos_login(api: FakeApi, config_file: Path) -> None:
    result = Cli().run(*RUN)
    assert result.exit_code == 0
    assert f"{api.url}/docs" in result.stdout
    assert Config.load() == Config(url=api.url, api_key="alm_demo", tenant_id=TENANT["id"])


def test_a_large_repository_is_searched_when_the_demos_patience_ends_and_the_demo_says_so(
    api: FakeApi, config_file: Path
) -> None:
    api.answer("GET", THE_REPOSITORY, indexing(3, seconds=10), indexing(42, seconds=61), REPOSITORY)
    result = Cli().run(*RUN, "--query", "first")
    assert result.exit_code == 0, result.output
    told = " ".join(result.stdout.split())
    assert "42 of 124 batches are searchable" in told
    assert "The rest goes on by itself" in told
    assert "almanac watch repository:rep_1" in told
    assert [request.json["q"] for request in api.sent("POST", "/api/v1/search")].count("first") == 1


def test_scripts_are_told_how_much_is_searchable(api: FakeApi, config_file: Path) -> None:
    api.answer("GET", THE_REPOSITORY, indexing(42))
    assert Cli().json(*RUN)["searchable"] == {"complete": False, "indexed_batches": 42, "batches": 124}
    api.answer("GET", THE_REPOSITORY, REPOSITORY)
    assert Cli().json(*RUN)["searchable"]["complete"] is True


def test_the_demo_goes_on_waiting_while_nothing_is_searchable(api: FakeApi, config_file: Path) -> None:
    none_sent = {**indexing(0), "progress": None}
    api.answer("GET", THE_REPOSITORY, none_sent, indexing(0, batches=0), indexing(0), indexing(1))
    assert Cli().json(*RUN)["searchable"]["indexed_batches"] == 1


def test_patience_is_what_it_is_told_to_be(api: FakeApi, config_file: Path) -> None:
    api.answer("GET", THE_REPOSITORY, indexing(1, seconds=100), REPOSITORY)
    assert Cli().json(*RUN, "--patience", "1000")["searchable"]["complete"] is True
    api.answer("GET", THE_REPOSITORY, indexing(1, seconds=100), REPOSITORY)
    assert Cli().json(*RUN, "--wait")["searchable"]["complete"] is True


def test_a_sync_that_fails_while_it_is_waited_for_fails_the_demo(api: FakeApi, config_file: Path) -> None:
    failed = {**REPOSITORY, "state": "failed", "last_error": {"code": "not_found", "message": "It is not there."}}
    api.answer("GET", THE_REPOSITORY, indexing(0), failed)
    result = Cli().run(*RUN)
    assert result.exit_code != 0
    assert "It is not there." in result.output


def test_search_is_warmed_up_during_the_sync_and_may_fail_then(
    api: FakeApi, config_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {"detail": "It is starting.", "code": "unavailable"}
    api.answers["POST", "/api/v1/search"] = [(503, refused), (200, {"items": [], "next_cursor": None})]

    def synced(*_arguments: Any, **_options: Any) -> dict[str, Any]:
        until = time.monotonic() + 20
        while not api.sent("POST", "/api/v1/search") and time.monotonic() < until:
            time.sleep(0.01)
        return REPOSITORY

    monkeypatch.setattr(demo, "synced", synced)
    document = Cli().json(*RUN, "--query", "first")
    assert [request.json["q"] for request in api.sent("POST", "/api/v1/search")] == [demo.WARM_UP, "first"]
    assert document["searches"][0]["items"] == []
