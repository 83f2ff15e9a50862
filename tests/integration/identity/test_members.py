"""Members: who decides about whom, and what stays true whoever decides what."""

from itertools import product
from typing import Any

import pytest

from almanac.access import ROLES, Caller, Principal, Role
from almanac.aws import keys
from almanac.aws.table import dynamo, plain
from almanac.ids import new_id
from tests.integration.harness import Answer, Stack

# Written by hand, not taken from the code: about which roles each role decides.
DECIDES = {
    Role.OWNER: {Role.OWNER, Role.ADMIN, Role.MEMBER, Role.VIEWER, Role.AUDITOR},
    Role.ADMIN: {Role.ADMIN, Role.MEMBER, Role.VIEWER},
}
NEVER = [role for role in Role if role not in DECIDES]


def id_of(caller: Caller) -> str:
    assert caller.person is not None
    return caller.person.id


def change(stack: Stack, caller: Caller, target: Caller, role: Role, version: int = 1) -> Answer:
    path = f"/api/v1/members/{id_of(target)}"
    return stack.call("identity", "PATCH", path, {"role": role.value, "version": version}, caller=caller)


def remove(stack: Stack, caller: Caller, target: Caller) -> Answer:
    return stack.call("identity", "DELETE", f"/api/v1/members/{id_of(target)}", caller=caller)


def leave(stack: Stack, caller: Caller) -> Answer:
    return stack.call("identity", "POST", "/api/v1/members/me/leave", caller=caller)


def transfer(stack: Stack, caller: Caller, target: Caller) -> Answer:
    return stack.call("identity", "POST", "/api/v1/tenants/me/transfer", {"person_id": id_of(target)}, caller=caller)


def read(stack: Stack, key: keys.Key) -> dict[str, Any] | None:
    answer = stack.client("dynamodb").get_item(TableName="almanac", Key=dynamo(key.as_dict()), ConsistentRead=True)
    return plain(answer["Item"]) if "Item" in answer else None


def roles(stack: Stack, tenant: str) -> dict[str, str]:
    """Return every member's role, after both places that hold it and the count of owners were found to agree."""
    items = stack.client("dynamodb").scan(TableName="almanac", ConsistentRead=True)["Items"]
    found = [plain(item) for item in items]
    members = {
        i["person_id"]: i["role"] for i in found if i["entity"] == "member" and i["gsi1pk"] == keys.members(tenant)
    }
    copies = {
        item["pk"].split("#")[1]: item["role"]
        for item in found
        if item["entity"] == "person_tenant" and item["tenant_id"] == tenant
    }
    assert members == copies
    item = read(stack, keys.tenant(tenant))
    assert item is not None
    assert item["owners"] == list(members.values()).count("owner")
    return members


@pytest.mark.parametrize("own", list(DECIDES))
def test_a_role_changes_another_only_within_its_own(stack: Stack, own: Role) -> None:
    tenant = stack.tenant()
    caller = stack.member(tenant, own)
    stack.member(tenant, Role.OWNER)
    for old, new in product(Role, Role):
        target = stack.member(tenant, old)
        answer = change(stack, caller, target, new)
        if {old, new} <= DECIDES[own]:
            assert (answer.status, answer.json["role"], answer.json["version"]) == (200, new, 2)
        else:
            assert (answer.status, answer.json["code"]) == (403, "role_above_own"), f"{own}: {old} to {new}"
        assert roles(stack, tenant)[id_of(target)] == (new if answer.status == 200 else old)


@pytest.mark.parametrize("own", list(DECIDES))
def test_a_role_removes_only_within_its_own(stack: Stack, own: Role) -> None:
    tenant = stack.tenant()
    caller = stack.member(tenant, own)
    for old in Role:
        target = stack.member(tenant, old)
        answer = remove(stack, caller, target)
        assert answer.status == (204 if old in DECIDES[own] else 403), f"{own} removes {old}"
        assert (id_of(target) in roles(stack, tenant)) is (answer.status == 403)


@pytest.mark.parametrize("own", NEVER)
def test_other_roles_see_members_and_decide_about_nobody(stack: Stack, own: Role) -> None:
    tenant = stack.tenant()
    caller, target = stack.member(tenant, own), stack.member(tenant, Role.VIEWER)
    seen = stack.call("identity", "GET", f"/api/v1/members/{id_of(target)}", caller=caller)
    assert (seen.status, seen.json["role"]) == (200, "viewer")
    for answer in (change(stack, caller, target, Role.VIEWER), remove(stack, caller, target)):
        assert (answer.status, answer.json["code"]) == (403, "insufficient_permission")


