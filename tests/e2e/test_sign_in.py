"""A person on the deployed stack: signs up, founds a tenant, goes on with a new token, and is out once signed out."""

import json
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from almanac_cli.main import app
from infra.local.stack import StackInfo

# What the local stack's user pool sends; it takes any, which the integration tests do not.
CODE = "123456"
PASSWORD = "Correct horse 1"


def auth(client: httpx.Client, step: str, **body: str) -> httpx.Response:
    return client.post(f"/api/v1/auth/{step}", json=body)


def as_person(session: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {session['access_token']}"}


def refused(client: httpx.Client, session: dict[str, Any]) -> bool:
    """Tell whether the session's access token is refused; what the authorizer remembers is over after 20 seconds."""
    for _ in range(60):
        if client.get("/api/v1/users/me", headers=as_person(session)).status_code in {401, 403}:
            return True
        time.sleep(0.5)
    return False


def test_a_person_signs_up_founds_a_tenant_and_is_out_once_signed_out(client: httpx.Client) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    assert auth(client, "sign-up", email=email).status_code == 202
    confirmed = auth(client, "confirm", email=email, code=CODE, name="Ada", password=PASSWORD)
    assert confirmed.status_code == 200, confirmed.text

    signed_in = auth(client, "sign-in", email=email, password=PASSWORD)
    assert signed_in.status_code == 200, signed_in.text
    session = signed_in.json()
    me = client.get("/api/v1/users/me", headers=as_person(session))
    assert (me.status_code, me.json()["email"], me.json()["name"]) == (200, email, "Ada"), me.text

    founded = client.post("/api/v1/tenants", headers=as_person(session), json={"name": "Ada's"})
    assert founded.status_code == 201, founded.text
    seen = client.get("/api/v1/tenants/me", headers=as_person(session))
    assert (seen.status_code, seen.json()["caller"]["role"]) == (200, "owner"), seen.text
    project = client.post("/api/v1/projects", headers=as_person(session), json={"name": "Notes"})
    assert project.status_code == 201, project.text

    first = auth(client, "refresh", refresh_token=session["refresh_token"]).json()
    second = auth(client, "refresh", refresh_token=first["refresh_token"]).json()
    assert client.get("/api/v1/tenants/me", headers=as_person(second)).status_code == 200

    assert auth(client, "sign-out", refresh_token=second["refresh_token"]).status_code == 204
    assert auth(client, "refresh", refresh_token=second["refresh_token"]).status_code == 401
    assert refused(client, second)


def test_a_refresh_token_that_was_used_before_ends_the_session(client: httpx.Client) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    auth(client, "sign-up", email=email)
    oldest = auth(client, "confirm", email=email, code=CODE, name="Bob", password=PASSWORD).json()
    middle = auth(client, "refresh", refresh_token=oldest["refresh_token"]).json()
    newest = auth(client, "refresh", refresh_token=middle["refresh_token"]).json()
    assert auth(client, "refresh", refresh_token=oldest["refresh_token"]).status_code == 401
    assert auth(client, "refresh", refresh_token=newest["refresh_token"]).status_code == 401
    assert refused(client, newest)


def test_a_wrong_password_and_an_unknown_address_are_answered_alike(client: httpx.Client) -> None:
    email = f"{uuid.uuid4().hex}@example.org"
    auth(client, "sign-up", email=email)
    auth(client, "confirm", email=email, code=CODE, name="Eve", password=PASSWORD)
    answers = [
        auth(client, "sign-in", email=address, password="Wrong horse 11")
        for address in (email, f"{uuid.uuid4().hex}@example.org")
    ]
    shown = [(answer.status_code, {**answer.json(), "correlation_id": ""}) for answer in answers]
    assert shown[0] == shown[1]
    assert shown[0][0] == 401


def test_the_command_line_signs_up_knows_who_it_is_and_logs_out(
    stack: StackInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALMANAC_CONFIG", str(tmp_path / "config.toml"))
    for name in ("ALMANAC_URL", "ALMANAC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    email = f"{uuid.uuid4().hex}@example.org"

    def almanac(*arguments: str, stdin: str | None = None) -> Any:
        result = CliRunner().invoke(app, [*arguments, "--json"], input=stdin)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    typed = f"{CODE}\nAda\n{PASSWORD}\n"
    assert almanac("sign-up", "--url", stack.api_url, "--email", email, stdin=typed)["tenants"] == []
    assert almanac("whoami")["person"]["email"] == email
    assert almanac("login", "--email", email, stdin=f"{PASSWORD}\n")["email"] == email
    assert almanac("logout") == {"url": stack.api_url, "ended": True}
