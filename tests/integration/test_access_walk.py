"""Every route as every caller: anonymous, a person without a tenant, each role, each scope alone and all but each.

What the cells should be is in `access_table`; other tenants' ids are the tenancy walk's.
"""

from collections.abc import Callable, Iterator

import pytest

from almanac.access import ROLES, Caller, Permission, Person, Principal, Role
from almanac.ids import new_id
from tests.integration import walk
from tests.integration.access_table import DOCUMENT, ENTRIES, PUBLIC, document, expected
from tests.integration.harness import Stack

ROUTES = walk.routes()


def test_every_route_has_an_entry_and_every_entry_a_route() -> None:
    assert sorted(ENTRIES) == sorted(ROUTES)


def test_the_table_in_the_docs_is_the_one_that_is_tested() -> None:
    assert DOCUMENT.read_text() == document(), "run: python -m tests.integration.access_table"


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_a_route_described_as_open_is_one(name: str) -> None:
    assert (ENTRIES[name][0] == PUBLIC) is not ROUTES[name].secured


def a_person(_: Stack, __: str) -> Caller:
    return Caller(Person(new_id("usr"), "ada@example.org", "session"))


def a_member(role: Role) -> Callable[[Stack, str], Caller]:
    return lambda stack, tenant: stack.member(tenant, role)


def a_key(permissions: frozenset[Permission]) -> Callable[[Stack, str], Caller]:
    key = new_id("key")
    return lambda _, tenant: Caller(principal=Principal(tenant, key, permissions, key_id=key))


def callers() -> Iterator[tuple[str, str, frozenset[Permission], Callable[[Stack, str], Caller]]]:
    """Yield who calls: how it is told, what it is to the table, what it may, and what makes it."""
    every = frozenset(Permission)
    yield "a person without a tenant", "person", frozenset(), a_person
    for role in Role:
        yield f"the role {role}", role, ROLES[role], a_member(role)
    yield "a key without a scope", "key", frozenset(), a_key(frozenset())
    for permission in Permission:
        for told, given in (("only", frozenset({permission})), ("all but", every - {permission})):
            yield f"a key with {told} {permission}", "key", given, a_key(given)


@pytest.mark.parametrize("name", sorted(ROUTES))
def test_every_caller_gets_the_status_in_the_table(stack: Stack, name: str) -> None:
    anonymous = ROUTES[name].call(stack, walk.made_up(), None)
    assert anonymous.status == expected(name, None, "nobody")
    differing = {}
    for told, who, permissions, make in callers():
        # A tenant for each: what one does changes what the next is answered.
        tenant = stack.tenant()
        wanted = expected(name, permissions, who)
        got = ROUTES[name].call(stack, walk.made_up(), tenant, caller=make(stack, tenant))
        if got.status != wanted:
            differing[told] = (wanted, got.status, got.text[:200])
    assert not differing
