"""Tenants of people: founded, listed, renamed, handed over."""

from typing import Any

import pytest

from almanac.access import Caller, Person, Role
from almanac.ids import new_id
from tests.integration.harness import Answer, Stack


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
