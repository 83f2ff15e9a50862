"""Git sync with everything that can go wrong under a test's control: time, deliveries, deaths."""

import asyncio
import shutil
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.secrets import Secrets
from almanac.aws.table import Put, Table
from almanac.clock import now
from almanac.embeddings.testing import HashEmbedder
from almanac.events import AnyEvent, Happened, IndexSources, SourcesFailed, SourcesIndexed, SyncRepository
from almanac.ids import new_id
from almanac.index.ingest import Stores, index_batch
from almanac.index.manifest import Directory
from almanac.index.sources import SourceBatch
from almanac.worker.batch import Deadline
from projects.model import RepositoryRecord, remote_key
from projects.stores.repositories import RepositoryStore
from projects.sync import completion, run
from projects.sync.dependencies import SyncDependencies, Tuning
from projects.sync.emit import StepLimits
from projects.sync.transport import GuardedClient
from tests.support.memory import Killed, MemoryStore

EMBEDDER = HashEmbedder()
_events: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


@dataclass
class World:
    """A store, a clock, queues, and one repository per tenant."""

    cache: Path
    store: MemoryStore = field(default_factory=MemoryStore)
    seconds: float = 1_800_000_000
    queue: list[AnyEvent] = field(default_factory=list)
    news: list[AnyEvent] = field(default_factory=list)
    poison: set[str] = field(default_factory=set)
    lifetime: float = 300
    step: StepLimits = field(default_factory=lambda: StepLimits(sources=3))
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def __post_init__(self) -> None:
        self.table = Table("almanac", self.store)
        self.blobs = Blobs("almanac", self.store)
        self.dependencies = SyncDependencies(
            table=self.table,
            blobs=self.blobs,
            secrets=Secrets("key", self.store),
            allow_private_hosts=True,
            cache=self.cache,
            clock=lambda: self.seconds,
            tuning=Tuning(pauses=(), step=self.step),
        )

    def close(self) -> None:
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def connect(self, url: str, *, branch: str | None = None, pattern: str | None = None) -> tuple[str, str]:
        """Connect a repository of a new tenant; returns tenant and repository id."""
        tenant, repository = new_id("ten"), new_id("rep")
        record = RepositoryRecord(
            id=repository,
            project_id=new_id("prj"),
            name="project",
            url=url,
            remote=remote_key(url, branch, pattern),
            branch=branch,
            branch_pattern=pattern,
            created_at=now(),
            updated_at=now(),
        )
        self.run(self.table.write(Put(record.to_item(tenant))))
        return tenant, repository

    def push(self, tenant: str, repository: str, reason: str = "push") -> None:
        """Queue what a delivery, or the reconciler, queues."""
        message = {"tenant_id": tenant, "correlation_id": "test", "repository_id": repository, "reason": reason}
        self.queue.append(SyncRepository.model_validate(message))

    def rebuild(self, tenant: str, repository: str) -> None:
        """Ask for everything again, as a person or a repair does."""
        message = SyncRepository(tenant_id=tenant, correlation_id="test", repository_id=repository, reason="rebuild")
        self.run(RepositoryStore(self.dependencies, tenant).request_rebuild(repository, message))

    def relay(self) -> None:
        """Move the outbox to the queue."""
        waiting = [item for item in self.store.items.values() if item.get("entity") == {"S": outbox.ENTITY}]
        for item in sorted(waiting, key=lambda item: str(item["sk"])):
            event = _events.validate_json(item["body"]["S"])
            (self.news if isinstance(event, Happened) else self.queue).append(event)
            del self.store.items[item["pk"]["S"], item["sk"]["S"]]

    def deliver(self, place: int = 0, *, outlives_lease: bool = True) -> None:
        """Hand one message to its worker. A death puts it back; the dead worker's lease runs out, or not yet."""
        message = self.queue.pop(place)
        try:
            self.run(self.handle(message))
        except Killed:
            self.store.revive()
            self.queue.append(message)
            self.seconds += 100 if outlives_lease else 10

    def deliver_together(self, stall_at: int) -> None:
        """Hand all messages to workers at once. At one call the time jumps, so that somebody's lease runs out."""
        calls = 0

        def stall() -> None:
            nonlocal calls
            calls += 1
            self.seconds += 200 if calls == stall_at else 0

        async def one(message: AnyEvent) -> None:
            try:
                await self.handle(message)
            except Exception:  # noqa: BLE001 - as the queue does: it comes again
                self.queue.append(message)

        async def together(messages: list[AnyEvent]) -> None:
            await asyncio.gather(*(one(message) for message in messages))

        messages, self.queue = self.queue, []
        self.store.on_call = stall
        try:
            self.run(together(messages))
        finally:
            self.store.on_call = None

    async def handle(self, message: AnyEvent) -> None:
        match message:
            case SyncRepository():
                await run.sync(self.dependencies, message, Deadline(time.monotonic() + self.lifetime))
            case IndexSources():
                await self._index(message)
            case SourcesIndexed():
                await completion.batch_indexed(self.dependencies, message, clock=self.dependencies.clock)
            case SourcesFailed():
                await completion.batch_failed(self.dependencies, message, clock=self.dependencies.clock)

    async def _index(self, message: IndexSources) -> None:
        body = await self.blobs.get(message.batch_key)
        batch = SourceBatch.decode(body) if body is not None else None
        if batch is None or any(word in source.text for source in batch.sources for word in self.poison):
            failed = SourcesFailed(
                tenant_id=message.tenant_id,
                correlation_id=message.correlation_id,
                origin=message.origin,
                code="poison",
                cause="it cannot be embedded",
            )
            await self.table.write(outbox.message(failed))
            return
        default = Directory.default(EMBEDDER.slug, EMBEDDER.model)
        await index_batch(batch, message, Stores(self.table, self.blobs, lambda _: EMBEDDER, default))

    def settle(self, tenant: str, repository: str) -> None:
        """Let everything come to rest, then let the reconciler look until nothing is left to repair."""
        self.drain()
        for _ in range(12):
            self.seconds += 1_000
            self.push(tenant, repository, "reconcile")
            self.drain()
            item = self.item(tenant, repository)
            is_served = item["wanted"] == item["served"] and item.get("rebuild_from", 0) <= item.get("floor", 0)
            if not item["attempted"] and not item.get("unindexed") and is_served:
                return
        raise AssertionError(f"the repository does not come to rest: {item}")

    def drain(self) -> None:
        for _ in range(2_000):
            self.relay()
            if not self.queue:
                return
            self.deliver()
        raise AssertionError("the queue does not run dry")

    def item(self, tenant: str, repository: str) -> dict[str, Any]:
        found: dict[str, Any] = self.run(self.table.get(keys.repository(tenant, repository)))
        return found

    def new_environment(self) -> None:
        """Forget what was on the disk."""
        shutil.rmtree(self.cache, ignore_errors=True)


def count_requests(world: World, patch: Any) -> None:
    """Make requests to the git host calls that a process can die at, too."""
    send = GuardedClient._send

    def counted(self: GuardedClient, *arguments: Any) -> Any:
        return world.store.call(lambda: send(self, *arguments))

    patch.setattr(GuardedClient, "_send", counted)
