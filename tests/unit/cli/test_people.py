"""Signing up and in at the command line, and sessions that commands share."""

import json
import stat
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from almanac_cli import sign_in
from almanac_cli.client import Api
from almanac_cli.config import Config, Session
from tests.unit.cli.conftest import Cli, FakeApi

EMAIL = "ada@example.org"
PASSWORD = "Correct horse 1"
PROJECTS = "/api/v1/projects"
MEMBERSHIP = {"tenant_id": "ten_1", "tenant_name": "Acme", "role": "owner", "since": "2026-01-01T00:00:00.000Z"}


def signed_in(access: str = "access-1", refresh: str = "almr_1", expires_in: int = 900) -> dict[str, Any]:
    return {
        "status": "signed_in",
        "access_token": access,
        "expires_in": expires_in,
        "refresh_token": refresh,
        "session": "s-1",
        "person_id": "usr_1",
    }


def session(access: str = "access-1", refresh: str = "almr_1", seconds: float = 900) -> Session:
    return Session(EMAIL, access, int(time.time() + seconds), refresh)


def bearer(request: Any) -> str:
    return str(request.headers.get("authorization", ""))


@pytest.fixture
def person(api: FakeApi, config_file: Path) -> Cli:
    """Return a command line at which a person is signed in."""
    Config(url=api.url, tenant_id="ten_1", session=session()).save()
    api.items(PROJECTS)
    return Cli()


def test_login_asks_for_the_password_and_chooses_the_only_tenant(api: FakeApi, config_file: Path) -> None:
    api.answer("POST", "/api/v1/auth/sign-in", signed_in())
    api.items("/api/v1/tenants", MEMBERSHIP)
    result = Cli().run("login", "--url", api.url, "--email", EMAIL, "--json", stdin=f"{PASSWORD}\n")
    assert result.exit_code == 0, result.output
    assert api.sent("POST", "/api/v1/auth/sign-in")[0].json == {"email": EMAIL, "password": PASSWORD}
    kept = Config.load()
    assert (kept.tenant_id, kept.api_key) == ("ten_1", "")
    assert kept.session is not None
    assert (kept.session.access_token, kept.session.refresh_token) == ("access-1", "almr_1")
    assert stat.S_IMODE(config_file.stat().st_mode) == 0o600
    assert json.loads(result.stdout)["person_id"] == "usr_1"
    assert not any(secret in result.output for secret in (PASSWORD, "access-1", "almr_1"))


def test_login_asks_for_the_second_factor_when_the_api_does(api: FakeApi, config_file: Path) -> None:
    api.answer("POST", "/api/v1/auth/sign-in", {"status": "mfa_required", "challenge": "c-1"})
    api.answer("POST", "/api/v1/auth/sign-in/mfa", signed_in())
    api.items("/api/v1/tenants")
    result = Cli().run("login", "--url", api.url, "--email", EMAIL, stdin=f"{PASSWORD}\n123456\n")
    assert result.exit_code == 0, result.output
    assert api.sent("POST", "/api/v1/auth/sign-in/mfa")[0].json == {"challenge": "c-1", "code": "123456"}
    assert "almanac tenants create" in result.stdout


def test_a_failed_login_remembers_nothing(api: FakeApi, config_file: Path) -> None:
    api.answer("POST", "/api/v1/auth/sign-in", {"detail": "No.", "code": "sign_in_failed"}, status=401)
    result = Cli().run("login", "--url", api.url, "--email", EMAIL, stdin="wrong\n")
    assert result.exit_code == 5
    assert not config_file.exists()


def test_who_has_several_tenants_is_asked_to_choose(api: FakeApi, config_file: Path) -> None:
    api.answer("POST", "/api/v1/auth/sign-in", signed_in())
    api.items("/api/v1/tenants", MEMBERSHIP, {**MEMBERSHIP, "tenant_id": "ten_2"})
    result = Cli().run("login", "--url", api.url, "--email", EMAIL, stdin=f"{PASSWORD}\n")
    assert "almanac tenants use" in result.stdout
    assert Config.load().tenant_id == ""


def test_a_login_with_a_key_replaces_the_session(person: Cli, api: FakeApi) -> None:
    assert person.run("login", "--url", api.url, "--api-key", "alm_key").exit_code == 0
    assert Config.load().session is None


