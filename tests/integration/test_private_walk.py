"""What is private answers who is not its member exactly like what does not exist, on every route there is.

The routes come from the merged OpenAPI document: a new one that takes an id of a project or collection, or of what is
in one, is covered as soon as it exists.
"""

from collections.abc import Callable

import pytest

from almanac.access import ROLES, Caller, Permission, Principal, Role
from tests.integration import walk
from tests.integration.harness import Stack
from tests.integration.test_tenancy_walk import assert_hidden, shown

COLLECTED = {"collection_id", "document_id"}
CONTENT = {"project_id", "repository_id", "checkpoint_id", "message_id", "actor_id"} | COLLECTED
ROUTES = walk.routes()
WITH_CONTENT = sorted(name for name, route in ROUTES.items() if route.secured and CONTENT & set(route.ids))
WITH_COLLECTED = [name for name in WITH_CONTENT if COLLECTED & set(ROUTES[name].ids)]


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


@pytest.mark.parametrize("name", WITH_COLLECTED)
@pytest.mark.parametrize("caller", [a_member, a_key])
def test_a_private_collection_looks_like_none(stack: Stack, name: str, caller: Callable[[Stack, str], Caller]) -> None:
    """The project that it is in is seen by all: what is in the collection is hidden all the same."""
    route, tenant = ROUTES[name], stack.tenant("Acme")
    hidden = walk.real(stack, tenant, ["collection_id", *route.ids])
    _make_collections_private(stack, tenant)
    who, nothing = caller(stack, tenant), {**hidden, **_made_up_content()}
    answer = route.call(stack, hidden, tenant, caller=who)
    assert shown(answer, hidden) == shown(route.call(stack, nothing, tenant, caller=who), nothing)
    if answer.status != 403:
        assert_hidden(route, answer)


@pytest.mark.parametrize("name", WITH_COLLECTED)
def test_the_same_request_works_for_a_member_of_the_collection(stack: Stack, name: str) -> None:
    route, tenant = ROUTES[name], stack.tenant("Acme")
    ids = walk.real(stack, tenant, ["collection_id", *route.ids])
    _make_collections_private(stack, tenant)
    permissions = ROLES[Role.ADMIN] - {Permission.PROJECTS_ALL}
    member = Caller(principal=Principal(tenant, "key_test", permissions, key_id="key_test"))
    answer = route.call(stack, ids, tenant, caller=member)
    assert answer.status in {200, 201, 202, 204, 409}, f"{answer.status} {answer.text}"


def _made_up_content() -> dict[str, str]:
    return {name: value for name, value in walk.made_up().items() if name in COLLECTED | {"actor_id"}}


def _make_collections_private(stack: Stack, tenant: str) -> None:
    listed = stack.call("documents", "GET", "/api/v1/collections", tenant=tenant).json["items"]
    for collection in listed:
        if collection["visibility"] == "tenant":
            walk.make_collection_private(stack, tenant, collection["id"])


def _projects(stack: Stack, tenant: str) -> list[str]:
    """Return the projects that are not private yet."""
    listed = stack.call("projects", "GET", "/api/v1/projects", tenant=tenant).json["items"]
    return [project["id"] for project in listed if project["visibility"] == "tenant"]
