"""The audit log over HTTP: every change is in it, nothing happens that is not, and tampering is found."""

import asyncio
import importlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from almanac.access import ROLES, Caller, Role, spell
from almanac.audit import chain, trail
from almanac.aws import keys
from almanac.aws.table import dynamo, plain
from almanac.web import recording
from tests.integration.harness import READ, WRITE, Answer, Context, Stack, person

AUDIT = "/api/v1/audit"
KEYS = "/api/v1/api-keys"
PERSON = "usr_01k9zq3v7m8x2c4b6n0d1f5g7h"
AUDITOR = spell(ROLES[Role.AUDITOR])


def create_key(stack: Stack, tenant: str, **arguments: Any) -> Answer:
    body = {"name": "a key nobody should read about", "scopes": ["content:read"]}
    return stack.call("identity", "POST", KEYS, body, tenant=tenant, **arguments)


def entries(stack: Stack, tenant: str, **query: Any) -> list[dict[str, Any]]:
    """Return the log, the newest first, with all that was asked for so far."""
    stack.drain()
    answer = stack.call("identity", "GET", AUDIT, tenant=tenant, query=query)
    assert answer.status == 200, answer.text
    return list(answer.json["items"])


def verify(stack: Stack, tenant: str, **query: Any) -> dict[str, Any]:
    answer = stack.call("identity", "GET", f"{AUDIT}/verify", tenant=tenant, query=query)
    assert answer.status == 200, answer.text
    return dict(answer.json)


def rows(stack: Stack, tenant: str, partition: Callable[[str], str]) -> list[dict[str, Any]]:
    answer = stack.client("dynamodb").query(
        TableName="almanac",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": partition(tenant)}},
    )
    return [plain(item) for item in answer["Items"]]


def put(stack: Stack, item: dict[str, Any]) -> None:
    stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))


def delete(stack: Stack, item: dict[str, Any]) -> None:
    stack.client("dynamodb").delete_item(TableName="almanac", Key=dynamo({"pk": item["pk"], "sk": item["sk"]}))


def test_a_change_is_in_the_log_with_who_what_where_from_and_how_it_ended(stack: Stack) -> None:
    tenant = stack.tenant()
    caller = stack.member(tenant, Role.OWNER, PERSON)
    created = stack.call(
        "identity",
        "POST",
        KEYS,
        {"name": "ci", "scopes": ["content:read"]},
        caller=caller,
        headers={"x-correlation-id": "build-4711"},
    )
    assert created.status == 201, created.text
    (entry,) = entries(stack, tenant)
    assert entry["actor"] == {
        "id": PERSON,
        "role": "owner",
        "key_id": None,
        "session_id": "session",
    }
    assert (entry["action"], entry["method"]) == ("create_api_key", "POST")
    assert entry["resource"] == {"created": created.json["id"]}
    assert entry["source"] == {"ip": "127.0.0.1", "user_agent": "test"}
    assert (entry["result"], entry["status"], entry["code"]) == ("succeeded", 201, None)
    assert (entry["seq"], entry["correlation_id"]) == (1, "build-4711")
    assert entry["at"] <= entry["sealed_at"]


def test_a_refused_change_is_in_the_log_and_a_call_without_credentials_is_not(stack: Stack) -> None:
    tenant = stack.tenant()
    assert create_key(stack, tenant, scope=READ).status == 403
    assert stack.call("identity", "DELETE", f"{KEYS}/key_01k9zq3v7m8x2c4b6n0d1f5g7h", tenant=tenant).status == 404
    assert stack.call("identity", "POST", KEYS, {"name": ""}, tenant=tenant).status == 422
    assert stack.call("identity", "POST", KEYS, {}, tenant=None).status == 401
    found = [(entry["action"], entry["result"], entry["status"], entry["code"]) for entry in entries(stack, tenant)]
    assert found == [
        ("create_api_key", "refused", 422, "validation_failed"),
        ("delete_api_key", "refused", 404, "api_key_not_found"),
        ("create_api_key", "refused", 403, "insufficient_permission"),
    ]


def test_reading_the_log_is_in_the_log_and_other_reading_is_not(stack: Stack) -> None:
    tenant = stack.tenant()
    assert stack.call("identity", "GET", KEYS, tenant=tenant).status == 200
    assert stack.call("identity", "GET", AUDIT, tenant=tenant).status == 200
    assert stack.call("identity", "GET", f"{AUDIT}/verify", tenant=tenant).status == 200
    assert stack.call("identity", "GET", f"{AUDIT}/export", tenant=tenant).status == 200
    assert [entry["action"] for entry in entries(stack, tenant)] == ["export_audit", "list_audit"]


