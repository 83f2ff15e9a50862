"""API keys over HTTP: shown once, listed without secrets, revoked for good."""

import importlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from almanac.access import TENANT_HEADER, Caller, Permission, Role, spell
from almanac.aws import keys
from almanac.aws.table import dynamo
from almanac.clock import iso
from identity.tokens import api_keys
from tests.integration.harness import READ, WRITE, Answer, Context, Stack, person


def create(stack: Stack, tenant: str, scope: str = "content:read", name: str = "laptop") -> Answer:
    return stack.call("identity", "POST", "/api/v1/api-keys", {"name": name, "scopes": [scope]}, tenant=tenant)


def make(stack: Stack, tenant: str, **body: Any) -> Answer:
    given = {"name": "laptop", "scopes": ["content:read"], **body}
    return stack.call("identity", "POST", "/api/v1/api-keys", given, tenant=tenant)


def authorize(secret: str, tenant: str | None = None) -> Caller | None:
    headers = {"authorization": f"Bearer {secret}", **({TENANT_HEADER: tenant} if tenant else {})}
    answer = importlib.import_module("identity.authorizer").handler({"headers": headers}, Context())
    return Caller.from_context(answer["context"]) if answer["isAuthorized"] else None


def stored(stack: Stack, secret: str) -> dict[str, Any]:
    claim = api_keys.parse(secret)
    assert claim is not None
    key = dynamo(keys.api_key(claim.tenant_id, claim.sha256).as_dict())
    item: dict[str, Any] = stack.client("dynamodb").get_item(TableName="almanac", Key=key)["Item"]
    return item


def write(stack: Stack, secret: str, **attributes: Any) -> None:
    item = stored(stack, secret) | dynamo(attributes)
    stack.client("dynamodb").put_item(TableName="almanac", Item=item)


def later(**given: float) -> str:
    return iso((datetime.now(UTC) + timedelta(**given)).timestamp())


def own(stack: Stack, tenant: str, owners: int) -> None:
    """Say that the tenant has so many owners."""
    stack.client("dynamodb").update_item(
        TableName="almanac",
        Key=dynamo(keys.tenant(tenant).as_dict()),
        UpdateExpression="SET owners = :owners",
        ExpressionAttributeValues={":owners": {"N": str(owners)}},
    )


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


def test_a_key_never_does_more_than_who_made_it(stack: Stack) -> None:
    tenant = stack.tenant()
    body = {"name": "x", "scopes": ["content:read", "audit:read"]}
    for caller in (
        {"caller": person(tenant, Role.ADMIN)},
        {"tenant": tenant, "scope": spell({Permission.KEYS_MANAGE, Permission.CONTENT_READ})},
    ):
        answer = stack.call("identity", "POST", "/api/v1/api-keys", body, **caller)
        assert (answer.status, answer.json["code"]) == (403, "scope_not_held")
        assert "`audit:read`" in answer.json["detail"]
        assert answer.json["errors"][0]["field"] == "body.scopes"
    assert listed(stack, tenant) == []


def test_a_key_is_not_rotated_by_one_that_may_less(stack: Stack) -> None:
    tenant = stack.tenant()
    key_id = make(stack, tenant, scopes=["audit:read"]).json["id"]
    path = f"/api/v1/api-keys/{key_id}/rotate"
    answer = stack.call("identity", "POST", path, {}, tenant=tenant, scope=spell({Permission.KEYS_MANAGE}))
    assert (answer.status, answer.json["code"]) == (403, "scope_not_held")


def test_a_key_ends_when_it_was_said_to(stack: Stack) -> None:
    tenant, moment = stack.tenant(), later(hours=5)
    assert make(stack, tenant, expires_at=moment).json["expires_at"] == moment
    before = datetime.now(UTC)
    created = make(stack, tenant, expires_in_days=7).json
    assert before <= datetime.fromisoformat(created["expires_at"]) - timedelta(days=7) + timedelta(milliseconds=1)
    assert datetime.fromisoformat(created["expires_at"]) - timedelta(days=7) <= datetime.now(UTC)
    assert authorize(created["api_key"]) is not None
    # The item itself goes long after the key stopped.
    assert int(stored(stack, created["api_key"])["expires_at"]["N"]) > before.timestamp() + 30 * 86400


