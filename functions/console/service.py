"""The deep look at health: the table, the bucket and the queues, at once and at most every few seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.clients import Clients
from almanac.aws.table import Table
from almanac.observability import log_failure

_KEPT_SECONDS = 5.0
_TIMEOUT_SECONDS = 5.0

Check = Callable[[], Awaitable[object]]


async def _nothing() -> None:
    """Prepare nothing."""


@dataclass(frozen=True)
class Outcome:
    """What one check found."""

    ok: bool
    milliseconds: float


class Health:
    """Runs the checks and keeps what they found for a while, so that nobody can hammer the store through them.

    `prepare` runs before their clocks start: what a cold environment still has to load is not a part's latency.
    """

    def __init__(
        self, checks: Mapping[str, Check], prepare: Check = _nothing, kept_seconds: float = _KEPT_SECONDS
    ) -> None:
        self._checks = checks
        self._prepare = prepare
        self._kept_seconds = kept_seconds
        self._found: dict[str, Outcome] = {}
        self._found_at = float("-inf")
        self._looking = asyncio.Lock()

    async def look(self) -> dict[str, Outcome]:
        """Return each part's outcome, at most a few seconds old."""
        async with self._looking:
            if time.monotonic() - self._found_at > self._kept_seconds:
                await self._prepare()
                outcomes = await asyncio.gather(*(_run(name, check) for name, check in self._checks.items()))
                self._found = dict(zip(self._checks, outcomes, strict=True))
                self._found_at = time.monotonic()
        return self._found


def opening(clients: Clients) -> Check:
    """Return what opens the clients that the checks use."""

    async def open_clients() -> None:
        await asyncio.gather(*(clients.get(service) for service in ("dynamodb", "s3", "sqs")))

    return open_clients


def checks(table: Table, blobs: Blobs, clients: Clients, queue_urls: Mapping[str, str]) -> dict[str, Check]:
    """Return the checks of everything that the product stands on, by name."""

    async def bucket() -> None:
        async for _ in blobs.list(keys.health_prefix()):
            return

    async def queue(url: str) -> None:
        sqs = await clients.get("sqs")
        await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])

    def checking(url: str) -> Check:
        return lambda: queue(url)

    found: dict[str, Check] = {"table": lambda: table.get(keys.health(), consistent=False), "bucket": bucket}
    return found | {f"{name}_queue": checking(url) for name, url in queue_urls.items()}


async def _run(name: str, check: Check) -> Outcome:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await check()
    except Exception as error:  # noqa: BLE001 - whatever the cause, the part does not work
        log_failure("health check failed", error, part=name)
        return Outcome(ok=False, milliseconds=_since(began))
    return Outcome(ok=True, milliseconds=_since(began))


def _since(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 1)
