"""Another tenant's ids answer exactly like ids that do not exist, on every route there is.

The routes come from the merged OpenAPI document: a new one is covered as soon as it exists, and one that the walk
cannot fill fails here.
"""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.integration import walk
from tests.integration.harness import Answer, Stack

ROUTES = walk.routes()
SECURED = sorted(name for name, route in ROUTES.items() if route.secured)
WITH_IDS = sorted(name for name, route in ROUTES.items() if route.ids)


def shown(answer: Answer, ids: Mapping[str, str]) -> tuple[int, dict[str, str], str]:
    """Return what a caller can tell from an answer, without the ids that it sent itself and what is new every time."""
    body: Any = json.loads(answer.text) if answer.text else None
    if isinstance(body, dict):
        body.pop("correlation_id", None)
        body.pop("milliseconds", None)
    text = json.dumps(body, sort_keys=True)
    for name, value in ids.items():
        text = text.replace(value, f"<{name}>")
    volatile = {"x-correlation-id", "content-length", "date"}
    return answer.status, {name: value for name, value in answer.headers.items() if name not in volatile}, text


def is_empty(body: Any) -> bool:
    """Tell whether no list in a body holds anything."""
    if isinstance(body, dict):
        return all(is_empty(member) for member in body.values())
    return not (isinstance(body, list) and body)


def assert_hidden(route: walk.Route, answer: Answer) -> None:
    if not route.secured:
        assert answer.status in {401, 403, 404}, f"{route.name}: {answer.status} {answer.text}"
    elif answer.status != 404:
        assert answer.status == 200, f"{route.name}: {answer.status} {answer.text}"
        assert is_empty(answer.json), f"{route.name} shows another tenant's data: {answer.text}"


@pytest.mark.parametrize("name", SECURED)
def test_a_caller_without_a_key_is_refused(stack: Stack, name: str) -> None:
    answer = ROUTES[name].call(stack, walk.made_up(), tenant=None)
    assert (answer.status, answer.json["code"]) == (401, "missing_credentials")


@pytest.mark.parametrize("name", WITH_IDS)
def test_another_tenants_ids_look_like_ids_of_nothing(stack: Stack, name: str) -> None:
    route, caller, owner = ROUTES[name], stack.tenant("Caller"), stack.tenant("Owner")
    theirs = walk.real(stack, owner, route.ids)
    nothing = walk.made_up() | {"tenant_id": owner}
    as_tenant = caller if route.secured else None
    foreign = route.call(stack, theirs, as_tenant)
    unknown = route.call(stack, nothing, as_tenant)
    assert shown(foreign, theirs) == shown(unknown, nothing)
    assert_hidden(route, foreign)


@pytest.mark.parametrize("name", [name for name in WITH_IDS if ROUTES[name].secured and len(ROUTES[name].ids) > 1])
def test_another_tenants_child_is_not_found_under_a_parent_of_ones_own(stack: Stack, name: str) -> None:
    route, caller, owner = ROUTES[name], stack.tenant("Caller"), stack.tenant("Owner")
    *parents, child = route.ids
    own, theirs = walk.real(stack, caller, parents), walk.real(stack, owner, route.ids)
    foreign = {**own, child: theirs[child]}
    nothing = {**own, child: walk.made_up()[child]}
    answer = route.call(stack, foreign, caller)
    assert shown(answer, foreign) == shown(route.call(stack, nothing, caller), nothing)
    assert_hidden(route, answer)


@pytest.mark.parametrize("name", [name for name in WITH_IDS if ROUTES[name].secured])
def test_the_same_request_works_for_the_owner(stack: Stack, name: str) -> None:
    route, owner = ROUTES[name], stack.tenant("Owner")
    ids = walk.real(stack, owner, route.ids)
    answer = route.call(stack, ids, owner)
    # A conflict is the owner's own: its only admin key cannot be revoked, a sync may be under way.
    assert answer.status in {200, 201, 202, 204, 409}, f"{answer.status} {answer.text}"


def test_what_another_tenant_tried_changed_nothing(stack: Stack) -> None:
    caller, owner = stack.tenant("Caller"), stack.tenant("Owner")
    theirs = walk.real(stack, owner, [*walk.CREATORS, *walk.MAKERS])
    tenant_items = [item for item in _items(stack) if owner in item["pk"]["S"]]
    for name in WITH_IDS:
        if ROUTES[name].secured:
            ROUTES[name].call(stack, theirs, caller)
    assert [item for item in _items(stack) if owner in item["pk"]["S"]] == tenant_items


def _items(stack: Stack) -> list[dict[str, Any]]:
    pages = stack.client("dynamodb").get_paginator("scan").paginate(TableName="almanac")
    items: list[dict[str, Any]] = [item for page in pages for item in page["Items"]]
    return sorted(items, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))


def test_the_walk_refuses_an_id_that_it_does_not_know() -> None:
    parameter = {"name": "invoice_id", "in": "path", "required": True, "schema": {"type": "string"}}
    route = walk.Route("billing", "GET", "/api/v1/invoices/{invoice_id}", {"parameters": [parameter]})
    with pytest.raises(walk.CannotFill, match="invoice_id"):
        _ = route.ids


def test_the_walk_refuses_a_field_that_it_cannot_fill(stack: Stack) -> None:
    schema = {"type": "object", "properties": {"colour": {"type": "string"}}, "required": ["colour"]}
    body = {"requestBody": {"content": {"application/json": {"schema": schema}}}}
    route = walk.Route("identity", "POST", "/api/v1/api-keys", body)
    with pytest.raises(walk.CannotFill, match="colour"):
        route.call(stack, {}, None)
