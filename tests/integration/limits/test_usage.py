"""What a tenant uses, as it sees it, and what happens when a quota is used up."""

from collections.abc import Iterator
from typing import Any

import pytest

from almanac.access import Caller, Role
from almanac.aws import keys
from almanac.aws.table import dynamo
from identity.usage import routes
from projects import wiring
from tests.integration.harness import ADMIN, Stack, person

USAGE = "/api/v1/tenants/me/usage"


@pytest.fixture(autouse=True)
def _quotas(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ALMANAC_MAX_PROJECTS", "2")
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    routes._quotas.cache_clear()
    wiring.dependencies.cache_clear()


def shown(stack: Stack, tenant: str, caller: Caller | None = None) -> dict[str, Any]:
    answer = stack.call("identity", "GET", USAGE, tenant=tenant, caller=caller)
    assert answer.status == 200, answer.text
    return {use["quota"]: use for use in answer.json["quotas"]} | {"whole": answer.json}


def count(stack: Stack, tenant: str, **counters: float) -> None:
    item = {**keys.usage(tenant).as_dict(), "entity": "usage", **counters}
    stack.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))


def test_a_new_tenant_uses_nothing_and_sees_its_quotas(stack: Stack) -> None:
    uses = shown(stack, stack.tenant())
    assert uses["projects"] == {"quota": "projects", "used": 0, "limit": 2, "unit": "projects", "exact": True}
    assert uses["chunks"] == {"quota": "chunks", "used": 0, "limit": None, "unit": "chunks", "exact": False}
    assert uses["whole"]["recounted_at"] is None


def test_every_member_sees_the_use_and_only_who_manages_the_tenant_recounts(stack: Stack) -> None:
    tenant = stack.tenant()
    for role in Role:
        assert shown(stack, tenant, person(tenant, role))
        answer = stack.call("identity", "POST", f"{USAGE}/recount", caller=person(tenant, role))
        assert answer.status == (200 if role in {Role.OWNER, Role.ADMIN} else 403)


def test_spend_is_shown_in_dollars_of_this_month(stack: Stack) -> None:
    tenant = stack.tenant()
    month = shown(stack, tenant)["whole"]["models"]["month"].replace("-", "")
    count(stack, tenant, **{f"spend_{month}": 1_250_000, f"tokens_in_{month}": 10, f"unpriced_{month}": 4})
    uses = shown(stack, tenant)
    assert uses["model_spend"]["used"] == 1.25
    assert (uses["whole"]["models"]["tokens_in"], uses["whole"]["models"]["unpriced_tokens"]) == (10, 4)


def test_a_recount_mends_counters_that_are_wrong(stack: Stack) -> None:
    tenant = stack.tenant()
    for name in ("one", "two"):
        answer = stack.call("projects", "POST", "/api/v1/projects", {"name": name}, tenant=tenant, scope=ADMIN)
        assert answer.status == 201
    count(stack, tenant, projects=77, repositories=5, chunks=1_000, storage_bytes=9)
    answer = stack.call("identity", "POST", f"{USAGE}/recount", tenant=tenant)
    used = {use["quota"]: use["used"] for use in answer.json["quotas"]}
    assert used == {"projects": 2, "repositories": 0, "chunks": 0, "storage_bytes": 0, "model_spend": 0}
    assert answer.json["recounted_at"] is not None
