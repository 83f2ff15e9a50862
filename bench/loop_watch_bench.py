"""What watching the event loop costs: per callback, per request, and of a processor's time.

The whole is smaller than the noise of timing requests, so its parts are measured and put together: what a callback
costs more (over many empty ones), how many callbacks a request takes, and the watching thread's processor time.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from almanac.loop_watch import LoopWatch
from bench.report import Report, median, progress
from bench.store import logs_aside, run, store

PATH = "/api/v1/tenants/me"
CALLBACKS = 100_000
ROUNDS = 9
REQUESTS = 300
IDLE_SECONDS = 5.0
TARGET_PERCENT = 1.0


@contextmanager
def watching() -> Iterator[None]:
    watch = LoopWatch(lambda _: None)
    watch.start()
    try:
        yield
    finally:
        watch.stop()


def seconds_per_callback() -> float:
    """Return the time of an empty callback through the loop."""

    async def many() -> float:
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        for _ in range(CALLBACKS):
            loop.call_soon(int)
        loop.call_soon(done.set)
        began = time.perf_counter()
        await done.wait()
        return (time.perf_counter() - began) / CALLBACKS

    return asyncio.run(many())


def callback_cost() -> float:
    """Return what watching adds to one callback, in seconds: medians of rounds taken in turn."""
    bare, watched = [], []
    for _ in range(ROUNDS):
        bare.append(seconds_per_callback())
        with watching():
            watched.append(seconds_per_callback())
    return max(0.0, median(watched) - median(bare))


def thread_share() -> float:
    """Return the watching thread's share of a processor while the loop is busy."""
    with watching():
        (thread,) = [thread for thread in threading.enumerate() if thread.name == "loop-watch"]
        assert thread.ident is not None
        clock = time.pthread_getcpuclockid(thread.ident)
        before, ends = time.clock_gettime(clock), time.perf_counter() + IDLE_SECONDS
        asyncio.run(_busy(ends))
        return (time.clock_gettime(clock) - before) / IDLE_SECONDS


async def _busy(ends: float) -> None:
    while time.perf_counter() < ends:  # noqa: ASYNC110 - nothing is awaited: the loop is kept busy
        await asyncio.sleep(0)


def request() -> tuple[float, float]:
    """Return a warm authenticated GET's own processor time in seconds, and its number of callbacks."""
    from identity import wiring
    from identity.app import handler
    from identity.tenants import service as tenants
    from tests.integration.harness import Context, request_event

    tenant = run(tenants.create_with_key(wiring.table(), "Bench", "first key")).record.tenant_id
    watched, callbacks = asyncio.Handle._run, 0  # noqa: SLF001 - what the loop watch replaces

    def counting(handle: asyncio.Handle) -> None:
        nonlocal callbacks
        callbacks += 1
        watched(handle)

    with logs_aside():
        for _ in range(50):
            assert handler(request_event("GET", PATH, tenant=tenant), Context())["statusCode"] == 200
        taken = []
        for _ in range(REQUESTS):
            began = time.thread_time()
            handler(request_event("GET", PATH, tenant=tenant), Context())
            taken.append(time.thread_time() - began)
        asyncio.Handle._run = counting  # type: ignore[method-assign, assignment] # noqa: SLF001
        for _ in range(REQUESTS):
            handler(request_event("GET", PATH, tenant=tenant), Context())
        asyncio.Handle._run = watched  # type: ignore[method-assign] # noqa: SLF001
    return median(taken), callbacks / REQUESTS


def main() -> None:
    progress("loop watch: callbacks")
    added, share = callback_cost(), thread_share()
    progress(f"loop watch: {2 * REQUESTS} reads")
    with store():
        from almanac import runtime

        own, callbacks = request()
        run(runtime.clients().close())
    percent = 100 * (callbacks * added / own + share)
    report = Report(
        "Cost of watching the event loop",
        f"An empty callback with and without the watch ({CALLBACKS} each, {ROUNDS} rounds in turn), the callbacks and "
        f"processor time of a warm `GET {PATH}` ({REQUESTS} calls), and the watching thread's processor time "
        f"over {IDLE_SECONDS:.0f} s of a busy loop.",
        ["part", "cost"],
    )
    report.row("added to a callback", f"{added * 1e9:.0f} ns")
    report.row("callbacks of a request", f"{callbacks:.1f}")
    report.row("processor time of a request", f"{own * 1000:.2f} ms")
    report.row("watching thread, of one processor", f"{share * 100:.2f} %")
    report.target(f"cost < {TARGET_PERCENT:.0f} %", f"{percent:.2f} %", percent < TARGET_PERCENT)
    report.finish()


if __name__ == "__main__":
    main()
