"""Limits that an operator gives one tenant."""

from collections.abc import Iterator
from typing import Any

import pytest

from almanac.access import Role
from almanac.ids import new_id
from almanac.limits import admission
from identity import admin
from tests.integration.harness import Context, Stack, person

PATH = "/api/v1/tenants/me"


@pytest.fixture(autouse=True)
def _limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in {"TENANT_RATE": 1, "TENANT_BURST": 3}.items():
        monkeypatch.setenv(f"ALMANAC_{name}", str(value))
    admission.settings.cache_clear()
    admission.limiter.cache_clear()
    yield
    monkeypatch.undo()
    admission.settings.cache_clear()
    admission.limiter.cache_clear()


def set_limits(tenant: str, **limits: float | None) -> Any:
    return admin.handler({"action": "set_limits", "tenant_id": tenant, **limits}, Context())


def statuses(stack: Stack, tenant: str, times: int) -> list[int]:
    caller = person(tenant, Role.MEMBER)
    return [stack.call("identity", "GET", PATH, caller=caller).status for _ in range(times)]


def test_a_tenants_own_rate_holds_at_once_for_environments_that_knew_another(stack: Stack) -> None:
    tenant = stack.tenant()
    assert statuses(stack, tenant, 2) == [200, 200]
    assert set_limits(tenant, tenant_burst=5) == {"tenant_id": tenant}
    found = statuses(stack, tenant, 6)
    assert (found[:3], found[-1]) == ([200] * 3, 429)


def test_null_brings_the_deployments_limit_back(stack: Stack) -> None:
    tenant = stack.tenant()
    set_limits(tenant, tenant_burst=5)
    assert statuses(stack, tenant, 4) == [200] * 4
    set_limits(tenant, tenant_burst=None)
    assert statuses(stack, tenant, 4)[-1] == 429


def test_a_rate_of_zero_lifts_the_limit(stack: Stack) -> None:
    tenant = stack.tenant()
    set_limits(tenant, tenant_rate=0)
    assert statuses(stack, tenant, 5) == [200] * 5


def test_a_tenants_own_quota_is_shown_to_it(stack: Stack) -> None:
    tenant = stack.tenant()
    set_limits(tenant, max_projects=7, max_model_spend=2.5)
    answer = stack.call("identity", "GET", f"{PATH}/usage", tenant=tenant)
    limits = {use["quota"]: use["limit"] for use in answer.json["quotas"]}
    assert (limits["projects"], limits["model_spend"]) == (7, 2.5)


@pytest.mark.parametrize(
    ("limits", "message"),
    [({}, "name what to set"), ({"max_projects": -1}, "greater than or equal"), ({"max_rows": 1}, "not permitted")],
)
def test_what_cannot_be_set_is_refused_by_name(stack: Stack, limits: dict[str, int], message: str) -> None:
    with pytest.raises(admin.CommandRefused, match=message):
        set_limits(stack.tenant(), **limits)


def test_a_tenant_that_does_not_exist_gets_no_limits(stack: Stack) -> None:
    with pytest.raises(admin.CommandRefused, match="no tenant"):
        set_limits(new_id("ten"), max_projects=1)
    assert stack.client("dynamodb").scan(TableName="almanac")["Count"] == 0