@pytest.mark.parametrize(
    "given",
    [
        {"expires_in_days": 0},
        {"expires_in_days": 3651},
        {"expires_in_days": 1, "expires_at": later(days=1)},
        {"expires_at": later(seconds=-1)},
        {"expires_at": later(days=3651)},
        {"expires_at": "2999-01-01T00:00:00"},
        {"expires_at": "tomorrow"},
    ],
)
def test_an_end_that_makes_no_sense_is_refused(stack: Stack, given: dict[str, Any]) -> None:
    assert make(stack, stack.tenant(), **given).status == 422


def test_an_expired_key_is_refused_and_says_so_where_it_is_listed(stack: Stack) -> None:
    tenant = stack.tenant()
    created = make(stack, tenant, expires_in_days=1).json
    assert created["state"] == "active"
    write(stack, created["api_key"], ends_at=later(seconds=-1))
    assert authorize(created["api_key"]) is None
    assert listed(stack, tenant)[0]["state"] == "expired"


def test_a_key_says_when_it_was_used_and_writes_that_at_most_every_five_minutes(stack: Stack) -> None:
    tenant = stack.tenant()
    created = make(stack, tenant).json
    assert created["last_used_at"] is None
    assert authorize(created["api_key"]) is not None
    used = listed(stack, tenant)[0]["last_used_at"]
    assert used is not None
    assert authorize(created["api_key"]) is not None
    assert listed(stack, tenant)[0]["last_used_at"] == used


def test_two_environments_write_one_use(stack: Stack) -> None:
    secret = make(stack, stack.tenant()).json["api_key"]
    noted = importlib.import_module("identity.authorizer")._callers._noted

    def used_elsewhere() -> str:
        noted.clear()
        assert authorize(secret) is not None
        return str(stored(stack, secret)["last_used_at"]["S"])

    assert used_elsewhere() == used_elsewhere()
    long_ago = later(minutes=-6)
    write(stack, secret, last_used_at=long_ago)
    assert used_elsewhere() > long_ago


