"""Service accounts: what their keys do is done in their name, and ends with them."""

import asyncio
import importlib
from functools import partial
from typing import Any

import pytest

from almanac.access import Caller
from almanac.aws import keys
from almanac.aws.table import dynamo
from identity.accounts.repository import AccountRepository
from tests.integration.harness import READ, Answer, Context, Stack

PATH = "/api/v1/service-accounts"


def call(stack: Stack, tenant: str, method: str, path: str = "", body: Any = None) -> Answer:
    return stack.call("identity", method, PATH + path, body, tenant=tenant)


def create(stack: Stack, tenant: str, name: str = "deployments") -> dict[str, Any]:
    answer = call(stack, tenant, "POST", body={"name": name, "description": "Releases the shop."})
    assert answer.status == 201, answer.text
    return dict(answer.json)


def key_of(stack: Stack, tenant: str, account: str, **body: Any) -> Answer:
    given = {"name": "key", "scopes": ["content:read"], "service_account_id": account, **body}
    return stack.call("identity", "POST", "/api/v1/api-keys", given, tenant=tenant)


def authorize(secret: str) -> Caller | None:
    event = {"headers": {"authorization": f"Bearer {secret}"}}
    answer = importlib.import_module("identity.authorizer").handler(event, Context())
    return Caller.from_context(answer["context"]) if answer["isAuthorized"] else None


def test_a_key_of_an_account_acts_in_its_name(stack: Stack) -> None:
    tenant = stack.tenant()
    account = create(stack, tenant)
    key = key_of(stack, tenant, account["id"]).json
    caller = authorize(key["api_key"])
    assert caller is not None
    assert caller.principal is not None
    assert (caller.principal.actor_id, caller.principal.key_id) == (account["id"], key["id"])
    assert call(stack, tenant, "GET", f"/{account['id']}").json["keys"] == [key["id"]]


def test_accounts_are_listed_page_by_page(stack: Stack) -> None:
    tenant = stack.tenant()
    made = [create(stack, tenant, f"account {number}")["id"] for number in range(3)]
    first = stack.call("identity", "GET", PATH, tenant=tenant, query={"limit": 2}).json
    rest = stack.call("identity", "GET", PATH, tenant=tenant, query={"limit": 2, "cursor": first["next_cursor"]}).json
    assert [found["id"] for found in first["items"] + rest["items"]] == made
    assert rest["next_cursor"] is None


def test_a_disabled_accounts_keys_stop_at_once_and_start_again(stack: Stack) -> None:
    tenant = stack.tenant()
    account = create(stack, tenant)["id"]
    secrets = [key_of(stack, tenant, account).json["api_key"] for _ in range(3)]
    version = call(stack, tenant, "GET", f"/{account}").json["version"]
    disabled = call(stack, tenant, "PATCH", f"/{account}", {"version": version, "disabled": True})
    assert (disabled.status, disabled.json["disabled"]) == (200, True)
    assert [authorize(secret) for secret in secrets] == [None] * 3
    states = {key["state"] for key in stack.call("identity", "GET", "/api/v1/api-keys", tenant=tenant).json["items"]}
    assert states == {"disabled"}
    refused = key_of(stack, tenant, account)
    assert (refused.status, refused.json["code"]) == (409, "service_account_disabled")
    call(stack, tenant, "PATCH", f"/{account}", {"version": version + 1, "disabled": False})
    assert all(authorize(secret) for secret in secrets)


def test_a_deleted_accounts_keys_are_gone_with_it(stack: Stack) -> None:
    tenant = stack.tenant()
    account = create(stack, tenant)["id"]
    secrets = [key_of(stack, tenant, account).json["api_key"] for _ in range(2)]
    assert call(stack, tenant, "DELETE", f"/{account}").status == 204
    assert [authorize(secret) for secret in secrets] == [None, None]
    assert call(stack, tenant, "GET", f"/{account}").status == 404
    assert call(stack, tenant, "DELETE", f"/{account}").json["code"] == "service_account_not_found"
    assert stack.call("identity", "GET", "/api/v1/api-keys", tenant=tenant).json["items"] == []


def test_a_rotated_key_stays_the_accounts(stack: Stack) -> None:
    tenant = stack.tenant()
    account = create(stack, tenant)["id"]
    old = key_of(stack, tenant, account).json
    path = f"/api/v1/api-keys/{old['id']}/rotate"
    new = stack.call("identity", "POST", path, {"overlap_hours": 1}, tenant=tenant).json
    assert new["service_account_id"] == account
    assert call(stack, tenant, "GET", f"/{account}").json["keys"] == [old["id"], new["id"]]
    assert call(stack, tenant, "DELETE", f"/{account}").status == 204
    assert authorize(old["api_key"]) is authorize(new["api_key"]) is None


def test_a_revoked_key_leaves_its_account(stack: Stack) -> None:
    tenant = stack.tenant()
    account = create(stack, tenant)["id"]
    kept, revoked = (key_of(stack, tenant, account).json["id"] for _ in range(2))
    assert stack.call("identity", "DELETE", f"/api/v1/api-keys/{revoked}", tenant=tenant).status == 204
    assert call(stack, tenant, "GET", f"/{account}").json["keys"] == [kept]


