"""Tenants of people: founded, listed, renamed, handed over."""

from typing import Any

import pytest

from almanac.access import Caller, Person, Role
from almanac.ids import new_id
from identity import admin
from tests.integration.harness import Answer, Context, Stack, person


def signed_in(email: str = "ada@example.org", person_id: str | None = None) -> Caller:
    """Return a person who has chosen no tenant."""
    return Caller(Person(person_id or new_id("usr"), email, "session"))


def found(stack: Stack, caller: Caller, name: str = "Acme") -> Answer:
    return stack.call("identity", "POST", "/api/v1/tenants", {"name": name}, caller=caller)


def listed(stack: Stack, caller: Caller) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = stack.call("identity", "GET", "/api/v1/tenants", caller=caller).json["items"]
    return items


def test_who_founds_a_tenant_owns_it(stack: Stack) -> None:
    ada = signed_in()
    answer = found(stack, ada, " Acme ")
    assert answer.status == 201
    assert (answer.json["tenant_name"], answer.json["role"]) == ("Acme", "owner")
    assert listed(stack, ada) == [answer.json]
    assert listed(stack, signed_in()) == []


def test_nobody_founds_more_tenants_than_one_may(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from identity import wiring

    monkeypatch.setattr(wiring, "tenants_per_person", lambda: 2)
    ada = signed_in()
    assert [found(stack, ada).status for _ in range(3)] == [201, 201, 409]
    assert found(stack, ada).json["code"] == "too_many_tenants"
    assert len(listed(stack, ada)) == 2
    assert found(stack, signed_in()).status == 201


def test_where_operators_alone_create_tenants_nobody_founds_one(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from identity import wiring

    monkeypatch.setattr(wiring, "tenants_per_person", lambda: 0)
    ada = signed_in()
    answer = found(stack, ada)
    assert (answer.status, answer.json["code"]) == (403, "founding_closed")
    assert listed(stack, ada) == []


def test_an_api_key_founds_and_lists_no_tenant(stack: Stack) -> None:
    tenant = stack.tenant()
    for method, body in (("POST", {"name": "Acme"}), ("GET", None)):
        answer = stack.call("identity", method, "/api/v1/tenants", body, tenant=tenant)
        assert (answer.status, answer.json["code"]) == (403, "person_required")


def test_a_rename_reaches_every_members_list(stack: Stack) -> None:
    tenant = stack.tenant("Acme")
    owner, viewer = (stack.member(tenant, role) for role in (Role.OWNER, Role.VIEWER))
    body = {"name": "Acme & Sons", "version": 1}
    answer = stack.call("identity", "PATCH", "/api/v1/tenants/me", body, caller=owner)
    assert (answer.status, answer.json["name"], answer.json["version"]) == (200, "Acme & Sons", 2)
    stack.drain()
    assert [tenant["tenant_name"] for caller in (owner, viewer) for tenant in listed(stack, caller)] == [
        body["name"]
    ] * 2
    stale = stack.call("identity", "PATCH", "/api/v1/tenants/me", body, caller=owner)
    assert (stale.status, stale.json["code"]) == (409, "version_conflict")


def test_a_late_rename_does_not_bring_an_old_name_back(stack: Stack) -> None:
    tenant = stack.tenant("Acme")
    owner = stack.member(tenant, Role.OWNER)
    for version, name in enumerate(("Second", "Third"), 1):
        stack.call("identity", "PATCH", "/api/v1/tenants/me", {"name": name, "version": version}, caller=owner)
    stack.relay()
    stack.drain()
    assert [tenant["tenant_name"] for tenant in listed(stack, owner)] == ["Third"]


def test_who_is_no_longer_what_it_was_renames_nothing(stack: Stack) -> None:
    tenant = stack.tenant("Acme")
    owner, admin = stack.member(tenant, Role.OWNER), stack.member(tenant, Role.ADMIN)
    assert admin.person is not None
    stack.call("identity", "DELETE", f"/api/v1/members/{admin.person.id}", caller=owner)
    answer = stack.call("identity", "PATCH", "/api/v1/tenants/me", {"name": "Mine", "version": 1}, caller=admin)
    assert (answer.status, answer.json["code"]) == (403, "standing_changed")
    assert stack.call("identity", "GET", "/api/v1/tenants/me", caller=owner).json["name"] == "Acme"


def test_an_operator_names_the_first_owner_by_address(stack: Stack) -> None:
    command = {"action": "create_tenant", "name": "Acme", "owner_email": "Ada@example.org"}
    created = admin.handler(command, Context())
    assert created["mail"] == "not_configured"
    ada = signed_in()
    body = {"token": created["invitation_token"]}
    accepted = stack.call("identity", "POST", "/api/v1/invitations/accept", body, caller=ada)
    assert (accepted.status, accepted.json["tenant_id"], accepted.json["role"]) == (200, created["tenant_id"], "owner")
    owner = person(created["tenant_id"], Role.OWNER, ada.person.id if ada.person else "")
    left = stack.call("identity", "POST", "/api/v1/members/me/leave", caller=owner)
    assert (left.status, left.json["code"]) == (409, "last_owner")


def test_an_operator_names_no_owner_by_what_is_no_address(stack: Stack) -> None:
    with pytest.raises(admin.CommandRefused, match="owner_email"):
        admin.handler({"action": "create_tenant", "name": "Acme", "owner_email": "ada"}, Context())
