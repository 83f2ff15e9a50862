"""What the product's web layer adds to a warm authenticated GET, over bare FastAPI and Mangum doing the same read."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from bench.report import Report, median, percentile, progress
from bench.store import StoreWait, logs_aside, run, store

CALLS = 1500
WARM = 100
TARGET_MS = 1.5

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
PATH = "/api/v1/tenants/me"


def bare_handler() -> Handler:
    """Return the route's body under FastAPI and Mangum alone: no middleware, no scope check, no problems."""
    from fastapi import FastAPI, Request
    from mangum import Mangum

    from almanac import access
    from identity import wiring
    from identity.tenants.repository import TenantRepository
    from identity.tenants.schemas import Caller, Tenant

    app = FastAPI()

    @app.get(PATH, response_model=Tenant)
    async def get_tenant(request: Request) -> Tenant:
        context = request.scope["aws.event"]["requestContext"]["authorizer"]["lambda"]
        tenant = await TenantRepository(wiring.table(), context["tenant_id"]).get()
        principal = access.Caller.from_context(context).principal
        assert principal is not None
        caller = Caller.of(principal)
        return Tenant(
            id=tenant.id, name=tenant.name, version=tenant.version, created_at=tenant.created_at, caller=caller
        )

    return Mangum(app, lifespan="off")


def measure() -> dict[str, list[tuple[float, float]]]:
    """Return (whole, own) milliseconds of each call, the two handlers called in turn."""
    from almanac import runtime
    from identity import wiring
    from identity.app import handler
    from identity.tenants import service as tenants
    from tests.integration.harness import Context, request_event

    unwatched = asyncio.Handle._run  # noqa: SLF001 - what the loop watch replaces
    runtime.loop()
    watched = asyncio.Handle._run  # noqa: SLF001
    created = run(tenants.create_with_key(wiring.table(), "Bench", "first key"))
    tenant = created.record.tenant_id
    handlers: dict[str, Handler] = {"bare FastAPI + Mangum": bare_handler(), "Almanac": handler}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in handlers}
    wait = StoreWait()
    with wait.counting(), logs_aside():
        for call in range(WARM + CALLS):
            for name, called in handlers.items():
                event = request_event("GET", PATH, tenant=tenant)
                # The loop watch is ours and process-wide: it is part of the one measurement and not of the other.
                asyncio.Handle._run = watched if called is handler else unwatched  # type: ignore[method-assign] # noqa: SLF001
                wait.seconds, began = 0.0, time.perf_counter()
                answer = called(event, Context())
                seconds = time.perf_counter() - began
                assert answer["statusCode"] == 200, answer
                if call >= WARM:
                    taken[name].append((seconds * 1000, (seconds - wait.seconds) * 1000))
    run(runtime.clients().close())
    return taken


def main() -> None:
    progress(f"overhead: {CALLS} reads each")
    with store():
        taken = measure()
    report = Report(
        "Warm overhead of an authenticated GET",
        f"`GET {PATH}` ({CALLS} calls each, in turn, one process, warm): the same route body and DynamoDB read, once "
        "through the deployed handler (authentication, correlation id, access log, metrics, loop watch) and once under "
        "FastAPI and Mangum alone. Own time leaves out waiting for the store, moto's server in another process.",
        ["milliseconds", "own p50", "own p95", "own p99", "whole p50", "whole p99"],
    )
    for name, pairs in taken.items():
        whole, own = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        figures = [percentile(own, share) for share in (0.5, 0.95, 0.99)] + [median(whole), percentile(whole, 0.99)]
        report.row(name, *(f"{figure:.2f}" for figure in figures))
    bare, ours = taken.values()
    added = [median([o[part] for o in ours]) - median([b[part] for b in bare]) for part in (1, 0)]
    text = f"{added[0]:.2f} ms own, {added[1]:.2f} ms whole (medians)"
    report.target(f"overhead < {TARGET_MS} ms", text, added[0] < TARGET_MS)
    report.finish()


if __name__ == "__main__":
    main()