def test_a_key_decides_about_the_roles_that_its_scopes_cover(stack: Stack) -> None:
    tenant = stack.tenant()
    member, viewer = stack.member(tenant, Role.MEMBER), stack.member(tenant, Role.VIEWER)
    scope = "content:read tenant:read members:read members:manage"
    path = f"/api/v1/members/{id_of(viewer)}"
    refused = stack.call("identity", "PATCH", path, {"role": "member", "version": 1}, tenant=tenant, scope=scope)
    assert (refused.status, refused.json["code"]) == (403, "role_above_own")
    assert "content:write" in refused.json["detail"]
    assert stack.call("identity", "DELETE", path, tenant=tenant, scope=scope).status == 204
    path = f"/api/v1/members/{id_of(member)}"
    assert stack.call("identity", "DELETE", path, tenant=tenant, scope=scope).status == 403


def test_the_last_owner_stays_one(stack: Stack) -> None:
    tenant = stack.tenant()
    owner = stack.member(tenant, Role.OWNER)
    stack.member(tenant, Role.ADMIN)
    for answer in (leave(stack, owner), remove(stack, owner, owner), change(stack, owner, owner, Role.ADMIN)):
        assert (answer.status, answer.json["code"]) == (409, "last_owner")
        assert "transfer" in answer.json["detail"]
    second = stack.member(tenant, Role.OWNER)
    assert leave(stack, owner).status == 204
    assert leave(stack, second).status == 409


@pytest.mark.parametrize("role", list(Role))
def test_whoever_is_not_the_last_owner_may_leave(stack: Stack, role: Role) -> None:
    tenant = stack.tenant()
    stack.member(tenant, Role.OWNER)
    caller = stack.member(tenant, role)
    assert leave(stack, caller).status == 204
    assert list(roles(stack, tenant).values()) == ["owner"]
    assert leave(stack, caller).status == 404


def test_an_api_key_cannot_leave(stack: Stack) -> None:
    answer = stack.call("identity", "POST", "/api/v1/members/me/leave", tenant=stack.tenant())
    assert (answer.status, answer.json["code"]) == (403, "person_required")


def test_a_transfer_makes_the_heir_an_owner_and_the_owner_an_admin(stack: Stack) -> None:
    tenant = stack.tenant()
    owner, heir = stack.member(tenant, Role.OWNER), stack.member(tenant, Role.VIEWER)
    answer = transfer(stack, owner, heir)
    assert (answer.status, answer.json["person_id"], answer.json["role"]) == (200, id_of(heir), "owner")
    assert roles(stack, tenant) == {id_of(owner): "admin", id_of(heir): "owner"}
    again = transfer(stack, owner, heir)
    assert (again.status, again.json["code"]) == (403, "standing_changed")


def test_a_transfer_between_owners_leaves_one_less(stack: Stack) -> None:
    tenant = stack.tenant()
    owner, other = stack.member(tenant, Role.OWNER), stack.member(tenant, Role.OWNER)
    assert transfer(stack, owner, other).status == 200
    assert roles(stack, tenant) == {id_of(owner): "admin", id_of(other): "owner"}


def test_a_transfer_needs_an_owner_and_another_member(stack: Stack) -> None:
    tenant = stack.tenant()
    owner, admin = stack.member(tenant, Role.OWNER), stack.member(tenant, Role.ADMIN)
    assert transfer(stack, admin, admin).json["code"] == "insufficient_permission"
    assert transfer(stack, owner, owner).json["code"] == "self_transfer"
    stranger = stack.member(stack.tenant(), Role.ADMIN)
    answer = transfer(stack, owner, stranger)
    assert (answer.status, answer.json["code"]) == (404, "member_not_found")
    assert [error["field"] for error in answer.json["errors"]] == ["body.person_id"]


