"""A tenant that is erased leaves nothing behind, whoever was still writing, and its neighbours do not notice."""

import importlib
import json
import time
from typing import Any

import pytest

from almanac.access import Caller, Role
from almanac.aws import keys
from almanac.aws.table import dynamo
from almanac.ids import new_id
from tests.integration.harness import Answer, Context, Stack
from tests.integration.projects.workspace import Workspace
from tests.integration.search.world import World

MARK = "quetzalcoatl"


def ask(stack: Stack, owner: Caller, confirm: str = "Acme") -> Answer:
    return stack.call("identity", "POST", "/api/v1/erasures", {"confirm": confirm}, caller=owner)


def shown(stack: Stack, owner: Caller, erasure: str) -> Any:
    return stack.call("identity", "GET", f"/api/v1/erasures/{erasure}", caller=owner).json


def go_on(stack: Stack, erasure: str, *, milliseconds: int = 600_000) -> None:
    """Let the time pass that the next step waits for, and the schedule come round."""
    stack.client("dynamodb").update_item(
        TableName="almanac",
        Key=dynamo(keys.erasure(erasure).as_dict()),
        UpdateExpression="SET gsi2sk = :past",
        ConditionExpression="attribute_exists(gsi2sk)",
        ExpressionAttributeValues={":past": {"S": "2026-01-01T00:00:00.000Z"}},
    )
    importlib.import_module("identity.eraser").handler({}, Context(milliseconds))


def everything(stack: Stack, *, but: str = "") -> dict[str, str]:
    """Return all rows and all object versions, without those whose key names `but`."""
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName="almanac", ConsistentRead=True)
    found = {f"{item['pk']['S']} {item['sk']['S']}": repr(item) for page in pages for item in page["Items"]}
    s3 = stack.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket="almanac"):
        for entry in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
            found[f"{entry['Key']} {entry['VersionId']}"] = entry.get("ETag", "mark")
    return {name: value for name, value in found.items() if not but or but not in name}


def full(stack: Stack) -> tuple[str, Caller]:
    """Make a tenant with an owner, a member, keys, an invitation, projects, messages, an index and its past."""
    work = Workspace(stack, stack.tenant("Acme"))
    owner = stack.member(work.tenant, Role.OWNER)
    stack.member(work.tenant, Role.VIEWER)
    stack.call("identity", "POST", "/api/v1/api-keys", {"name": MARK, "scopes": ["content:read"]}, tenant=work.tenant)
    stack.call("identity", "POST", "/api/v1/invitations", {"email": "eve@example.org", "role": "viewer"}, caller=owner)
    project = work.project()
    checkpoint = work.checkpoint(project)
    for text in (f"{MARK} one", f"{MARK} two"):
        work.message(checkpoint, text)
    work.settle()
    world = World(stack, work.tenant, project=project)
    world.send(world.code("a.py", f"def {MARK}(): ..."))
    work.settle()
    return work.tenant, owner


def test_an_erased_tenant_leaves_nothing_but_the_receipt(stack: Stack) -> None:
    tenant, owner = full(stack)
    erasure = ask(stack, owner).json["id"]
    stack.drain()
    go_on(stack, erasure)
    assert shown(stack, owner, erasure)["state"] == "settling"
    go_on(stack, erasure)
    receipt = shown(stack, owner, erasure)
    assert (receipt["state"], receipt["looks"]) == ("done", 2)
    left = {name: value for name, value in everything(stack).items() if tenant in name + value or MARK in value}
    assert list(left) == [f"ERASURE#{erasure} ITEM"]
    assert receipt["rows"]["message"] == 2
    assert receipt["objects"].keys() >= {"messages", "index"}
    assert receipt["object_bytes"] > 0
    assert {copy["what"].split()[0] for copy in receipt["kept"]} == {"point-in-time", "logs,", "messages"}
    assert receipt["last_copy_expires_at"] == max(copy["until"] for copy in receipt["kept"])
    assert MARK not in json.dumps(receipt)


