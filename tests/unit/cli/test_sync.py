"""Syncing a repository from the command line, and test deliveries for it."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from almanac_cli import repositories
from almanac_cli.config import Config
from tests.unit.cli.conftest import Cli, FakeApi

PROJECTS = "/api/v1/projects"
REPOSITORIES = f"{PROJECTS}/prj_1/repositories"
PROJECT = {"id": "prj_1", "name": "acme/api"}
URL = "https://git.test/acme/api.git"
REPOSITORY: dict[str, Any] = {
    "id": "rep_1",
    "project_id": "prj_1",
    "name": "acme/api",
    "url": URL,
    "branch": None,
    "branch_pattern": None,
    "state": "synced",
    "sync_requested": False,
    "version": 4,
}
HOOK = "/api/v1/webhooks/github/ten_1/rep_1"


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "POLL_SECONDS", 0.01)


def _states(api: FakeApi, *states: str, **more: Any) -> None:
    api.answer("GET", f"{REPOSITORIES}/rep_1", *({**REPOSITORY, **more, "state": state} for state in states))


def test_a_first_sync_makes_the_project_connects_the_repository_and_waits(cli: Cli, api: FakeApi) -> None:
    api.items(PROJECTS)
    api.answer("POST", PROJECTS, PROJECT, status=201)
    api.items(REPOSITORIES)
    api.answer("POST", REPOSITORIES, {**REPOSITORY, "state": "pending", "webhook": {"secret": "s3cret"}}, status=201)
    _states(api, "pending", "syncing", "indexing", "synced")
    assert cli.json("sync", URL, "--branch", "main", "--wait")["state"] == "synced"
    assert api.sent("POST", PROJECTS)[0].json == {"name": "acme/api"}
    assert api.sent("POST", REPOSITORIES)[0].json == {"url": URL, "branch": "main"}
    assert Config.load().webhooks == {"rep_1": "s3cret"}


def test_a_second_sync_uses_the_connection_that_stands(cli: Cli, api: FakeApi) -> None:
    api.items(PROJECTS, PROJECT)
    api.items(REPOSITORIES, REPOSITORY)
    api.answer("POST", f"{REPOSITORIES}/rep_1/sync", {"status": "queued"}, status=202)
    assert cli.json("sync", URL)["id"] == "rep_1"
    assert len(api.sent("POST", f"{REPOSITORIES}/rep_1/sync")) == 1
    assert api.sent("POST", REPOSITORIES) == []
    cli.json("sync", URL, "--full")
    plain, full = api.sent("POST", f"{REPOSITORIES}/rep_1/sync")
    assert (plain.body, full.json) == (b"", {"full": True})


def test_waiting_goes_on_while_the_request_is_not_served_though_the_state_is_the_old_one(
    cli: Cli, api: FakeApi
) -> None:
    api.items(PROJECTS, PROJECT)
    api.items(REPOSITORIES, REPOSITORY)
    api.answer("POST", f"{REPOSITORIES}/rep_1/sync", {"status": "queued"}, status=202)
    states: list[dict[str, Any]] = [
        {"sync_requested": True},
        {"sync_requested": True, "state": "syncing"},
        {"head": "new"},
    ]
    api.answer("GET", f"{REPOSITORIES}/rep_1", *({**REPOSITORY, **state} for state in states))
    assert cli.json("sync", URL, "--wait")["head"] == "new"


def test_a_repository_whose_loopback_port_changed_keeps_its_connection(api: FakeApi, cli: Cli) -> None:
    old = {**REPOSITORY, "url": "http://127.0.0.1:1/x.git"}
    api.items(PROJECTS, {**PROJECT, "name": "x"})
    api.items(REPOSITORIES, old)
    api.answer("PATCH", f"{REPOSITORIES}/rep_1", {**old, "url": "http://127.0.0.1:2/x.git"})
    api.answer("POST", f"{REPOSITORIES}/rep_1/sync", None, status=202)
    cli.json("sync", "http://127.0.0.1:2/x.git")
    assert api.sent("PATCH", f"{REPOSITORIES}/rep_1")[0].json == {"url": "http://127.0.0.1:2/x.git", "version": 4}


def test_a_failed_sync_tells_the_cause(cli: Cli, api: FakeApi) -> None:
    api.items(PROJECTS, PROJECT)
    api.items(REPOSITORIES, REPOSITORY)
    api.answer("POST", f"{REPOSITORIES}/rep_1/sync", None, status=202)
    _states(api, "syncing", "failed", last_error={"code": "not_found", "message": "There is no such repository."})
    result = cli.run("sync", URL, "--wait", "--json")
    assert result.exit_code == 1
    assert "There is no such repository." in json.loads(result.stderr)["detail"]


def test_a_sync_that_takes_too_long_is_left_to_itself(cli: Cli, api: FakeApi) -> None:
    api.items(PROJECTS, PROJECT)
    api.items(REPOSITORIES, REPOSITORY)
    api.answer("POST", f"{REPOSITORIES}/rep_1/sync", None, status=202)
    _states(api, "syncing")
    assert cli.run("sync", URL, "--wait", "--timeout", "0.05").exit_code == 6


def test_a_token_comes_from_a_variable_and_never_from_the_command_line(
    cli: Cli, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.items(PROJECTS, PROJECT)
    api.items(REPOSITORIES)
    api.answer("POST", REPOSITORIES, REPOSITORY, status=201)
    assert cli.run("sync", URL, "--token-env", "NO_SUCH_TOKEN").exit_code == 2
    monkeypatch.setenv("GIT_TOKEN", "t0ken")
    result = cli.run("sync", URL, "--token-env", "GIT_TOKEN")
    assert api.sent("POST", REPOSITORIES)[0].json["access_token"] == "t0ken"
    assert "t0ken" not in result.output


@pytest.mark.parametrize("source", ["git@github.com:acme/api.git", "ssh://git.test/x", "/no/such/directory"])
def test_a_source_that_cannot_be_synced_is_wrong_usage(cli: Cli, source: str) -> None:
    assert cli.run("sync", source).exit_code == 2


def test_a_repository_is_found_in_whichever_project_it_is(cli: Cli, api: FakeApi) -> None:
    api.items(PROJECTS, {"id": "prj_0", "name": "other"}, PROJECT)
    _states(api, "synced")
    assert cli.json("repositories", "get", "rep_1")["id"] == "rep_1"
    assert cli.run("repositories", "get", "rep_2").exit_code == 4


def test_a_github_test_delivery_is_signed_over_its_bytes(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", HOOK, {"status": "queued"}, status=202)
    assert cli.json("push-webhook", "rep_1", "--secret", "s3cret", "--branch", "topic") == {"status": "queued"}
    (sent,) = api.sent("POST", HOOK)
    digest = hmac.new(b"s3cret", sent.body, hashlib.sha256).hexdigest()
    assert sent.headers["x-hub-signature-256"] == f"sha256={digest}"
    assert sent.headers["x-github-event"] == "push"
    assert sent.json["ref"] == "refs/heads/topic"


def test_a_gitlab_test_delivery_carries_the_remembered_secret(cli: Cli, api: FakeApi) -> None:
    config = Config.load()
    config.webhooks["rep_1"] = "remembered"
    config.save()
    api.answer("POST", HOOK.replace("github", "gitlab"), {"status": "queued"}, status=202)
    cli.json("push-webhook", "rep_1", "--provider", "gitlab")
    (sent,) = api.sent("POST", HOOK.replace("github", "gitlab"))
    assert sent.headers["x-gitlab-token"] == "remembered"
    assert sent.headers["x-gitlab-event"] == "Push Hook"


def test_a_test_delivery_without_a_known_secret_is_not_sent(cli: Cli, api: FakeApi) -> None:
    result = cli.run("push-webhook", "rep_9")
    assert result.exit_code == 2
    assert api.requests == []