def test_an_account_has_at_most_twenty_keys(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("identity.keys.service"), "MOST_KEYS_OF_AN_ACCOUNT", 2)
    tenant = stack.tenant()
    account = create(stack, tenant)["id"]
    assert [key_of(stack, tenant, account).status for _ in range(3)] == [201, 201, 409]


def test_twenty_keys_end_in_one_transaction(stack: Stack) -> None:
    tenant = stack.tenant()
    account = create(stack, tenant)["id"]
    secrets = [key_of(stack, tenant, account).json["api_key"] for _ in range(20)]
    assert key_of(stack, tenant, account).json["code"] == "too_many_api_keys"
    version = call(stack, tenant, "GET", f"/{account}").json["version"]
    assert call(stack, tenant, "PATCH", f"/{account}", {"version": version, "disabled": True}).status == 200
    assert not any(authorize(secret) for secret in secrets)
    assert call(stack, tenant, "DELETE", f"/{account}").status == 204


def test_a_tenant_has_no_more_accounts_than_it_can_look_after(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("identity.accounts.service"), "MOST_ACCOUNTS", 1)
    tenant = stack.tenant()
    create(stack, tenant)
    answer = call(stack, tenant, "POST", body={"name": "another"})
    assert (answer.status, answer.json["code"]) == (409, "too_many_service_accounts")


def test_a_change_is_made_to_what_the_caller_read(stack: Stack) -> None:
    tenant = stack.tenant()
    account = create(stack, tenant)["id"]
    renamed = call(stack, tenant, "PATCH", f"/{account}", {"version": 1, "name": "releases"})
    assert (renamed.json["name"], renamed.json["version"]) == ("releases", 2)
    assert call(stack, tenant, "PATCH", f"/{account}", {"version": 2}).json == renamed.json
    stale = call(stack, tenant, "PATCH", f"/{account}", {"version": 1, "disabled": True})
    assert (stale.status, stale.json["code"]) == (409, "version_conflict")
    assert call(stack, tenant, "GET", f"/{account}").json["disabled"] is False


def test_another_tenants_account_gets_no_key_and_is_not_seen(stack: Stack) -> None:
    mine, theirs = stack.tenant(), stack.tenant()
    account = create(stack, theirs)["id"]
    refused = key_of(stack, mine, account)
    assert (refused.status, refused.json["code"]) == (404, "service_account_not_found")
    assert call(stack, mine, "GET", f"/{account}").status == 404


@pytest.mark.parametrize(
    "body",
    [{}, {"name": ""}, {"name": "x\0"}, {"name": "x", "description": "y" * 501}, {"name": "x", "disabled": True}],
)
def test_bad_input_is_refused(stack: Stack, body: dict[str, Any]) -> None:
    assert call(stack, stack.tenant(), "POST", body=body).status == 422


@pytest.mark.parametrize(
    "body", [{"name": "x"}, {"version": 0, "name": "x"}, {"version": 1, "keys": []}, {"version": 1, "name": ""}]
)
def test_a_change_that_cannot_be_made_is_refused(stack: Stack, body: dict[str, Any]) -> None:
    tenant = stack.tenant()
    account = create(stack, tenant)["id"]
    assert call(stack, tenant, "PATCH", f"/{account}", body).status == 422


def test_only_who_manages_keys_manages_accounts(stack: Stack) -> None:
    for method, path in (("GET", ""), ("POST", ""), ("DELETE", "/svc_01k9zq3v7m8x2c4b6n0d1f5g7h")):
        body = {"name": "x"} if method == "POST" else None
        answer = stack.call("identity", method, PATH + path, body, tenant=stack.tenant(), scope=READ)
        assert (answer.status, answer.json["code"]) == (403, "insufficient_permission")


def test_an_account_that_is_disabled_meanwhile_gets_no_key(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = stack.tenant()
    account = create(stack, tenant)["id"]
    read = AccountRepository.get
    client = stack.client("dynamodb")

    async def read_then_disabled(repository: AccountRepository, account_id: str, **arguments: Any) -> Any:
        found = await read(repository, account_id, **arguments)
        disable = partial(
            client.update_item,
            TableName="almanac",
            Key=dynamo(keys.service_account(tenant, account_id).as_dict()),
            UpdateExpression="SET disabled = :yes, version = :version",
            ExpressionAttributeValues=dynamo({":yes": True, ":version": found.version + 1}),
        )
        # Another function's doing: in a thread without this call's context.
        await asyncio.get_running_loop().run_in_executor(None, disable)
        return found

    monkeypatch.setattr(AccountRepository, "get", read_then_disabled)
    refused = key_of(stack, tenant, account)
    assert (refused.status, refused.json["code"]) == (409, "service_account_disabled")
    assert stack.call("identity", "GET", "/api/v1/api-keys", tenant=tenant).json["items"] == []
