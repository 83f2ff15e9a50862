"""A private project answers who is not its member exactly like one that does not exist, on every route there is.

The routes come from the merged OpenAPI document: a new one that takes an id of a project, or of what is in one, is
covered as soon as it exists.
"""

from collections.abc import Callable

import pytest

from almanac.access import ROLES, Caller, Permission, Principal, Role
from tests.integration import walk
from tests.integration.harness import Stack
from tests.integration.test_tenancy_walk import assert_hidden, shown

CONTENT = {"project_id", "repository_id", "checkpoint_id", "message_id", "actor_id"}
ROUTES = walk.routes()
WITH_CONTENT = sorted(name for name, route in ROUTES.items() if route.secured and CONTENT & set(route.ids))


def a_member(stack: Stack, tenant: str) -> Caller:
    return stack.member(tenant, Role.MEMBER)


def a_key(stack: Stack, tenant: str) -> Caller:
    """Return a key that may do anything but see every project."""
    permissions = ROLES[Role.ADMIN] - {Permission.PROJECTS_ALL}
    return Caller(principal=Principal(tenant, "key_other", permissions, key_id="key_other"))


@pytest.mark.parametrize("name", WITH_CONTENT)
@pytest.mark.parametrize("caller", [a_member, a_key])
def test_a_private_project_looks_like_none(stack: Stack, name: str, caller: Callable[[Stack, str], Caller]) -> None:
    route, tenant = ROUTES[name], stack.tenant("Acme")
    hidden = walk.real(stack, tenant, route.ids)
    for project_id in _projects(stack, tenant):
        walk.make_private(stack, tenant, project_id)
    who, nothing = caller(stack, tenant), walk.made_up() | {"tenant_id": tenant}
    answer = route.call(stack, hidden, tenant, caller=who)
    assert shown(answer, hidden) == shown(route.call(stack, nothing, tenant, caller=who), nothing)
    if answer.status != 403:
        assert_hidden(route, answer)


@pytest.mark.parametrize("name", WITH_CONTENT)
def test_the_same_request_works_for_a_member_of_the_project(stack: Stack, name: str) -> None:
    route, tenant = ROUTES[name], stack.tenant("Acme")
    ids = walk.real(stack, tenant, route.ids)
    for project_id in _projects(stack, tenant):
        walk.make_private(stack, tenant, project_id)
    # The key of the walk is the member, here without the permission to see every project.
    permissions = ROLES[Role.ADMIN] - {Permission.PROJECTS_ALL}
    member = Caller(principal=Principal(tenant, "key_test", permissions, key_id="key_test"))
    answer = route.call(stack, ids, tenant, caller=member)
    assert answer.status in {200, 201, 202, 204, 409}, f"{answer.status} {answer.text}"


def _projects(stack: Stack, tenant: str) -> list[str]:
    """Return the projects that are not private yet."""
    listed = stack.call("projects", "GET", "/api/v1/projects", tenant=tenant).json["items"]
    return [project["id"] for project in listed if project["visibility"] == "tenant"]
