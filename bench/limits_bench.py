"""What a rate limit costs a call, and how far environments that know little of each other overshoot a bucket."""

import asyncio
import os
import random
import time
from typing import Any

from bench.report import Report, median, percentile, progress
from bench.store import StoreWait, logs_aside, run, store

QUICK = bool(os.environ.get("ALMANAC_BENCH_QUICK"))
CALLS = 150 if QUICK else 1500
WARM = 30 if QUICK else 100
PATH = "/api/v1/tenants/me"
BURST = 50
ENVIRONMENTS = (1, 5, 20, 100, 200)
SECONDS = 2 if QUICK else 5
TARGET_MS = 1.5

Pairs = list[tuple[float, float]]


def measure() -> tuple[dict[str, Pairs], dict[str, float]]:
    """Return (whole, own) milliseconds of calls without a limit, within one and refused, in turn; and their writes."""
    from almanac import runtime
    from almanac.aws.table import Table, Update, Write
    from almanac.limits import admission
    from almanac.settings import RateSettings
    from identity.app import handler
    from tests.integration.harness import Context, Stack, request_event

    runtime.loop()
    stack = Stack(os.environ["AWS_ENDPOINT_URL"], {})
    tenants = {"no limit": stack.tenant(), "within the limit": stack.tenant(), "refused": stack.tenant()}
    settings = {
        "no limit": RateSettings(),
        "within the limit": _settings(10**6),
        "refused": _settings(1),
    }
    taken: dict[str, Pairs] = {name: [] for name in tenants}
    writes = dict.fromkeys(tenants, 0)
    current = ""
    original = Table.write

    async def counting(table: Table, write: Write) -> Any:
        if isinstance(write, Update):
            writes[current] += 1
        return await original(table, write)

    Table.write = counting  # type: ignore[method-assign,assignment]
    wait = StoreWait()
    with wait.counting(), logs_aside():
        for call in range(WARM + CALLS):
            for current, tenant in tenants.items():
                if call == WARM:
                    writes[current] = 0
                given = settings[current]
                admission.settings = lambda given=given: given  # type: ignore[assignment]
                event = request_event("GET", PATH, tenant=tenant)
                wait.seconds, began = 0.0, time.perf_counter()
                answer = handler(event, Context())
                seconds = time.perf_counter() - began
                expected = 429 if current == "refused" and call else 200
                assert answer["statusCode"] == expected, answer
                if call >= WARM:
                    taken[current].append((seconds * 1000, (seconds - wait.seconds) * 1000))
    Table.write = original  # type: ignore[method-assign]
    run(runtime.clients().close())
    return taken, {name: count / CALLS for name, count in writes.items()}


def _settings(burst: int) -> Any:
    from almanac.settings import RateSettings

    # Refills in a day: what is refused stays so.
    rate = max(1, burst // 1440)
    given = {"tenant_rate": rate, "tenant_burst": burst, "actor_rate": rate, "actor_burst": burst}
    return RateSettings(table="almanac", **given)


async def overshoot(environments: int) -> tuple[int, int, int, float, float]:
    """Let environments call at ten times the rate, all at once again and again, on a store in memory.

    Returns calls, admitted ones, those that a token bucket would have admitted, writes a call, and by how many bursts
    some span of time admitted more than such a bucket.
    """
    from almanac.aws import keys
    from almanac.aws.table import Table
    from almanac.limits.limiter import Limiter, Shelf
    from almanac.limits.windows import Bucket, Policy
    from tests.support.memory import MemoryStore

    chance = random.Random(environments)
    memory = MemoryStore()
    memory.pauses = lambda: chance.randrange(3)
    now, writes = 1_767_225_600.0, 0

    def count() -> None:
        nonlocal writes
        writes += 1

    memory.on_call = count
    bucket = Bucket("tenant", Policy("tenant", BURST, 1_000))
    shelf = Shelf(keys.limits("ten_1"), lambda _: [bucket])
    limiters = [Limiter(Table("almanac", memory), clock=lambda: now) for _ in range(environments)]
    admitted: list[float] = []
    calls, ideal, tokens = 0, 0, float(BURST)
    for _ in range(SECONDS * 20):
        gap = chance.choice((0.001, 0.05, 0.1, 0.4))
        now, tokens = now + gap, min(BURST, tokens + gap * BURST)
        callers = chance.choices(limiters, k=max(environments, BURST // 2))
        calls += len(callers)
        taken = min(len(callers), int(tokens))
        ideal, tokens = ideal + taken, tokens - taken
        found = await asyncio.gather(*(limiter.spend(shelf) for limiter in callers))
        admitted += [now] * sum(not standing.wait for standing in found)
    beyond = max(
        (last - first + 1 - BURST - BURST * (admitted[last] - admitted[first])) / BURST
        for first in range(len(admitted))
        for last in range(first, min(first + 6 * BURST, len(admitted)))
    )
    return calls, len(admitted), ideal, writes / calls, max(0.0, beyond)


def main() -> None:
    progress(f"limits: {CALLS} calls each, then {len(ENVIRONMENTS)} simulations")
    with store():
        taken, writes = measure()
    report = Report(
        "Rate limits",
        f"`GET {PATH}` ({CALLS} calls each, in turn, one process, warm) without a limit, within the tenant's and the "
        "caller's, and refused by one that is known to be used up. Own time leaves out waiting for the store, moto's "
        f"server in another process. Then a bucket of {BURST} calls that refills in a second, on a store in memory: so "
        "many environments, none of which knows what the others spent, call far more often than it allows; *beyond* is "
        "the most that any span of time admitted more than such a bucket can, in bursts, and *bucket* is what it would "
        "have admitted of the same calls.",
        ["", "own p50 ms", "own p99 ms", "whole p50 ms", "writes a call", "calls", "admitted", "bucket", "beyond"],
    )
    for name, pairs in taken.items():
        whole, own = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        figures = (f"{median(own):.2f}", f"{percentile(own, 0.99):.2f}", f"{median(whole):.2f}")
        report.row(name, *figures, f"{writes[name]:.2f}", str(len(pairs)), "", "", "")
    worst, most = 0.0, max(writes.values())
    for environments in ENVIRONMENTS:
        calls, admitted, ideal, each, beyond = asyncio.run(overshoot(environments))
        worst, most = max(worst, beyond), max(most, each)
        label = f"{environments} environments" if environments > 1 else "1 environment"
        report.row(label, "", "", "", f"{each:.2f}", str(calls), str(admitted), str(ideal), f"{beyond:.2f}")
    added = median([own for _, own in taken["within the limit"]]) - median([own for _, own in taken["no limit"]])
    report.target("at most one write a call", f"{most:.2f}", most <= 1)
    report.target("no span of time beyond the bucket by more than a burst", f"{worst:.2f} bursts", worst <= 1)
    report.target(f"a limit adds < {TARGET_MS} ms of its own", f"{added:.2f} ms (medians)", added < TARGET_MS)
    report.finish()


if __name__ == "__main__":
    main()
