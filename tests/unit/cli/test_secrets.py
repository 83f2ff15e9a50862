"""Findings and provider keys from the command line."""

from typing import Any

import pytest

from almanac_cli import secrets
from tests.unit.cli.conftest import Cli, FakeApi

ID = "fnd_01k9zq3v7m8x2c4b6n0d1f5g7h"
FINDINGS = "/api/v1/secret-findings"
KEYS = "/api/v1/provider-keys"
FINDING: dict[str, Any] = {
    "id": ID,
    "kind": "github_token",
    "state": "open",
    "line": 12,
    "source": {"repository": "encode/starlette", "path": "deploy.py", "commit": "9fceb02d", "message_id": None},
    "last_seen_at": "2026-01-31T12:00:00.000Z",
    "version": 3,
}
ASKED: dict[str, Any] = {
    "finding_id": ID,
    "state": "requested",
    "deleted": [],
    "remaining": [],
    "last_copy_until": None,
}
DONE = {
    **ASKED,
    "state": "done",
    "deleted": [{"what": "object_version", "count": 2, "last_copy_until": "2026-03-07T12:00:00.000Z"}],
    "remaining": ["Revoke the secret."],
}
PROVIDER = {"provider": "openai", "ending": "9aZx", "base_url": None, "set_by": "usr_1", "set_at": "x"}


def test_findings_are_listed_with_where_they_stand(cli: Cli, api: FakeApi) -> None:
    api.items(FINDINGS, FINDING)
    shown = cli.run("secrets", "list", "--state", "open")
    assert "deploy.py:12" in shown.stdout and "github_token" in shown.stdout
    assert api.sent("GET", FINDINGS)[0].query["state"] == ["open"]
    assert cli.json("secrets", "list") == {"items": [FINDING]}


def test_a_finding_is_dismissed_at_the_version_that_was_read(cli: Cli, api: FakeApi) -> None:
    api.answer("GET", f"{FINDINGS}/{ID}", FINDING)
    api.answer("PATCH", f"{FINDINGS}/{ID}", {**FINDING, "state": "dismissed"})
    assert cli.json("secrets", "dismiss", ID, "--reason", "a sample")["state"] == "dismissed"
    (sent,) = api.sent("PATCH", f"{FINDINGS}/{ID}")
    assert sent.json == {"state": "dismissed", "reason": "a sample", "version": 3}
    cli.json("secrets", "reopen", ID)
    assert api.sent("PATCH", f"{FINDINGS}/{ID}")[1].json == {"state": "open", "version": 3}


def test_a_purge_waits_for_its_receipt(cli: Cli, api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "POLL_SECONDS", 0.0)
    api.answer("POST", f"{FINDINGS}/{ID}/purge", ASKED, status=202)
    api.answer("GET", f"{FINDINGS}/{ID}/purge", ASKED, DONE)
    shown = cli.run("secrets", "purge", ID, "--wait").stdout
    assert "removed 2 object versions" in shown and "2026-03-07" in shown and "Revoke the secret." in shown
    assert cli.json("secrets", "purge", ID) == ASKED
    assert cli.json("secrets", "receipt", ID) == DONE


def test_a_key_is_taken_from_standard_input_and_never_shown(cli: Cli, api: FakeApi) -> None:
    api.answer("PUT", f"{KEYS}/openai", PROVIDER)
    shown = cli.run("provider-keys", "set", "openai", "--base-url", "https://m.example/v1", stdin="sk-the-key\n")
    assert shown.exit_code == 0 and "sk-the-key" not in shown.output
    assert api.sent("PUT", f"{KEYS}/openai")[0].json == {"key": "sk-the-key", "base_url": "https://m.example/v1"}
    assert cli.run("provider-keys", "set", "openai", stdin="\n").exit_code != 0


def test_keys_are_listed_and_removed(cli: Cli, api: FakeApi) -> None:
    api.items(KEYS, PROVIDER)
    assert cli.json("provider-keys", "list") == {"items": [PROVIDER]}
    api.answer("DELETE", f"{KEYS}/openai", None, status=204)
    assert cli.json("provider-keys", "delete", "openai") == {"provider": "openai"}