def test_signing_up_sends_a_code_and_ends_logged_in(api: FakeApi, config_file: Path) -> None:
    api.answer("POST", "/api/v1/auth/sign-up", {"detail": "If this address can use a code, one is on its way."})
    api.answer("POST", "/api/v1/auth/confirm", signed_in())
    api.items("/api/v1/tenants")
    typed = f"123456\nAda\n{PASSWORD}\n"
    result = Cli().run("sign-up", "--url", api.url, "--email", EMAIL, stdin=typed)
    assert result.exit_code == 0, result.output
    confirmed = api.sent("POST", "/api/v1/auth/confirm")[0].json
    assert confirmed == {"email": EMAIL, "code": "123456", "name": "Ada", "password": PASSWORD}
    assert "one is on its way" in result.stderr
    assert Config.load().session is not None


def test_a_person_calls_with_its_token_for_the_tenant_that_it_chose(person: Cli, api: FakeApi) -> None:
    person.json("projects", "list")
    (request,) = api.sent("GET", PROJECTS)
    assert bearer(request) == "Bearer access-1"
    assert request.headers["x-almanac-tenant"] == "ten_1"


def test_a_key_in_the_environment_wins_over_the_session(
    person: Cli, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALMANAC_API_KEY", "alm_other")
    person.json("projects", "list")
    (request,) = api.sent("GET", PROJECTS)
    assert bearer(request) == "Bearer alm_other"
    assert "x-almanac-tenant" not in request.headers


def test_a_token_that_is_about_to_end_is_renewed_before_the_call(person: Cli, api: FakeApi) -> None:
    Config(url=api.url, session=session(seconds=sign_in.EARLY_SECONDS - 1)).save()
    api.answer("POST", "/api/v1/auth/refresh", signed_in("access-2", "almr_2"))
    person.json("projects", "list")
    assert api.sent("POST", "/api/v1/auth/refresh")[0].json == {"refresh_token": "almr_1"}
    assert [bearer(request) for request in api.sent("GET", PROJECTS)] == ["Bearer access-2"]
    kept = Config.load().session
    assert kept is not None
    assert kept.refresh_token == "almr_2"


@pytest.mark.parametrize(("status", "body"), [(401, {"code": "x"}), (401, {}), (403, {"message": "Forbidden"})])
def test_a_token_that_is_refused_is_renewed_once(person: Cli, api: FakeApi, status: int, body: dict[str, str]) -> None:
    api.answers["GET", PROJECTS] = [(status, body), (200, {"items": [], "next_cursor": None})]
    api.answer("POST", "/api/v1/auth/refresh", signed_in("access-2", "almr_2"))
    person.json("projects", "list")
    assert [bearer(request) for request in api.sent("GET", PROJECTS)] == ["Bearer access-1", "Bearer access-2"]


def test_a_token_that_is_refused_twice_ends_the_command(person: Cli, api: FakeApi) -> None:
    api.answer("GET", PROJECTS, {"message": "Forbidden"}, status=403)
    api.answer("POST", "/api/v1/auth/refresh", signed_in("access-2", "almr_2"))
    assert person.run("projects", "list").exit_code == 5
    assert len(api.sent("POST", "/api/v1/auth/refresh")) == 1


def test_a_permission_that_is_missing_renews_nothing(person: Cli, api: FakeApi) -> None:
    api.answer("GET", PROJECTS, {"detail": "No.", "code": "insufficient_permission"}, status=403)
    assert person.run("projects", "list").exit_code == 5
    assert api.sent("POST", "/api/v1/auth/refresh") == []


def test_a_session_that_is_over_is_forgotten(person: Cli, api: FakeApi) -> None:
    api.answer("GET", PROJECTS, {"message": "Forbidden"}, status=403)
    api.answer("POST", "/api/v1/auth/refresh", {"code": "refresh_refused"}, status=401)
    result = person.run("projects", "list")
    assert result.exit_code == 5
    assert "almanac login" in result.stderr
    assert Config.load().session is None


def test_an_api_that_is_down_costs_no_session(person: Cli, api: FakeApi) -> None:
    Config(url=api.url, session=session(seconds=0)).save()
    api.answer("POST", "/api/v1/auth/refresh", {"code": "directory_unavailable"}, status=503)
    assert person.run("projects", "list").exit_code == 3
    assert Config.load().session is not None


def test_commands_at_once_renew_a_session_once(api: FakeApi, config_file: Path) -> None:
    Config(url=api.url, session=session(seconds=0)).save()
    api.items(PROJECTS)
    api.answer("POST", "/api/v1/auth/refresh", signed_in("access-2", "almr_2"))
    config = Config.load()
    opened = [Api.from_config(config) for _ in range(8)]
    threads = [threading.Thread(target=each.get, args=(PROJECTS,)) for each in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for each in opened:
        each.__exit__(None, None, None)
    assert len(api.sent("POST", "/api/v1/auth/refresh")) == 1
    assert {bearer(request) for request in api.sent("GET", PROJECTS)} == {"Bearer access-2"}


def test_what_the_environment_says_is_not_written_down(
    person: Cli, api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALMANAC_API_KEY", "alm_other")
    api.answer("POST", "/api/v1/auth/sign-out", None, status=204)
    assert person.run("logout").exit_code == 0
    assert Config.stored().api_key == ""


def test_logging_out_ends_the_session_and_forgets_it(person: Cli, api: FakeApi) -> None:
    api.answer("POST", "/api/v1/auth/sign-out", None, status=204)
    assert person.json("logout") == {"url": api.url, "ended": True}
    assert api.sent("POST", "/api/v1/auth/sign-out")[0].json == {"refresh_token": "almr_1"}
    kept = Config.load()
    assert (kept.url, kept.session, kept.api_key) == (api.url, None, "")


def test_logging_out_everywhere_says_so_to_the_api(person: Cli, api: FakeApi) -> None:
    api.answer("POST", "/api/v1/users/me/sign-out-everywhere", None, status=204)
    assert person.json("logout", "--everywhere")["ended"] is True
    assert len(api.sent("POST", "/api/v1/users/me/sign-out-everywhere")) == 1


def test_logging_out_of_a_key_forgets_it(cli: Cli) -> None:
    assert cli.json("logout")["ended"] is False
    assert Config.load().api_key == ""
    assert cli.run("logout").exit_code == 5


def test_whoami_names_the_person_and_its_tenant(person: Cli, api: FakeApi) -> None:
    api.answer("GET", "/api/v1/users/me", {"id": "usr_1", "email": EMAIL, "name": "Ada"})
    caller: dict[str, Any] = {"actor_id": "usr_1", "role": "owner", "key_id": None, "permissions": []}
    api.answer("GET", "/api/v1/tenants/me", {"id": "ten_1", "name": "Acme", "caller": caller})
    document = person.json("whoami")
    assert (document["person"]["email"], document["tenant"]["id"]) == (EMAIL, "ten_1")
    assert "as owner" in person.run("whoami").stdout


def test_whoami_without_a_tenant_says_how_to_choose_one(person: Cli, api: FakeApi) -> None:
    api.answer("GET", "/api/v1/users/me", {"id": "usr_1", "email": EMAIL, "name": ""})
    api.answer("GET", "/api/v1/tenants/me", {"detail": "Which?", "code": "tenant_not_chosen"}, status=403)
    result = person.run("whoami")
    assert result.exit_code == 0, result.output
    assert "almanac tenants use" in result.stdout


def test_whoami_with_a_key_names_the_key(cli: Cli, api: FakeApi) -> None:
    caller: dict[str, Any] = {"actor_id": "key_1", "role": None, "key_id": "key_1", "permissions": []}
    api.answer("GET", "/api/v1/tenants/me", {"id": "ten_1", "name": "Acme", "caller": caller})
    assert "key_1" in cli.run("whoami").stdout
    assert api.sent("GET", "/api/v1/users/me") == []


def test_a_script_that_gives_no_password_is_told_so(api: FakeApi, config_file: Path) -> None:
    result = Cli().run("login", "--url", api.url, "--email", EMAIL, "--json", stdin="")
    assert (result.exit_code, result.stdout) == (2, "")
    assert json.loads(result.stderr)["detail"] == "Password: nothing was given."
    assert api.requests == []
