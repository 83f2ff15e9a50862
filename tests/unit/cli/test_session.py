"""Logging in, what is remembered, and how commands end."""

import json
import stat
from pathlib import Path

import pytest

from almanac_cli.config import Config
from tests.unit.cli.conftest import Cli, FakeApi

PROJECTS = "/api/v1/projects"


def test_login_checks_the_key_and_keeps_it_for_its_owner_only(api: FakeApi, config_file: Path) -> None:
    result = Cli().run("login", "--url", api.url + "/", "--api-key", "alm_secret")
    assert result.exit_code == 0
    assert api.requests[0].headers["authorization"] == "Bearer alm_secret"
    assert Config.load() == Config(url=api.url, api_key="alm_secret", tenant_id="ten_1")
    assert stat.S_IMODE(config_file.stat().st_mode) == 0o600
    assert "alm_secret" not in result.output


def test_a_refused_key_is_not_remembered(api: FakeApi, config_file: Path) -> None:
    api.answer("GET", "/api/v1/tenants/me", {"detail": "Unauthorized"}, status=401)
    result = Cli().run("login", "--url", api.url, "--api-key", "wrong")
    assert result.exit_code == 5
    assert not config_file.exists()


def test_saving_replaces_a_file_that_others_could_read(config_file: Path) -> None:
    config_file.parent.mkdir()
    config_file.write_text("")
    config_file.chmod(0o644)
    Config(url='http://"x"', webhooks={"rep_1": 'quoted " and \\ back'}).save()
    assert stat.S_IMODE(config_file.stat().st_mode) == 0o600
    assert Config.load() == Config(url='http://"x"', webhooks={"rep_1": 'quoted " and \\ back'})


def test_the_environment_wins_over_the_file(cli: Cli, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_API_KEY", "alm_other")
    api.items(PROJECTS)
    cli.json("projects", "list")
    assert api.requests[0].headers["authorization"] == "Bearer alm_other"


def test_a_broken_file_is_named_with_a_way_out(config_file: Path) -> None:
    config_file.parent.mkdir()
    config_file.write_text("url = ")
    result = Cli().run("projects", "list")
    assert result.exit_code == 2
    assert "config.toml" in result.stderr.replace("\n", "")


def test_without_a_login_the_way_to_one_is_told(config_file: Path) -> None:
    result = Cli().run("projects", "list")
    assert result.exit_code == 5
    assert "almanac login" in result.stderr


@pytest.mark.parametrize(
    ("status", "exit_code"), [(401, 5), (403, 5), (404, 4), (409, 1), (422, 1), (500, 1), (503, 3)]
)
def test_each_refusal_has_its_exit_code_and_says_what_to_do(
    cli: Cli, api: FakeApi, status: int, exit_code: int
) -> None:
    api.answer("GET", PROJECTS, {"detail": "It [cannot] be.", "code": "why", "correlation_id": "c1"}, status=status)
    result = cli.run("projects", "list")
    assert result.exit_code == exit_code
    assert result.stdout == ""
    assert "It [cannot] be." in result.stderr
    assert len(result.stderr.splitlines()) >= 2


def test_with_json_an_error_is_one_problem_document_on_standard_error(cli: Cli, api: FakeApi) -> None:
    problem = {"detail": "name: too short", "code": "validation_failed", "errors": [{"field": "body.name"}]}
    api.answer("POST", PROJECTS, problem, status=422)
    result = cli.run("projects", "create", "x", "--json")
    assert result.stdout == ""
    document = json.loads(result.stderr)
    assert (document["status"], document["code"], document["detail"]) == (422, "validation_failed", "name: too short")
    assert document["errors"] == problem["errors"]
    assert document["way_out"]


def test_an_answer_that_is_no_document_is_reported_by_its_status(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", PROJECTS, ["not", "a", "problem"], status=502)
    result = cli.run("projects", "list")
    assert result.exit_code == 1
    assert "502" in result.stderr


def test_an_address_where_nothing_listens_is_unreachable(config_file: Path) -> None:
    Config(url="http://127.0.0.1:9", api_key="alm_key").save()
    result = Cli().run("projects", "list")
    assert result.exit_code == 3
    assert "almanac up" in result.stderr


def test_health_needs_no_key(api: FakeApi, config_file: Path) -> None:
    Config(url=api.url).save()
    parts = {"table": {"status": "ok", "milliseconds": 1.5}}
    api.answer("GET", "/health", {"status": "ok", "version": "1", "stage": "local", "parts": parts})
    result = Cli().run("health", "--deep")
    assert result.exit_code == 0
    assert "table: ok" in result.stdout
    assert api.requests[0].query == {"deep": ["true"]}
    assert "authorization" not in api.requests[0].headers
