"""What a decision about a member changes at the authorizer, and when."""

import importlib

import pytest

from almanac.access import ROLES, Principal, Role
from tests.integration.harness import Stack
from tests.integration.identity.test_authorizer_people import PERSON, Door
from tests.integration.identity.test_invitations import accept, invite, signed_in
from tests.integration.identity.test_members import change, leave, remove

REMEMBERED_SECONDS = 20


@pytest.fixture
def door(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Door:
    return Door(stack, importlib.import_module("identity.authorizer"), monkeypatch)


def principal(door: Door, tenant: str) -> Principal | None:
    return door.admitted(tenant=tenant).principal


@pytest.mark.parametrize("ending", ["removed", "left"])
def test_who_is_no_member_any_more_does_not_come_in_after_twenty_seconds(stack: Stack, door: Door, ending: str) -> None:
    tenant = stack.tenant()
    owner, gone = stack.member(tenant, Role.OWNER), stack.member(tenant, Role.MEMBER, PERSON)
    assert principal(door, tenant) is not None
    answer = remove(stack, owner, gone) if ending == "removed" else leave(stack, gone)
    assert answer.status == 204
    door.now += REMEMBERED_SECONDS + 1
    assert principal(door, tenant) is None


def test_another_role_counts_after_twenty_seconds(stack: Stack, door: Door) -> None:
    tenant = stack.tenant()
    owner, target = stack.member(tenant, Role.OWNER), stack.member(tenant, Role.ADMIN, PERSON)
    assert principal(door, tenant) is not None
    assert change(stack, owner, target, Role.VIEWER).status == 200
    door.now += REMEMBERED_SECONDS + 1
    admitted = principal(door, tenant)
    assert admitted is not None
    assert (admitted.role, admitted.permissions) == (Role.VIEWER, ROLES[Role.VIEWER])


def test_who_accepted_comes_in_as_what_it_was_invited(stack: Stack, door: Door) -> None:
    tenant = stack.tenant()
    owner = stack.member(tenant, Role.OWNER)
    accept(stack, signed_in(person_id=PERSON), invite(stack, owner, "auditor").json["token"])
    admitted = principal(door, tenant)
    assert admitted is not None
    assert admitted.role is Role.AUDITOR
