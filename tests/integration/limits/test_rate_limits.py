"""Rate limits as callers meet them: through a deployed handler, on a store that is not ours."""

import asyncio
import time
from collections.abc import Iterator
from threading import Thread

import pytest
from fastapi import FastAPI, Request

from almanac.access import Caller, Role
from almanac.aws import keys
from almanac.aws.clients import Clients
from almanac.aws.table import Table
from almanac.limits import admission
from almanac.limits.limiter import Limiter, Shelf, Standing
from almanac.limits.windows import Bucket, Policy
from almanac.web.app import create_app, lambda_handler
from tests.integration.harness import Answer, Context, Stack, person, request_event

PATH = "/api/v1/tenants/me"
PARALLEL = 40


@pytest.fixture(autouse=True)
def _limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # A window of more than two minutes: no test sees it end.
    given = {"TENANT_RATE": 2, "TENANT_BURST": 6, "ACTOR_RATE": 1, "ACTOR_BURST": 4, "ADDRESS_RATE": 1}
    for name, value in {**given, "ADDRESS_BURST": 3, "EMAIL_RATE": 1, "EMAIL_BURST": 2}.items():
        monkeypatch.setenv(f"ALMANAC_{name}", str(value))
    _forget()
    yield
    monkeypatch.undo()
    _forget()


def _forget() -> None:
    admission.settings.cache_clear()
    admission.limiter.cache_clear()


def ada(tenant: str) -> Caller:
    return person(tenant, Role.MEMBER)


def read(stack: Stack, caller: Caller) -> Answer:
    return stack.call("identity", "GET", PATH, caller=caller)


def test_who_calls_too_often_is_told_when_to_come_again(stack: Stack) -> None:
    tenant = stack.tenant()
    answers = [read(stack, ada(tenant)) for _ in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 429]
    refused = answers[-1]
    assert refused.json["code"] == "rate_limited"
    assert refused.headers["content-type"] == "application/problem+json"
    assert 0 < int(refused.headers["retry-after"]) <= 2 * 240


def test_every_answer_says_where_the_caller_stands(stack: Stack) -> None:
    tenant = stack.tenant()
    answer = read(stack, ada(tenant))
    assert answer.headers["ratelimit-policy"] == '"tenant";q=6;w=180, "actor";q=4;w=240'
    assert answer.headers["ratelimit"].startswith('"tenant";r=5;t=')
    for _ in range(3):
        read(stack, ada(tenant))
    assert '"actor";r=0;t=' in read(stack, ada(tenant)).headers["ratelimit"]
    missing = stack.call("identity", "GET", "/api/v1/nowhere", caller=ada(tenant))
    assert "ratelimit" not in missing.headers


def test_one_member_does_not_use_up_what_others_may_call(stack: Stack) -> None:
    tenant = stack.tenant()
    for _ in range(8):
        read(stack, ada(tenant))
    other = person(tenant, Role.MEMBER, "usr_01k9zq3v7m8x2c4b6n0d1f5g7j")
    assert [read(stack, other).status for _ in range(3)] == [200, 200, 429]


def test_another_tenant_is_not_slowed(stack: Stack) -> None:
    noisy, quiet = stack.tenant("Noisy"), stack.tenant("Quiet")
    for _ in range(10):
        read(stack, ada(noisy))
    assert read(stack, ada(quiet)).status == 200


def test_a_call_without_the_permission_is_counted_too(stack: Stack) -> None:
    auditor = person(stack.tenant(), Role.AUDITOR)
    answers = [stack.call("identity", "GET", "/api/v1/api-keys", caller=auditor).status for _ in range(5)]
    assert answers == [403, 403, 403, 403, 429]


def test_unknown_callers_are_limited_by_address_and_by_e_mail(stack: Stack) -> None:
    app = create_app("Signing in", "Stands for the routes that need no credentials.")

    @app.get("/sign-in")
    async def sign_in(request: Request, email: str) -> None:
        await admission.spend_anonymous(request, email=email)

    def status(email: str) -> int:
        return int(_answer(app, email)["statusCode"])

    assert [status("ada@example.org"), status("ADA@example.org "), status("ada@example.org")] == [200, 200, 429]
    assert [status("bob@example.org"), status("eve@example.org")] == [200, 429]
    stored = stack.client("dynamodb").scan(TableName="almanac")["Items"]
    assert all("expires_at" in item and "example.org" not in str(item) for item in stored)


def test_environments_that_spend_at_once_never_admit_more_than_the_bucket_holds(stack: Stack) -> None:
    """Each thread has a loop, a client and a memory of its own, as environments have."""
    tenant = stack.tenant()
    found: list[Standing] = []
    bucket = Bucket("tenant", Policy("tenant", 15, 600_000))
    shelf = Shelf(keys.limits(tenant), lambda _: [bucket])
    clock = time.time()

    async def spend() -> None:
        clients = Clients()
        limiter = Limiter(Table("almanac", clients), clock=lambda: clock)
        found.append(await limiter.spend(shelf))
        await clients.close()

    threads = [Thread(target=asyncio.run, args=(spend(),)) for _ in range(PARALLEL)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == PARALLEL
    assert sum(not standing.wait for standing in found if standing.levels) <= 15
    item = stack.client("dynamodb").get_item(TableName="almanac", Key=_typed(keys.limits(tenant)))["Item"]
    assert item[bucket.counter(int(clock * 1000))] == {"N": "15"}


def _typed(key: keys.Key) -> dict[str, dict[str, str]]:
    return {name: {"S": value} for name, value in key.as_dict().items()}


def _answer(app: FastAPI, email: str) -> dict[str, str]:
    return lambda_handler(app)(request_event("GET", "/sign-in", query={"email": email}), Context())