@pytest.mark.parametrize("path", [AUDIT, f"{AUDIT}/verify", f"{AUDIT}/export"])
@pytest.mark.parametrize(
    ("scope", "status"),
    [(AUDITOR, 200), (WRITE, 403), (spell(ROLES[Role.ADMIN]), 403)],
    ids=["auditor", "member", "admin"],
)
def test_owners_and_auditors_read_the_log_and_nobody_else(stack: Stack, path: str, scope: str, status: int) -> None:
    tenant = stack.tenant()
    assert stack.call("identity", "GET", path, tenant=tenant, scope=scope).status == status


def test_nothing_happens_that_cannot_be_recorded(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    tenant = stack.tenant()

    async def broken(*_: object) -> None:
        raise ConnectionError("no table")

    with monkeypatch.context() as patch:
        patch.setattr(trail, "begin", broken)
        answer = create_key(stack, tenant)
        assert (answer.status, answer.json["code"]) == (503, "audit_unavailable")
        assert stack.call("identity", "GET", KEYS, tenant=tenant).json["items"] == []
    assert entries(stack, tenant) == []


def test_a_call_that_dies_after_it_began_is_in_the_log_as_unknown(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = stack.tenant()

    async def dies(*_: object) -> None:
        await asyncio.sleep(0)

    with monkeypatch.context() as patch:
        patch.setattr(recording.Ending, "record", dies)
        assert create_key(stack, tenant).status == 201
    assert entries(stack, tenant) == []
    stack.drain()
    assert (verify(stack, tenant)["open"], verify(stack, tenant)["oldest_open_at"] is not None) == (1, True)
    (item,) = (row for row in rows(stack, tenant, keys.audit_opens) if row["action"] == "create_api_key")
    put(stack, {**item, "at": "2026-01-01T00:00:00.000Z", "gsi2sk": "2026-01-01T00:15:00.000Z"})
    assert importlib.import_module("projects.reconciler").handler({}, Context())["audit_logs"] == 1
    found = {entry["action"]: entry["result"] for entry in entries(stack, tenant)}
    assert found["create_api_key"] == "unknown"
    stack.drain()
    assert verify(stack, tenant)["open"] == 0


def test_a_question_is_in_the_log_only_where_it_is_kept(stack: Stack) -> None:
    tenant = stack.tenant()
    stack.call("search", "POST", "/api/v1/ask", {"question": "why"}, tenant=tenant)
    assert entries(stack, tenant) == []
    body = {"question": "why", "conversation_id": "cnv_01k9zq3v7m8x2c4b6n0d1f5g7h"}
    assert stack.call("search", "POST", "/api/v1/ask", body, tenant=tenant).status == 404
    (entry, *_) = entries(stack, tenant)
    assert (entry["action"], entry["status"]) == ("ask", 404)
    assert entry["resource"] == {"conversation_id": body["conversation_id"]}


def test_what_an_operator_does_is_in_the_log(stack: Stack) -> None:
    operators = importlib.import_module("identity.admin").handler
    event = {"action": "create_tenant", "name": "Acme", "owner_email": "ada@example.org"}
    made = operators(event, Context())
    key = operators({"action": "create_key", "tenant_id": made["tenant_id"], "name": "lost"}, Context())
    found = entries(stack, made["tenant_id"])
    assert {entry["actor"]["id"] for entry in found} == {"operator"}
    assert [(entry["action"], entry["resource"]["created"]) for entry in reversed(found)] == [
        ("create_tenant", made["tenant_id"]),
        ("create_invitation", made["invitation_id"]),
        ("create_api_key", key["key_id"]),
    ]
    assert found[0]["facts"]["scopes"].startswith("content:read")
    assert verify(stack, made["tenant_id"])["intact"]


def test_a_role_that_is_given_and_a_person_who_joins_are_in_the_log(stack: Stack) -> None:
    ada = person("", Role.OWNER, PERSON)
    founded = stack.call("identity", "POST", "/api/v1/tenants", {"name": "Acme"}, caller=Caller(person=ada.person))
    tenant = founded.json["tenant_id"]
    owner = person(tenant, Role.OWNER, PERSON)
    body = {"email": "grace@example.org", "role": "viewer"}
    sent = stack.call("identity", "POST", "/api/v1/invitations", body, caller=owner).json
    grace = person("", Role.VIEWER, "usr_01k9zq3v7m8x2c4b6n0d1f5g7j", "grace@example.org")
    joined = stack.call(
        "identity", "POST", "/api/v1/invitations/accept", {"token": sent["token"]}, caller=Caller(person=grace.person)
    )
    assert joined.status == 200, joined.text
    role = {"role": "auditor", "version": 1}
    path = "/api/v1/members/usr_01k9zq3v7m8x2c4b6n0d1f5g7j"
    assert stack.call("identity", "PATCH", path, role, caller=owner).status == 200
    found = [(entry["action"], entry["actor"]["id"], entry["facts"].get("role")) for entry in entries(stack, tenant)]
    assert found == [
        ("update_member", PERSON, "auditor"),
        ("accept_invitation", "usr_01k9zq3v7m8x2c4b6n0d1f5g7j", found[1][2]),
        ("create_invitation", PERSON, "viewer"),
        ("create_tenant", PERSON, found[3][2]),
    ]


def test_no_entry_holds_a_body_a_secret_or_a_name(stack: Stack) -> None:
    tenant = stack.tenant()
    created = create_key(stack, tenant, headers={"authorization": "Bearer alm_secret"})
    stack.call("identity", "DELETE", f"{KEYS}/{created.json['api_key']}", tenant=tenant)
    stack.drain()
    written = repr([rows(stack, tenant, each) for each in (keys.audit_entries, keys.audit_sources, keys.audit_opens)])
    assert "create_api_key" in written
    for secret in (created.json["api_key"], "alm_", "nobody should read", "example.org"):
        assert secret not in written


def test_a_list_is_narrowed_and_goes_on(stack: Stack) -> None:
    tenant = stack.tenant()
    first = create_key(stack, tenant).json["id"]
    create_key(stack, tenant, caller=stack.member(tenant, Role.OWNER, PERSON))
    create_key(stack, tenant, scope=READ)
    stack.call("identity", "DELETE", f"{KEYS}/{first}", tenant=tenant)
    assert len(entries(stack, tenant, actor=PERSON)) == 1
    assert [entry["action"] for entry in entries(stack, tenant, resource=first)] == ["delete_api_key", "create_api_key"]
    assert [entry["status"] for entry in entries(stack, tenant, action="create_api_key", result="refused")] == [403]
    assert len(entries(stack, tenant, action="create_api_key", since="1h")) == 3
    assert entries(stack, tenant, until="2026-01-01") == []
    page = stack.call("identity", "GET", AUDIT, tenant=tenant, query={"action": "create_api_key", "limit": 2}).json
    query = {"action": "create_api_key", "limit": 2, "cursor": page["next_cursor"]}
    rest = stack.call("identity", "GET", AUDIT, tenant=tenant, query=query).json
    assert [len(page["items"]), len(rest["items"]), rest["next_cursor"]] == [2, 1, None]
    other = stack.call("identity", "GET", AUDIT, tenant=tenant, query={**query, "action": "delete_api_key"})
    assert (other.status, other.json["code"]) == (400, "invalid_cursor")


def test_an_export_can_be_checked_by_anybody(stack: Stack) -> None:
    tenant = stack.tenant()
    for _ in range(3):
        create_key(stack, tenant)
    stack.drain()
    first = stack.call("identity", "GET", f"{AUDIT}/export", tenant=tenant, query={"limit": 2})
    assert first.headers["content-type"] == "application/x-ndjson"
    assert first.headers["link"] == f'<{AUDIT}/export?after=2&limit=2>; rel="next"'
    second = stack.call("identity", "GET", f"{AUDIT}/export", tenant=tenant, query={"limit": 2, "after": 2})
    assert "link" not in second.headers
    lines = [json.loads(line) for line in (first.text + second.text).splitlines()]
    checked = chain.check(lines, tenant)
    assert (checked.last.seq, checked.broken, checked.erased) == (3, None, 0)


def test_a_whole_log_is_found_whole_in_parts(stack: Stack) -> None:
    tenant = stack.tenant()
    for _ in range(5):
        create_key(stack, tenant)
    stack.drain()
    after, seen = 0, []
    while after is not None:
        found = verify(stack, tenant, after=after, limit=2)
        assert (found["intact"], found["broken"]) == (True, None)
        seen.append(found["verified"]["seq"])
        after = found["next_after"]
    assert seen == [2, 4, 5]
    assert found["verified"] == found["head"]


Tamper = Callable[[Stack, str, list[dict[str, Any]]], None]


def rewrite_entry(stack: Stack, tenant: str, items: list[dict[str, Any]]) -> None:
    put(stack, {**items[1], "result": "refused"})


def rewrite_with_hash(stack: Stack, tenant: str, items: list[dict[str, Any]]) -> None:
    line = {name: value for name, value in items[1].items() if name not in {"pk", "sk", "entity"}} | {"status": 204}
    put(stack, {**items[1], **line, "hash": chain.entry_hash(line)})


def delete_entry(stack: Stack, tenant: str, items: list[dict[str, Any]]) -> None:
    delete(stack, items[1])


def delete_last(stack: Stack, tenant: str, items: list[dict[str, Any]]) -> None:
    delete(stack, items[-1])


def rewrite_last(stack: Stack, tenant: str, items: list[dict[str, Any]]) -> None:
    line = {name: value for name, value in items[-1].items() if name not in {"pk", "sk", "entity"}} | {"status": 204}
    put(stack, {**items[-1], **line, "hash": chain.entry_hash(line)})


def append_entry(stack: Stack, tenant: str, items: list[dict[str, Any]]) -> None:
    last = {name: value for name, value in items[-1].items() if name not in {"pk", "sk", "entity"}}
    line = {**last, "seq": 5, "prev": last["hash"], "id": "forged"}
    put(
        stack,
        {**keys.audit_entry(tenant, 5).as_dict(), "entity": "audit_entry", **line, "hash": chain.entry_hash(line)},
    )


def swap_entries(stack: Stack, tenant: str, items: list[dict[str, Any]]) -> None:
    put(stack, {**items[1], "sk": items[2]["sk"]})
    put(stack, {**items[2], "sk": items[1]["sk"]})


def rewrite_source(stack: Stack, tenant: str, items: list[dict[str, Any]]) -> None:
    row = rows(stack, tenant, keys.audit_sources)[1]
    put(stack, {**row, "source": {**row["source"], "ip": "203.0.113.7"}})


@pytest.mark.parametrize(
    ("tamper", "seq", "fault"),
    [
        (rewrite_entry, 2, "changed"),
        (rewrite_with_hash, 3, "unlinked"),
        (delete_entry, 2, "missing"),
        (delete_last, 4, "cut_off"),
        (rewrite_last, 4, "changed"),
        (append_entry, 5, "beyond_head"),
        (swap_entries, 2, "missing"),
        (rewrite_source, 2, "source_changed"),
    ],
)
def test_what_is_done_to_the_table_is_found(stack: Stack, tamper: Tamper, seq: int, fault: str) -> None:
    tenant = stack.tenant()
    for _ in range(4):
        create_key(stack, tenant)
    stack.drain()
    assert verify(stack, tenant)["intact"]
    tamper(stack, tenant, rows(stack, tenant, keys.audit_entries))
    found = verify(stack, tenant)
    assert (found["intact"], found["next_after"]) == (False, None)
    assert (found["broken"]["seq"], found["broken"]["fault"]) == (seq, fault)


@pytest.mark.parametrize("change", [{"actor": "x"}, {"resource": {"a": 1}}, {"seq": "2"}, {"result": "splendid"}])
def test_an_entry_that_is_none_is_neither_shown_nor_a_server_error(stack: Stack, change: dict[str, Any]) -> None:
    tenant = stack.tenant()
    for _ in range(3):
        create_key(stack, tenant)
    stack.drain()
    put(stack, {**rows(stack, tenant, keys.audit_entries)[1], **change})
    answer = stack.call("identity", "GET", AUDIT, tenant=tenant)
    assert (answer.status, answer.json["code"]) == (409, "audit_log_damaged")
    assert verify(stack, tenant)["broken"]["seq"] == 2
    assert stack.call("identity", "GET", f"{AUDIT}/export", tenant=tenant).status == 200


def test_where_a_person_called_from_can_be_erased_and_the_chain_stays_whole(stack: Stack) -> None:
    tenant = stack.tenant()
    create_key(stack, tenant)
    stack.drain()
    for row in rows(stack, tenant, keys.audit_sources):
        delete(stack, row)
    found = verify(stack, tenant)
    assert (found["intact"], found["sources_erased"]) == (True, 1)
    assert [entry["source"] for entry in entries(stack, tenant) if entry["action"] == "create_api_key"] == [None]


def test_an_erased_person_leaves_an_entry_in_each_tenant_and_no_address(stack: Stack) -> None:
    tenant = stack.tenant()
    stack.member(tenant, Role.OWNER)
    eve = stack.member(tenant, Role.MEMBER, PERSON)
    body = {"confirm": PERSON}
    assert stack.call("identity", "POST", "/api/v1/users/me/erasure", body, caller=eve).status == 202
    (entry,) = entries(stack, tenant)
    assert (entry["action"], entry["actor"]["id"], entry["result"]) == ("leave_tenant", PERSON, "succeeded")
    assert entry["source"] == {"ip": None, "user_agent": None}


def test_another_tenants_log_is_not_seen(stack: Stack) -> None:
    tenant, other = stack.tenant(), stack.tenant()
    create_key(stack, tenant)
    stack.drain()
    assert stack.call("identity", "GET", AUDIT, tenant=other).json["items"] == []
    assert stack.call("identity", "GET", f"{AUDIT}/export", tenant=other).text == ""
    assert verify(stack, other)["head"] == {"seq": 0, "hash": "0" * 64}