def test_the_neighbours_of_an_erased_tenant_are_as_they_were(stack: Stack) -> None:
    (_, _), (tenant, owner) = full(stack), full(stack)
    stack.drain()
    before = everything(stack, but=tenant)
    erasure = ask(stack, owner).json["id"]
    stack.drain()
    for _ in range(2):
        go_on(stack, erasure)
    after = everything(stack, but=tenant)
    gone = before.keys() - after.keys()
    assert {name.split("#")[0] for name in gone} <= {"PERSON", "INVITED"}
    assert {name: after[name] for name in before.keys() - gone} == {name: before[name] for name in before.keys() - gone}


def test_nobody_gets_in_from_the_moment_it_is_asked_for(stack: Stack) -> None:
    tenant, owner = full(stack)
    key = stack.call(
        "identity", "POST", "/api/v1/api-keys", {"name": "x", "scopes": ["content:read"]}, tenant=tenant
    ).json["api_key"]
    event = {"version": "2.0", "type": "REQUEST", "headers": {"authorization": f"Bearer {key}"}}
    authorizer = importlib.import_module("identity.authorizer").handler
    assert authorizer(event, Context())["isAuthorized"]
    ask(stack, owner)
    stack.drain()
    assert not authorizer(event, Context())["isAuthorized"]
    assert stack.call("identity", "GET", "/api/v1/tenants", caller=owner).json["items"] == []


def test_it_is_cut_off_after_every_step_and_ends_all_the_same(stack: Stack) -> None:
    tenant, owner = full(stack)
    erasure = ask(stack, owner).json["id"]
    for _ in range(6):
        go_on(stack, erasure, milliseconds=60_010)
    for _ in range(3):
        go_on(stack, erasure)
    assert shown(stack, owner, erasure)["state"] == "done"
    assert not [name for name in everything(stack) if tenant in name]


def test_what_a_late_worker_wrote_is_found_by_the_next_look(stack: Stack) -> None:
    tenant, owner = full(stack)
    erasure = ask(stack, owner).json["id"]
    go_on(stack, erasure)
    late = {**keys.message(tenant, new_id("msg")).as_dict(), "entity": "message"}
    stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(late))
    stack.client("s3").put_object(Bucket="almanac", Key=f"tenants/{tenant}/messages/late", Body=b"late")
    go_on(stack, erasure)
    assert shown(stack, owner, erasure)["state"] == "settling"
    go_on(stack, erasure)
    assert shown(stack, owner, erasure)["state"] == "done"
    assert not [name for name in everything(stack) if tenant in name]