def test_a_use_that_cannot_be_written_refuses_nobody(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = make(stack, stack.tenant()).json["api_key"]
    callers = importlib.import_module("identity.authorizer")._callers
    client = callers._client
    calls: list[str] = []

    class Failing:
        def get_item(self, **arguments: Any) -> Any:
            return client.get_item(**arguments)

        def update_item(self, **_: Any) -> Any:
            calls.append("update_item")
            raise OSError("throttled")

    monkeypatch.setattr(callers, "_client", Failing())
    assert authorize(secret) is not None
    assert authorize(secret) is not None
    assert calls == ["update_item"]


def test_a_key_is_refused_for_a_tenant_that_is_not_its_own(stack: Stack) -> None:
    mine, theirs = stack.tenant(), stack.tenant()
    secret = make(stack, mine).json["api_key"]
    assert authorize(secret, mine) is not None
    assert authorize(secret, theirs) is None
    assert authorize(secret, "acme") is None


def test_no_such_tenant_no_such_key_and_a_wrong_key_cost_the_same(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = stack.tenant()
    make(stack, tenant)
    callers = importlib.import_module("identity.authorizer")._callers
    client = callers._client
    calls: list[tuple[str, list[str]]] = []

    class Recording:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            def called(**arguments: Any) -> Any:
                calls.append((name, sorted(arguments)))
                return getattr(client, name)(**arguments)

            return called

    monkeypatch.setattr(callers, "_client", Recording())
    for secret in (api_keys.create(tenant), api_keys.create("ten_01k9zq3v7m8x2c4b6n0d1f5g7h")):
        assert authorize(secret) is None
    assert calls == [("get_item", ["ConsistentRead", "Key", "TableName"])] * 2


def test_a_key_is_shown_and_renamed(stack: Stack) -> None:
    tenant = stack.tenant()
    created = make(stack, tenant).json
    path = f"/api/v1/api-keys/{created['id']}"
    renamed = stack.call("identity", "PATCH", path, {"name": " build "}, tenant=tenant)
    assert (renamed.status, renamed.json["name"]) == (200, "build")
    assert stack.call("identity", "GET", path, tenant=tenant).json == renamed.json
    assert authorize(created["api_key"]) is not None
    assert stack.call("identity", "PATCH", path, {"scopes": ["keys:manage"]}, tenant=tenant).status == 422


def rotate(stack: Stack, tenant: str, key_id: str, hours: int) -> Answer:
    path = f"/api/v1/api-keys/{key_id}/rotate"
    return stack.call("identity", "POST", path, {"overlap_hours": hours}, tenant=tenant)


def test_a_rotated_key_works_beside_the_new_one_until_the_overlap_is_over(stack: Stack) -> None:
    tenant = stack.tenant()
    old = make(stack, tenant, scopes=["content:read", "index:manage"], name="build").json
    new = rotate(stack, tenant, old["id"], 48).json
    assert (new["name"], new["scopes"], new["expires_at"]) == ("build", old["scopes"], None)
    assert new["api_key"] != old["api_key"]
    for secret in (old["api_key"], new["api_key"]):
        caller = authorize(secret)
        assert caller is not None
    shown = {key["id"]: key for key in listed(stack, tenant)}
    assert shown[old["id"]]["replaced_by"] == new["id"]
    ends = datetime.fromisoformat(shown[old["id"]]["expires_at"])
    assert abs(ends - datetime.now(UTC) - timedelta(hours=48)) < timedelta(minutes=1)


def test_without_overlap_the_old_key_stops_at_once(stack: Stack) -> None:
    tenant = stack.tenant()
    old = make(stack, tenant).json
    new = rotate(stack, tenant, old["id"], 0).json
    assert authorize(old["api_key"]) is None
    assert authorize(new["api_key"]) is not None


def test_a_new_key_lives_as_long_as_the_old_one_was_meant_to(stack: Stack) -> None:
    tenant = stack.tenant()
    old = make(stack, tenant, expires_in_days=30).json
    write(stack, old["api_key"], created_at=later(days=-29), ends_at=later(days=1))
    new = rotate(stack, tenant, old["id"], 168).json
    ends = datetime.fromisoformat(new["expires_at"])
    assert abs(ends - datetime.now(UTC) - timedelta(days=30)) < timedelta(minutes=1)
    # The overlap keeps no key longer than it was to live.
    shown = {key["id"]: key for key in listed(stack, tenant)}
    assert datetime.fromisoformat(shown[old["id"]]["expires_at"]) < datetime.now(UTC) + timedelta(days=1, minutes=1)


def test_a_key_is_rotated_once(stack: Stack) -> None:
    tenant = stack.tenant()
    old = make(stack, tenant).json
    assert rotate(stack, tenant, old["id"], 24).status == 201
    again = rotate(stack, tenant, old["id"], 24)
    assert (again.status, again.json["code"]) == (409, "api_key_ended")
    assert len(listed(stack, tenant)) == 2


def test_the_only_way_into_a_tenant_can_be_rotated_and_stays_protected(stack: Stack) -> None:
    tenant = stack.tenant()
    old = make(stack, tenant, scopes=["keys:manage"]).json
    new = rotate(stack, tenant, old["id"], 24).json
    path = "/api/v1/api-keys/"
    assert stack.call("identity", "DELETE", path + new["id"], tenant=tenant).json["code"] == "last_admin_key"
    assert stack.call("identity", "DELETE", path + old["id"], tenant=tenant).status == 204


def test_a_key_that_ends_is_no_way_in(stack: Stack) -> None:
    tenant = stack.tenant()
    last = make(stack, tenant, scopes=["keys:manage"]).json["id"]
    temporary = make(stack, tenant, scopes=["keys:manage"], expires_in_days=1).json["id"]
    answer = stack.call("identity", "DELETE", f"/api/v1/api-keys/{last}", tenant=tenant)
    assert (answer.status, answer.json["code"]) == (409, "last_admin_key")
    assert stack.call("identity", "DELETE", f"/api/v1/api-keys/{temporary}", tenant=tenant).status == 204


def test_an_owner_is_a_way_in_too(stack: Stack) -> None:
    tenant = stack.tenant()
    last = make(stack, tenant, scopes=["keys:manage"]).json["id"]
    own(stack, tenant, 1)
    assert stack.call("identity", "DELETE", f"/api/v1/api-keys/{last}", tenant=tenant).status == 204


def test_a_member_who_was_removed_meanwhile_makes_no_key(stack: Stack) -> None:
    tenant = stack.tenant()
    answer = stack.call(
        "identity",
        "POST",
        "/api/v1/api-keys",
        {"name": "x", "scopes": ["content:read"]},
        caller=person(tenant, Role.ADMIN),
    )
    assert (answer.status, answer.json["code"]) == (403, "standing_changed")
    assert listed(stack, tenant) == []


def test_a_tenant_has_no_more_keys_than_it_can_look_after(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("identity.keys.service"), "MOST_KEYS", 2)
    tenant = stack.tenant()
    first = make(stack, tenant, expires_in_days=1).json
    assert make(stack, tenant).status == 201
    answer = make(stack, tenant)
    assert (answer.status, answer.json["code"]) == (409, "too_many_api_keys")
    write(stack, first["api_key"], ends_at=later(seconds=-1))
    assert make(stack, tenant).status == 201
