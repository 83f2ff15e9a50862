"""The request authorizer and the operators' entry: the road from no credentials to a working key."""

import importlib
import json
from typing import Any

import pytest

from almanac.access import GRANTABLE, Caller, Principal
from tests.integration.harness import Context, Stack


def authorize(header: str | None) -> dict[str, Any]:
    headers = {} if header is None else {"authorization": header}
    event = {"version": "2.0", "type": "REQUEST", "identitySource": [header], "headers": headers}
    answer: dict[str, Any] = importlib.import_module("identity.authorizer").handler(event, Context())
    return answer


def command(**event: Any) -> dict[str, str]:
    answer: dict[str, str] = importlib.import_module("identity.admin").handler(event, Context())
    return answer


def test_the_first_key_of_a_new_tenant_opens_the_api(stack: Stack) -> None:
    created = command(action="create_tenant", name="Acme")
    answer = authorize(f"Bearer {created['api_key']}")
    assert answer["isAuthorized"]
    principal = Caller.from_context(answer["context"]).principal
    assert principal == Principal(created["tenant_id"], created["key_id"], GRANTABLE, key_id=created["key_id"])
    me = stack.call("identity", "GET", "/api/v1/tenants/me", tenant=created["tenant_id"])
    assert (me.json["id"], me.json["name"]) == (created["tenant_id"], "Acme")


def test_an_operator_gives_a_tenant_another_key(stack: Stack) -> None:
    tenant = command(action="create_tenant", name="Acme")["tenant_id"]
    created = command(action="create_key", tenant_id=tenant, name="rescue", scopes=["content:read"])
    assert authorize(f"bearer  {created['api_key']} ")["context"]["permissions"] == "content:read"


def test_a_revoked_key_is_refused(stack: Stack) -> None:
    created = command(action="create_tenant", name="Acme")
    tenant = created["tenant_id"]
    command(action="create_key", tenant_id=tenant, name="second")
    path = f"/api/v1/api-keys/{created['key_id']}"
    assert stack.call("identity", "DELETE", path, tenant=tenant).status == 204
    assert authorize(f"Bearer {created['api_key']}") == {"isAuthorized": False}


def test_a_well_formed_key_that_was_never_issued_is_refused(stack: Stack) -> None:
    from identity.tokens import api_keys

    assert authorize(f"Bearer {api_keys.create(stack.tenant())}") == {"isAuthorized": False}


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer alm_", "Basic YTpi", "alm_x", "Bearer \u0661"]
)
def test_garbage_is_refused_before_anything_is_read(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, header: str | None
) -> None:
    monkeypatch.setattr(importlib.import_module("identity.authorizer")._callers, "_client", None)
    assert authorize(header) == {"isAuthorized": False}


def test_the_authorizer_never_writes_the_key_anywhere(
    stack: Stack, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    created = command(action="create_tenant", name="Acme")
    capfd.readouterr()
    answer = authorize(f"Bearer {created['api_key']}")
    out, err = capfd.readouterr()
    secret = created["api_key"].rsplit("_", 1)[1]
    assert secret not in out + err + caplog.text + json.dumps(answer)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({}, "action"),
        ({"action": "drop_table"}, "action"),
        ({"action": "create_tenant"}, "name"),
        ({"action": "create_tenant", "name": " "}, "name"),
        ({"action": "create_key", "tenant_id": "acme", "name": "x"}, "tenant_id"),
        ({"action": "create_tenant", "name": "x", "nmae": "y"}, "nmae"),
    ],
)
def test_a_bad_command_is_refused_with_the_field_at_fault(stack: Stack, event: dict[str, Any], field: str) -> None:
    refused = importlib.import_module("identity.admin").CommandRefused
    with pytest.raises(refused, match=rf"(^|; ){field}: "):
        command(**event)


def test_a_key_for_a_tenant_that_does_not_exist_is_refused(stack: Stack) -> None:
    refused = importlib.import_module("identity.admin").CommandRefused
    for scope in ("content:read", "keys:manage"):
        with pytest.raises(refused, match="no tenant"):
            command(action="create_key", tenant_id="ten_01k9zq3v7m8x2c4b6n0d1f5g7h", name="x", scopes=[scope])
