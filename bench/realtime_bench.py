"""How soon an event reaches who follows it, on the deployed local stack, warm, with many connections open."""

import asyncio
import json
import math
import os
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import websockets.asyncio.client as sockets

from almanac.aws import outbox
from almanac.aws.table import dynamo
from almanac.clock import now
from almanac.events import Happened
from almanac.ids import new_ulid
from bench.deployed import Deployed, deployed
from bench.report import Report, percentile, progress
from infra.local import deploy

QUICK = bool(os.environ.get("ALMANAC_BENCH_QUICK"))
TOPICS = 5 if QUICK else 25
FOLLOWERS = 20
WARM = 5
TRIES = 20 if QUICK else 60
BURSTS = 2 if QUICK else 4
PATIENCE_SECONDS = 30.0
TARGET_SECONDS = 0.5
AT_ONCE = 16


@dataclass
class Line:
    """One connection: what it received of its topic, and when."""

    socket: sockets.ClientConnection
    topic: str
    at: dict[int, float] = field(default_factory=dict)
    repeated: int = 0
    is_live: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self) -> None:
        async for text in self.socket:
            arrived = time.perf_counter()
            frame = json.loads(text)
            if frame["type"] == "subscribed":
                self.is_live.set()
            for event in frame.get("events", []):
                self.repeated += event["sequence"] in self.at
                self.at.setdefault(event["sequence"], arrived)
            self.arrived.set()


@dataclass
class Feed:
    """The topics of the benchmark, and how many events each had."""

    stack: Deployed
    projects: list[str]
    lines: list[Line] = field(default_factory=list)
    heads: dict[str, int] = field(default_factory=dict)
    listening: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._table = deploy.client("dynamodb", deploy.port_of(self.stack.info.endpoint_url))

    async def connect(self) -> None:
        """Open all connections, some at a time, and have each follow its topic."""
        slots = asyncio.Semaphore(AT_ONCE)

        async def one(place: int) -> None:
            async with slots:
                ticket = await asyncio.to_thread(self.stack.api.post, "/api/v1/realtime/tickets")
                socket = await sockets.connect(ticket["url"], open_timeout=60, proxy=None, ping_interval=None)
                line = Line(socket, f"project:{self.projects[place % TOPICS]}")
                self.lines.append(line)
                self.listening.append(asyncio.create_task(line.listen()))
                await socket.send(json.dumps({"action": "subscribe", "topic": line.topic}))
                await asyncio.wait_for(line.is_live.wait(), 60)

        await asyncio.gather(*(one(place) for place in range(TOPICS * FOLLOWERS)))

    async def publish(self, *topics: str) -> dict[str, float]:
        """Write an event of each topic into the outbox; returns when each was written."""
        written = {}
        for topic in topics:
            item = _item(self.stack, topic)
            await asyncio.to_thread(self._table.put_item, **item)
            written[topic] = time.perf_counter()
            self.heads[topic] = self.heads.get(topic, 0) + 1
        return written

    async def received(self, written: dict[str, float]) -> list[float]:
        """Return how long each follower waited for the newest event of these topics; infinity for one that lost it."""
        waiting = [line for line in self.lines if line.topic in written]
        for line in waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while self.heads[line.topic] not in line.at:
                        line.arrived.clear()
                        await line.arrived.wait()
        return [line.at.get(self.heads[line.topic], math.inf) - written[line.topic] for line in waiting]

    async def close(self) -> None:
        for task in self.listening:
            task.cancel()
        await asyncio.gather(*(line.socket.close() for line in self.lines), return_exceptions=True)


def _item(stack: Deployed, topic: str) -> dict[str, Any]:
    event = Happened(
        tenant_id=stack.tenant_id,
        correlation_id="bench",
        event_id=new_ulid(),
        type="bench.changed",
        topics=(topic,),
        resource_id="bench",
        at=now(),
        data={"percent": 50},
    )
    return {"TableName": stack.info.outputs["TableName"], "Item": dynamo(outbox.message(event).item)}


async def measure(stack: Deployed) -> tuple[list[float], list[float], float, Feed]:
    feed = Feed(stack, [stack.project(f"feed {number}") for number in range(TOPICS)])
    topics = [f"project:{project}" for project in feed.projects]
    began = time.perf_counter()
    await feed.connect()
    opening = time.perf_counter() - began
    progress(f"realtime: {len(feed.lines)} connections after {opening:.1f} s")
    single: list[float] = []
    for number in range(WARM + TRIES):
        taken = await feed.received(await feed.publish(topics[number % TOPICS]))
        single += taken if number >= WARM else []
    progress(f"realtime: one at a time p95 {percentile(single, 0.95):.3f} s")
    burst: list[float] = []
    for _ in range(BURSTS):
        burst += await feed.received(await feed.publish(*topics))
    await feed.close()
    return single, burst, opening, feed


def main() -> None:
    progress(f"realtime: {TOPICS * FOLLOWERS} connections")
    with deployed() as stack:
        single, burst, opening, feed = asyncio.run(measure(stack))
    lost = sum(feed.heads.get(line.topic, 0) - len(line.at) for line in feed.lines)
    repeated = sum(line.repeated for line in feed.lines)
    report = Report(
        "From published to received",
        f"On the local stack, deployed from the template, warm: {len(feed.lines)} WebSockets of one machine, "
        f"{FOLLOWERS} to a topic, opened in {opening:.0f} s. From the event's transaction to the frame at the client; "
        f"stream, relay, queue, worker and sockets are real. {TRIES} events one after another; {BURSTS} times one of "
        f"each of the {TOPICS} topics at once.",
        ["seconds", "p50", "p95", "max"],
    )
    for name, values in {"one event": single, f"{TOPICS} at once": burst}.items():
        report.row(name, *(f"{percentile(values, share):.3f}" for share in (0.5, 0.95, 1)))
    measured = percentile(single, 0.95)
    report.target(f"p95 < {TARGET_SECONDS * 1000:.0f} ms", f"{measured * 1000:.0f} ms", measured < TARGET_SECONDS)
    told = f"{lost} lost, {repeated} repeated"
    report.target(f"none of {len(feed.lines)} loses or repeats one", told, not lost and not repeated)
    report.finish()


if __name__ == "__main__":
    main()
