"""Tenants, members and invitations at the command line."""

from typing import Any

import pytest

from almanac_cli.config import Config
from tests.unit.cli.conftest import Cli, FakeApi

TENANTS, MEMBERS, INVITATIONS = (f"/api/v1/{name}" for name in ("tenants", "members", "invitations"))
ACME = {"tenant_id": "ten_2", "tenant_name": "Acme", "role": "owner", "since": "2026-01-31T12:00:00.000Z"}
ADA = {"person_id": "usr_1", "email": "ada@example.org", "name": "Ada", "role": "member", "version": 3}
SENT = {
    "id": "inv_1",
    "email": "ada@example.org",
    "role": "member",
    "expires_at": "2026-02-07T12:00:00.000Z",
    "mail": "sent",
    "mail_cause": None,
    "token": None,
}


def test_a_tenant_is_chosen_by_name_and_remembered(cli: Cli, api: FakeApi) -> None:
    api.items(TENANTS, {**ACME, "tenant_id": "ten_3", "tenant_name": "Other"}, ACME)
    assert cli.json("tenants", "use", "Acme") == ACME
    assert Config.stored().tenant_id == "ten_2"
    assert Config.stored().url == api.url


def test_the_list_marks_the_tenant_that_commands_work_in(cli: Cli, api: FakeApi) -> None:
    api.items(TENANTS, {**ACME, "tenant_id": "ten_1"}, ACME)
    first, second = cli.run("tenants", "list").stdout.splitlines()[1:]
    assert "*" in first
    assert "*" not in second
    assert cli.json("tenants", "list")["items"][1] == ACME


def test_a_name_of_several_tenants_or_of_none_chooses_nothing(cli: Cli, api: FakeApi) -> None:
    api.items(TENANTS, ACME, {**ACME, "tenant_id": "ten_3"})
    several, none = cli.run("tenants", "use", "Acme"), cli.run("tenants", "use", "Nobody")
    assert (several.exit_code, none.exit_code) == (2, 4)
    assert "ten_3" in several.stderr
    assert Config.stored().tenant_id == "ten_1"


def test_a_new_tenant_is_worked_in_at_once(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", TENANTS, ACME, status=201)
    assert cli.json("tenants", "create", "Acme") == ACME
    assert api.sent("POST", TENANTS)[0].json == {"name": "Acme"}
    assert Config.stored().tenant_id == "ten_2"


def test_a_local_tenant_is_logged_in_to_with_its_key(cli: Cli, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    created = {"url": api.url, "tenant_id": "ten_1", "key_id": "key_1", "api_key": "alm_new"}
    monkeypatch.setattr("almanac_cli.tenants.create_local_tenant", lambda name: created)
    assert cli.json("tenants", "create", "Acme", "--local") == created
    assert Config.stored().api_key == "alm_new"
    assert api.sent("POST", TENANTS) == []


def test_a_rename_and_a_transfer_say_what_they_did(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", f"{TENANTS}/me", {"id": "ten_1", "name": "Acme", "version": 4})
    api.answer("PATCH", f"{TENANTS}/me", {"id": "ten_1", "name": "Acme & Sons", "version": 5})
    assert "Acme & Sons" in cli.run("tenants", "rename", "Acme & Sons").stdout
    assert api.sent("PATCH", f"{TENANTS}/me")[0].json == {"name": "Acme & Sons", "version": 4}
    api.answer("POST", f"{TENANTS}/me/transfer", {**ADA, "role": "owner"})
    assert "you are an admin" in cli.run("tenants", "transfer", "usr_1").stdout


def test_leaving_forgets_the_tenant(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", f"{MEMBERS}/me/leave", None, status=204)
    assert cli.json("leave") == {"tenant_id": "ten_1", "status": "left"}
    assert Config.stored().tenant_id == ""


def test_the_last_owner_who_leaves_is_told_the_way_out_and_stays(cli: Cli, api: FakeApi) -> None:
    problem = {"detail": "Transfer the tenant first.", "code": "last_owner"}
    api.answer("POST", f"{MEMBERS}/me/leave", problem, status=409)
    result = cli.run("leave")
    assert result.exit_code == 1
    assert "Transfer the tenant first." in result.stderr
    assert Config.stored().tenant_id == "ten_1"


def test_a_member_is_found_by_address_and_changed_at_its_version(cli: Cli, api: FakeApi) -> None:
    api.items(MEMBERS, ADA)
    api.answer("PATCH", f"{MEMBERS}/usr_1", {**ADA, "role": "admin", "version": 4})
    assert cli.json("members", "role", "Ada@example.org", "admin")["role"] == "admin"
    assert api.sent("PATCH", f"{MEMBERS}/usr_1")[0].json == {"role": "admin", "version": 3}


def test_a_member_is_removed_by_id(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", f"{MEMBERS}/usr_1", ADA)
    api.answer("DELETE", f"{MEMBERS}/usr_1", None, status=204)
    assert cli.json("members", "remove", "usr_1") == {"person_id": "usr_1", "status": "removed"}
    assert cli.run("members", "remove", "bob@example.org").exit_code == 4


@pytest.mark.parametrize(
    ("became", "told"),
    [
        ({}, "on its way"),
        ({"mail": "not_configured", "token": "almi_secret"}, "almi_secret"),
        ({"mail": "failed", "mail_cause": "The mail service refused the letter."}, "refused the letter"),
        ({"mail": "pending"}, "resend"),
    ],
)
def test_an_invitation_says_what_became_of_its_letter(
    cli: Cli, api: FakeApi, became: dict[str, Any], told: str
) -> None:
    api.answer("POST", INVITATIONS, {**SENT, **became}, status=201)
    assert told in cli.run("invitations", "create", "ada@example.org", "--days", "3").stdout
    body = {"email": "ada@example.org", "role": "member", "expires_in_days": 3}
    assert api.sent("POST", INVITATIONS)[0].json == body


def test_an_invitation_is_sent_again_and_taken_back(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", f"{INVITATIONS}/inv_1/resend", SENT)
    api.answer("DELETE", f"{INVITATIONS}/inv_1", None, status=204)
    assert cli.json("invitations", "resend", "inv_1") == SENT
    assert cli.json("invitations", "revoke", "inv_1") == {"id": "inv_1", "status": "revoked"}


def test_who_accepts_works_in_the_tenant(cli: Cli, api: FakeApi) -> None:
    api.answer("POST", f"{INVITATIONS}/accept", ACME)
    assert "Acme" in cli.run("invitations", "accept", "almi_x").stdout
    assert api.sent("POST", f"{INVITATIONS}/accept")[0].json == {"token": "almi_x"}
    assert Config.stored().tenant_id == "ten_2"
