"""Every route is accounted for in the audit log, and no role may change what was sealed."""

import pytest

from almanac.audit.operations import OPERATIONS, Kind, is_recorded
from infra import openapi
from infra.template import load, resources
from tests.support.policies import Request
from tests.support.roles import KEYS, roles

TENANT = "ten_01k9zq3v7m8x2c4b6n0d1f5g7h"
FUNCTIONS = sorted(resources(load(), "AWS::Serverless::Function"))
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
# What changes nothing though it is asked for with a body.
SEARCHES = {"search", "verify_search_index"}
# Leave to be told for a while what one may read anyway.
TICKETS = {"create_realtime_ticket"}
# Deliveries of git hosts prove themselves by a signature: nobody is signed in whose act they were.
DELIVERIES = {"receive_github_delivery", "receive_gitlab_delivery"}


def operations() -> dict[str, tuple[str, bool]]:
    """Return method and whether a caller must be known, by operation id."""
    merged = openapi.merge(openapi.slice_documents())
    return {
        operation["operationId"]: (method.upper(), bool(operation.get("security")))
        for _, method, operation in openapi.operations(merged)
    }


def test_every_route_of_a_known_caller_has_its_place_in_the_table() -> None:
    secured = {name for name, (_, secured) in operations().items() if secured}
    missing = sorted(secured - OPERATIONS.keys())
    assert not missing, f"say in almanac.audit.operations whether these leave an entry: {missing}"
    gone = sorted(OPERATIONS.keys() - operations().keys())
    assert not gone, f"almanac.audit.operations names what no route is: {gone}"


def test_what_changes_something_leaves_an_entry() -> None:
    silent = {
        name
        for name, (method, _) in operations().items()
        if method != "GET" and OPERATIONS.get(name, Kind.READ) is Kind.READ
    }
    assert silent == SEARCHES | TICKETS | DELIVERIES


def test_what_is_personal_needs_no_tenant() -> None:
    """A route that takes a principal has a tenant's log to be in."""
    documented = openapi.merge(openapi.slice_documents())
    for path, _, operation in openapi.operations(documented):
        if OPERATIONS.get(operation["operationId"]) is Kind.PERSONAL:
            assert path.startswith(("/api/v1/auth/", "/api/v1/users/me", "/api/v1/tenants", "/api/v1/erasures")), path


@pytest.mark.parametrize(("method", "recorded"), [("GET", False), ("POST", True), ("PUT", True), ("DELETE", True)])
def test_a_route_that_the_table_lacks_leaves_an_entry_unless_it_only_reads(method: str, recorded: bool) -> None:
    assert is_recorded("no_such_operation", method) is recorded


def may(function: str, action: str, partition: str) -> bool:
    request = Request(f"dynamodb:{action}", "Table", {KEYS: (f"TENANT#{TENANT}#{partition}",)})
    return roles().may(function, request, TENANT) or roles().may(function, request)


@pytest.mark.parametrize("partition", ["AUDIT", "AUDITHEAD", "AUDITSOURCE"])
def test_only_sealing_writes_the_log_and_only_erasing_a_tenant_removes_it(partition: str) -> None:
    writers = {(function, action) for function in FUNCTIONS for action in WRITES if may(function, action, partition)}
    writers -= {("EraserFunction", action) for action in ("DeleteItem", "BatchWriteItem")}
    sealing = {"PutItem"} if partition == "AUDIT" else set(WRITES)
    assert writers == {("IdentityWorker", action) for action in sealing}


@pytest.mark.parametrize(
    "function", ["IdentityFunction", "ProjectsFunction", "SearchFunction", "IdentityAdminFunction"]
)
def test_whoever_serves_calls_may_write_ahead(function: str) -> None:
    assert may(function, "PutItem", "AUDITOPEN")
    assert may(function, "UpdateItem", "AUDITOPEN")