def test_a_failing_step_is_shown_with_its_cause_and_tried_again(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from almanac.aws.table import Table

    _, owner = full(stack)
    erasure = ask(stack, owner).json["id"]

    async def broken(*_: Any) -> None:
        raise OSError("the line is down")

    with monkeypatch.context() as patch:
        patch.setattr(Table, "find", broken)
        go_on(stack, erasure)
    assert shown(stack, owner, erasure)["cause"] == "OSError: it is tried again"
    for _ in range(2):
        go_on(stack, erasure)
    assert (shown(stack, owner, erasure)["state"], shown(stack, owner, erasure)["cause"]) == ("done", None)


def test_a_tenant_is_erased_by_its_name_once_and_by_its_owner(stack: Stack) -> None:
    tenant = stack.tenant("Acme")
    owner, admin = stack.member(tenant, Role.OWNER), stack.member(tenant, Role.ADMIN)
    assert ask(stack, admin).status == 403
    wrong = ask(stack, owner, "acme")
    assert (wrong.status, wrong.json["code"], wrong.json["errors"][0]["field"]) == (
        422,
        "not_confirmed",
        "body.confirm",
    )
    first = ask(stack, owner)
    assert (first.status, first.json["state"]) == (202, "closing")
    assert ask(stack, owner).json["code"] == "being_erased"
    listed = stack.call("identity", "GET", "/api/v1/erasures", caller=owner).json["items"]
    assert [erasure["id"] for erasure in listed] == [first.json["id"]]
    assert stack.call("identity", "GET", f"/api/v1/erasures/{first.json['id']}", caller=admin).status == 404


def test_an_erased_person_leaves_its_tenants_and_nothing_of_its_own(stack: Stack) -> None:
    tenant = stack.tenant("Acme")
    stack.member(tenant, Role.OWNER)
    eve = stack.member(tenant, Role.MEMBER)
    assert eve.person is not None
    asked = {"title": MARK}
    assert stack.call("search", "POST", "/api/v1/conversations", asked, caller=eve).status == 201
    stack.call("identity", "GET", "/api/v1/users/me", caller=eve)
    answer = stack.call("identity", "POST", "/api/v1/users/me/erasure", {"confirm": eve.person.id}, caller=eve)
    assert (answer.status, answer.json["kind"], answer.json["subject_id"]) == (202, "person", eve.person.id)
    stack.drain()
    for _ in range(2):
        go_on(stack, answer.json["id"])
    receipt = shown(stack, eve, answer.json["id"])
    assert (receipt["state"], receipt["rows"]["conversation"]) == ("done", 1)
    left = {name for name in everything(stack) if eve.person.id in name}
    assert left == {f"PERSON#{eve.person.id} ITEM"}
    assert MARK not in "".join(everything(stack).values())
    members = stack.call("identity", "GET", "/api/v1/members", tenant=tenant).json["items"]
    assert [member["role"] for member in members] == ["owner"]


def test_an_erased_persons_tokens_are_refused_while_they_last(stack: Stack) -> None:
    eve = stack.member(stack.tenant("Acme"), Role.MEMBER)
    assert eve.person is not None
    before = int(time.time())
    stack.call("identity", "POST", "/api/v1/users/me/erasure", {"confirm": eve.person.id}, caller=eve)
    stone = stack.client("dynamodb").get_item(
        TableName="almanac", Key=dynamo(keys.person(eve.person.id).as_dict()), ConsistentRead=True
    )["Item"]
    assert int(stone["valid_after"]["N"]) > before
    assert int(stone["expires_at"]["N"]) > before + 3600
    assert stone.keys() == {"pk", "sk", "entity", "valid_after", "expires_at"}


def test_the_last_owner_of_a_tenant_hands_it_over_before_being_erased(stack: Stack) -> None:
    tenant = stack.tenant("Acme")
    owner = stack.member(tenant, Role.OWNER)
    assert owner.person is not None
    body = {"confirm": owner.person.id}
    answer = stack.call("identity", "POST", "/api/v1/users/me/erasure", body, caller=owner)
    assert (answer.status, answer.json["code"], answer.json["tenants"]) == (409, "owns_tenants", ["Acme"])
    wrong = stack.call("identity", "POST", "/api/v1/users/me/erasure", {"confirm": "eve@example.org"}, caller=owner)
    assert (wrong.status, wrong.json["code"]) == (422, "not_confirmed")
    stack.member(tenant, Role.OWNER)
    assert stack.call("identity", "POST", "/api/v1/users/me/erasure", body, caller=owner).status == 202


def test_an_operator_shows_the_receipt_to_who_cannot_sign_in_any_more(stack: Stack) -> None:
    eve = stack.member(stack.tenant("Acme"), Role.MEMBER)
    assert eve.person is not None
    body = {"confirm": eve.person.id}
    erasure = stack.call("identity", "POST", "/api/v1/users/me/erasure", body, caller=eve).json
    admin = importlib.import_module("identity.admin")
    shown = admin.handler({"action": "show_erasure", "erasure_id": erasure["id"]}, Context())
    assert json.loads(shown["receipt"]) == erasure
    with pytest.raises(admin.CommandRefused, match="no erasure"):
        admin.handler({"action": "show_erasure", "erasure_id": new_id("ers")}, Context())