def test_who_was_demoted_or_removed_decides_nothing_more(stack: Stack) -> None:
    """The authorizer's word may be some seconds old: these callers still carry their old role."""
    tenant = stack.tenant()
    owner, target = stack.member(tenant, Role.OWNER), stack.member(tenant, Role.VIEWER)
    removed, demoted = stack.member(tenant, Role.ADMIN), stack.member(tenant, Role.OWNER)
    assert remove(stack, owner, removed).status == 204
    assert change(stack, owner, demoted, Role.MEMBER).status == 200
    before = roles(stack, tenant)
    for caller in (removed, demoted):
        attempts = [
            change(stack, caller, target, Role.MEMBER),
            remove(stack, caller, target),
            stack.call(
                "identity", "POST", "/api/v1/invitations", {"email": "x@y.org", "role": "viewer"}, caller=caller
            ),
        ]
        assert [(a.status, a.json["code"]) for a in attempts] == [(403, "standing_changed")] * 3
    assert change(stack, demoted, demoted, Role.OWNER, version=2).json["code"] == "standing_changed"
    assert transfer(stack, demoted, target).json["code"] == "standing_changed"
    assert roles(stack, tenant) == before


def test_a_change_names_the_version_that_it_read(stack: Stack) -> None:
    tenant = stack.tenant()
    owner, target = stack.member(tenant, Role.OWNER), stack.member(tenant, Role.VIEWER)
    assert change(stack, owner, target, Role.MEMBER).status == 200
    answer = change(stack, owner, target, Role.ADMIN)
    assert (answer.status, answer.json["code"]) == (409, "version_conflict")
    assert answer.json["current_version"] == 2


def test_members_are_listed_page_by_page(stack: Stack) -> None:
    tenant = stack.tenant()
    created = [id_of(stack.member(tenant, role)) for role in Role]
    stack.member(stack.tenant(), Role.OWNER)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = stack.call("identity", "GET", "/api/v1/members", tenant=tenant, query=query).json
        seen += [member["person_id"] for member in page["items"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert seen == sorted(created)


def test_a_removed_members_private_projects_go_too(stack: Stack) -> None:
    tenant, other = stack.tenant(), stack.tenant()
    owner, gone, stays = (stack.member(tenant, role) for role in (Role.OWNER, Role.MEMBER, Role.MEMBER))
    project = new_id("prj")
    kept = [
        keys.private_project(tenant, project),
        keys.project_member(tenant, project, id_of(stays)),
        keys.project_member(other, project, id_of(gone)),
    ]
    lost = [keys.project_member(tenant, project, id_of(gone)), keys.project_member(tenant, new_id("prj"), id_of(gone))]
    for key in (*kept, *lost):
        item = {**key.as_dict(), "entity": "project_member", "added_at": "2026-01-01T00:00:00.000Z"}
        stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))
    assert remove(stack, owner, gone).status == 204
    stack.drain()
    assert [read(stack, key) is not None for key in (*kept, *lost)] == [True, True, True, False, False]


def test_who_came_back_keeps_what_it_was_given_since(stack: Stack) -> None:
    tenant = stack.tenant()
    owner, gone = stack.member(tenant, Role.OWNER), stack.member(tenant, Role.MEMBER)
    assert remove(stack, owner, gone).status == 204
    stack.member(tenant, Role.MEMBER, id_of(gone))
    key = keys.project_member(tenant, new_id("prj"), id_of(gone))
    item = {**key.as_dict(), "entity": "project_member", "added_at": "9999-01-01T00:00:00.000Z"}
    stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))
    stack.drain()
    assert read(stack, key) is not None


def test_a_member_of_another_tenant_does_not_exist(stack: Stack) -> None:
    owner, stranger = stack.member(stack.tenant(), Role.OWNER), stack.member(stack.tenant(), Role.VIEWER)
    unknown = Caller(stranger.person, None)
    for answer in (change(stack, owner, unknown, Role.ADMIN), remove(stack, owner, unknown)):
        assert (answer.status, answer.json["code"]) == (404, "member_not_found")


def test_a_key_that_claims_to_own_hands_nothing_over(stack: Stack) -> None:
    tenant = stack.tenant()
    stack.member(tenant, Role.OWNER)
    heir = stack.member(tenant, Role.MEMBER)
    key = Caller(principal=Principal(tenant, "key_test", ROLES[Role.OWNER], key_id="key_test"))
    answer = transfer(stack, key, heir)
    assert (answer.status, answer.json["code"]) == (403, "person_required")
    assert roles(stack, tenant)[id_of(heir)] == "member"
