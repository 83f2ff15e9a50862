"""The authorizer's own time, warm, beside a handler that returns a constant; and whether time tells keys apart."""

import math
import os
import random
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from bench.report import Report, median, percentile, progress
from bench.store import StoreWait, logs_aside, run, store
from tests.integration.harness import Context
from tests.support.tokens import Maker

QUICK = bool(os.environ.get("ALMANAC_BENCH_QUICK"))
CALLS = 300 if QUICK else 2000
WARM = 50
TARGET_JWT_MS = 5.0
TARGET_KEY_MS = 10.0
# How often the slower of two samples is of the one kind; 0.5 is chance alone, with this deviation.
DEVIATION = math.sqrt((2 * CALLS + 1) / (12 * CALLS**2))
TARGET_APART = round(max(0.04, 4 * DEVIATION), 2)

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """A kind of call: its event, and what has to be forgotten before each."""

    handler: Handler
    event: dict[str, Any]
    allowed: bool = True
    forget: Callable[[], object] = bool


def event(token: str, **headers: str) -> dict[str, Any]:
    """Return what API Gateway sends a request authorizer (payload 2.0)."""
    context = {"requestId": "JKJaXmPLvHcESHA=", "http": {"method": "GET", "path": "/api/v1/tenants/me"}}
    given = {"authorization": f"Bearer {token}", "host": "api.test", "user-agent": "bench", **headers}
    return {"version": "2.0", "type": "REQUEST", "headers": given, "requestContext": context}


def cases() -> dict[str, Case]:
    """Return the calls to compare, with what they read in the table."""
    from almanac.access import TENANT_HEADER, Role
    from almanac.aws import keys
    from almanac.aws.table import Put
    from almanac.ids import person_id
    from identity import authorizer, wiring
    from identity.tenants import service as tenants
    from identity.tokens.web_tokens import WebTokens

    maker, now = Maker(), time.time()
    document = maker.document()
    authorizer._web_tokens = WebTokens({maker.issuer: maker.configuration()}, lambda _: document)  # noqa: SLF001 - the issuer is the bench's
    created = run(tenants.create_with_key(wiring.table(), "Bench", "first key"))
    tenant = created.record.tenant_id
    person = person_id(maker.issuer, "subject-1")
    membership = {"entity": "person_tenant", "tenant_id": tenant, "role": Role.MEMBER}
    run(wiring.table().write(Put({**keys.person_tenant(person, tenant).as_dict(), **membership})))
    constant = authorizer.handler(event(created.text), Context())
    named = {TENANT_HEADER: tenant}

    def new(token: str, **headers: str) -> Case:
        key = (sha256(token.encode()).hexdigest(), headers.get(TENANT_HEADER))
        remembered = authorizer._remembered  # noqa: SLF001 - each call is as if the token were new
        return Case(authorizer.handler, event(token, **headers), forget=lambda: remembered.pop(key, None))

    return {
        "a constant": Case(lambda _, __: constant, event(created.text)),
        "API key": Case(authorizer.handler, event(created.text)),
        "JWT, remembered": Case(authorizer.handler, event(maker.token(now=now, jti="remembered"), **named)),
        "JWT RS256, new": new(maker.token(now=now), **named),
        "JWT ES256, new": new(maker.token("ES256", now=now), **named),
        "JWT RS256, new, no tenant named": new(maker.token(now=now)),
    }


def refusals() -> dict[str, Case]:
    """Return calls that are refused: with keys that nobody has, and with a text that is none."""
    from identity import authorizer, wiring
    from identity.tenants import service as tenants
    from identity.tokens import api_keys

    tenant = run(tenants.create_with_key(wiring.table(), "Bench", "first key")).record.tenant_id
    nobody = tenant[:-4] + "zzzz"
    return {
        "wrong key": Case(authorizer.handler, event(api_keys.create(tenant)), allowed=False),
        "no such key": Case(authorizer.handler, event(api_keys.create(nobody)), allowed=False),
        "no key at all": Case(authorizer.handler, event("alm_" + "x" * 76), allowed=False),
    }


def measure(compared: dict[str, Case]) -> dict[str, list[tuple[float, float]]]:
    """Return (whole, own) milliseconds of each call, the cases called in turn and in another order each time."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in compared}
    wait, order = StoreWait(), list(compared)
    chance = random.Random(1)
    with wait.counting(), logs_aside():
        for call in range(WARM + CALLS):
            chance.shuffle(order)
            for name in order:
                case = compared[name]
                case.forget()
                wait.seconds, began = 0.0, time.perf_counter()
                answer = case.handler(case.event, Context())
                seconds = time.perf_counter() - began
                assert answer["isAuthorized"] is case.allowed, (name, answer)
                if call >= WARM:
                    taken[name].append((seconds * 1000, (seconds - wait.seconds) * 1000))
    return taken


def superiority(one: Sequence[float], other: Sequence[float]) -> float:
    """Return how often a sample of `one` is slower than one of `other`, ties by half: Mann and Whitney's U / (n m)."""
    ordered = sorted(other)
    below = sum(bisect_left(ordered, value) + bisect_right(ordered, value) for value in one)
    return below / 2 / (len(one) * len(other))


def main() -> None:
    progress(f"auth: {CALLS} calls each")
    with store():
        from almanac import runtime

        admitted, refused = measure(cases()), measure(refusals())
        run(runtime.clients().close())
    report = Report(
        "The authorizer, warm",
        f"{CALLS} calls each through `identity.authorizer.handler`, in turn and in one process. Own time leaves out "
        "waiting for the store, moto's server in another process: an API key waits for one read by primary key, a new "
        "JWT for one batch of reads (and a query where the call names no tenant), a remembered one for nothing. A new "
        "one is read, its signature verified and its claims checked at each call; the issuer's keys are at hand. "
        "`a constant` is a handler that returns an answer made before.",
        ["milliseconds", "own p50", "own p99", "whole p50", "whole p99"],
    )
    for name, pairs in (admitted | refused).items():
        whole, own = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        figures = [median(own), percentile(own, 0.99), median(whole), percentile(whole, 0.99)]
        report.row(name, *(f"{figure:.3f}" for figure in figures))
    new = max(percentile([own for _, own in pairs], 0.99) for name, pairs in admitted.items() if "JWT" in name)
    report.target(f"JWT: own p99 < {TARGET_JWT_MS:g} ms", f"{new:.2f} ms (the slowest case)", new < TARGET_JWT_MS)
    key = percentile([own for _, own in admitted["API key"]], 0.99)
    report.target(f"API key: own p99 < {TARGET_KEY_MS:g} ms", f"{key:.2f} ms", key < TARGET_KEY_MS)
    compare(report, {name: [whole for whole, _ in pairs] for name, pairs in refused.items()})
    report.finish()


def compare(report: Report, whole: dict[str, list[float]]) -> None:
    """Add whether time tells a wrong key from one that does not exist, and that it would be noticed."""
    wrong, unknown, none = whole.values()
    apart = superiority(wrong, unknown)
    text = f"{apart:.3f}; medians {(median(wrong) - median(unknown)) * 1000:+.0f} µs apart"
    held = abs(apart - 0.5) < TARGET_APART
    report.target(f"a wrong key is slower than no such key: {0.5 - TARGET_APART} to {0.5 + TARGET_APART}", text, held)
    control = superiority(wrong, none)
    report.target("the same of a text that is no key and reads nothing: > 0.9", f"{control:.3f}", control > 0.9)


if __name__ == "__main__":
    main()
