"""API keys over HTTP: shown once, listed without secrets, revoked for good."""

from typing import Any

from almanac.aws import keys
from almanac.aws.table import dynamo
from tests.integration.harness import READ, WRITE, Answer, Stack


def create(stack: Stack, tenant: str, scope: str = "content:read", name: str = "laptop") -> Answer:
    return stack.call("identity", "POST", "/api/v1/api-keys", {"name": name, "scopes": [scope]}, tenant=tenant)


def listed(stack: Stack, tenant: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = stack.call("identity", "GET", "/api/v1/api-keys", tenant=tenant).json["items"]
    return items


def test_a_new_key_is_shown_once_and_listed_without_its_secret(stack: Stack) -> None:
    tenant = stack.tenant()
    answer = create(stack, tenant, "content:write", " continuous integration ")
    assert answer.status == 201
    secret = answer.json["api_key"]
    assert secret.startswith(f"alm_{tenant.removeprefix('ten_')}_")
    (key,) = listed(stack, tenant)
    assert key == {name: value for name, value in answer.json.items() if name != "api_key"}
    assert key["name"] == "continuous integration"
    assert secret.endswith(key["ending"])


def test_no_item_of_the_table_holds_a_secret(stack: Stack) -> None:
    tenant = stack.tenant()
    secret = create(stack, tenant).json["api_key"]
    items = stack.client("dynamodb").scan(TableName="almanac")["Items"]
    assert secret.encode() not in repr(items).encode()
    assert secret.rsplit("_", 1)[1] not in repr(items)


def test_keys_are_listed_oldest_first_page_by_page(stack: Stack) -> None:
    tenant = stack.tenant()
    created = [create(stack, tenant, name=f"key {number}").json["id"] for number in range(5)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = stack.call("identity", "GET", "/api/v1/api-keys", tenant=tenant, query=query).json
        seen += [key["id"] for key in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == sorted(created)


def test_a_cursor_of_another_tenant_is_refused(stack: Stack) -> None:
    mine, theirs = stack.tenant(), stack.tenant()
    stack.client("dynamodb").update_item(
        TableName="almanac",
        Key=dynamo(keys.tenant(theirs).as_dict()),
        UpdateExpression="SET cursor_secret = :secret",
        ExpressionAttributeValues={":secret": {"B": b"1" * 32}},
    )
    for number in range(2):
        create(stack, mine, name=f"key {number}")
    query = {"limit": 1}
    cursor = stack.call("identity", "GET", "/api/v1/api-keys", tenant=mine, query=query).json["next_cursor"]
    answer = stack.call("identity", "GET", "/api/v1/api-keys", tenant=theirs, query={**query, "cursor": cursor})
    assert (answer.status, answer.json["code"]) == (400, "invalid_cursor")


def test_a_revoked_key_is_gone_and_revoking_it_again_is_not_found(stack: Stack) -> None:
    tenant = stack.tenant()
    key_id = create(stack, tenant).json["id"]
    answer = stack.call("identity", "DELETE", f"/api/v1/api-keys/{key_id}", tenant=tenant)
    assert (answer.status, answer.text) == (204, "")
    assert listed(stack, tenant) == []
    again = stack.call("identity", "DELETE", f"/api/v1/api-keys/{key_id}", tenant=tenant)
    assert (again.status, again.json["code"]) == (404, "api_key_not_found")


def test_the_last_admin_key_cannot_be_revoked(stack: Stack) -> None:
    tenant = stack.tenant()
    first, second = (create(stack, tenant, "keys:manage").json["id"] for _ in range(2))
    assert stack.call("identity", "DELETE", f"/api/v1/api-keys/{first}", tenant=tenant).status == 204
    answer = stack.call("identity", "DELETE", f"/api/v1/api-keys/{second}", tenant=tenant)
    assert (answer.status, answer.json["code"]) == (409, "last_admin_key")
    assert [key["id"] for key in listed(stack, tenant)] == [second]


def test_another_tenants_key_cannot_be_revoked(stack: Stack) -> None:
    mine, theirs = stack.tenant(), stack.tenant()
    key_id = create(stack, theirs).json["id"]
    assert stack.call("identity", "DELETE", f"/api/v1/api-keys/{key_id}", tenant=mine).status == 404
    assert [key["id"] for key in listed(stack, theirs)] == [key_id]


def test_only_an_admin_manages_keys(stack: Stack) -> None:
    tenant = stack.tenant()
    for scope in (READ, WRITE):
        for method, path, body in (
            ("GET", "/api/v1/api-keys", None),
            ("POST", "/api/v1/api-keys", {"name": "x", "scopes": ["content:read"]}),
            ("DELETE", "/api/v1/api-keys/key_01k9zq3v7m8x2c4b6n0d1f5g7h", None),
        ):
            answer = stack.call("identity", method, path, body, tenant=tenant, scope=scope)
            assert (answer.status, answer.json["code"]) == (403, "insufficient_permission")


def test_bad_input_names_the_field(stack: Stack) -> None:
    tenant = stack.tenant()
    for body, field in (
        ({"scopes": ["content:read"]}, "body.name"),
        ({"name": "a\0b", "scopes": ["content:read"]}, "body.name"),
        ({"name": "  ", "scopes": ["content:read"]}, "body.name"),
        ({"name": "x" * 101, "scopes": ["content:read"]}, "body.name"),
        ({"name": "x", "scopes": ["root"]}, "body.scopes.0"),
        ({"name": "x", "scopes": []}, "body.scopes"),
        ({"name": "x", "scopes": ["tenant:own"]}, "body.scopes"),
        ({"name": "x", "scopes": ["content:read"], "tenant_id": "ten_other"}, "body.tenant_id"),
        (b"{", "body"),
    ):
        answer = stack.call("identity", "POST", "/api/v1/api-keys", body, tenant=tenant)
        assert answer.status == 422
        assert [error["field"] for error in answer.json["errors"]] == [field]
    assert listed(stack, tenant) == []


def test_a_caller_sees_its_tenant_and_its_own_key(stack: Stack) -> None:
    tenant = stack.tenant("Acme")
    answer = stack.call("identity", "GET", "/api/v1/tenants/me", tenant=tenant, scope=READ)
    assert answer.status == 200
    assert (answer.json["id"], answer.json["name"]) == (tenant, "Acme")
    assert answer.json["caller"] == {
        "actor_id": "key_test",
        "role": None,
        "key_id": "key_test",
        "permissions": ["content:read", "tenant:read", "members:read"],
    }
    assert "cursor_secret" not in answer.text
