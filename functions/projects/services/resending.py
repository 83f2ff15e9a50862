"""Sending sources to the index once more: for a part that was lost, or for an index that is made anew."""

import asyncio
from contextlib import suppress
from typing import NamedTuple, Self

from almanac.aws import keys, outbox
from almanac.aws.table import ConditionFailed, Item, Update
from almanac.dependencies import Dependencies
from almanac.errors import Busy, RetryableError
from almanac.events import ResendDocuments, ResendSources, SyncRepository
from almanac.observability import log
from almanac.worker.batch import Deadline
from projects.batches import awaited, indexing, put_batch
from projects.errors import RepositoryNotFound
from projects.model import Indexed, IndexedState, Message
from projects.services.cascades import RESERVE_SECONDS, OutOfTime
from projects.services.indexing import remove_version
from projects.stores.base import listing_start
from projects.stores.repositories import RepositoryStore

_PAGE = 100
_AT_ONCE = 8
_ATTEMPTS = 5


async def resend(dependencies: Dependencies, event: ResendSources, deadline: Deadline) -> None:
    """Send what an event names, of what is still there. Each can be repeated; all of a tenant goes on at the cursor."""
    if event.message_id is not None:
        await resend_message(dependencies, event, event.message_id, wait=True)
    elif event.repository_id is not None:
        await rebuild_repository(dependencies, event, event.repository_id)
    else:
        await _Walk(dependencies, event, deadline).go()


async def rebuild_repository(dependencies: Dependencies, event: ResendSources, repository_id: str) -> None:
    """Ask for a run that sends all of a repository; nothing happens for one that is gone."""
    sync = SyncRepository(
        tenant_id=event.tenant_id,
        correlation_id=event.correlation_id,
        repository_id=repository_id,
        reason="rebuild",
    )
    with suppress(RepositoryNotFound):
        try:
            await RepositoryStore(dependencies, event.tenant_id).request_rebuild(repository_id, sync)
        except Busy as busy:
            raise RetryableError("the repository kept changing") from busy


async def resend_message(dependencies: Dependencies, event: ResendSources, message_id: str, *, wait: bool) -> None:
    """Have the current version of a message indexed again; nothing happens for one that is gone.

    With `wait` its words find it until then. Of very many messages nobody waits: every search would look at each.
    """
    key = keys.message(event.tenant_id, message_id)
    for _ in range(_ATTEMPTS):
        item = await dependencies.table.get(key)
        if item is None:
            return
        message = Message.from_item(item)
        if message.content is not None:
            lasting = message.indexed.state is IndexedState.FAILED
            await put_batch(dependencies.blobs, message, message.content, lasting=lasting)
        # From here on the index owes an answer once more, which sees to the object of a version that ends meanwhile.
        pending = Update(
            key,
            set={"indexed": Indexed().model_dump(exclude_none=True)},
            condition="#version = :version AND #indexed.#state = :state",
            values={":version": message.version, ":state": message.indexed.state},
        )
        send = outbox.message(indexing(event.tenant_id, event.correlation_id, message))
        words = [dependencies.manifest(event.tenant_id).await_(awaited(message))] if wait else []
        try:
            await dependencies.table.transact([pending, send, *words])
        except ConditionFailed as refused:
            if refused.item is None or refused.item["version"] != message.version:
                await remove_version(dependencies.blobs, event.tenant_id, message_id, message.version)
            continue
        return
    raise RetryableError("the message kept changing")


class _Position(NamedTuple):
    """How far a walk came. `item` is a sort key in the project's partition, done unless `guard` says how far in it."""

    project_id: str = ""
    item: str = ""
    guard: str = ""

    @classmethod
    def parse(cls, cursor: str | None) -> Self:
        return cls(*(cursor or "").split(" "))

    def __str__(self) -> str:
        return " ".join(self)


class _Walk:
    """All that a tenant has: its projects, in each its checkpoints' messages and its repositories."""

    def __init__(self, dependencies: Dependencies, event: ResendSources, deadline: Deadline) -> None:
        self._dependencies = dependencies
        self._table = dependencies.table
        self._event = event
        self._deadline = deadline
        self._tenant_id = event.tenant_id
        self._at = _Position.parse(event.cursor)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def go(self) -> None:
        """Go on from the cursor; near the deadline another message does."""
        try:
            if self._at.project_id:
                await self._project()
            while project_id := await self._next_project():
                self._at = _Position(project_id)
                await self._project()
        except OutOfTime:
            await self._table.write(outbox.message(self._event.model_copy(update={"cursor": str(self._at)})))
            log("info", "resending continues in the next message", at=str(self._at))
            return
        # What documents say is theirs to send.
        documents = ResendDocuments(tenant_id=self._tenant_id, correlation_id=self._event.correlation_id)
        await self._table.write(outbox.message(documents))
        log("info", "all sources were sent again")

    async def _next_project(self) -> str | None:
        partition, last = keys.projects(self._tenant_id), self._at.project_id
        after = listing_start(keys.project(self._tenant_id, last), partition, last) if last else None
        page = await self._table.query(partition, index=keys.CHILDREN_INDEX, after=after, limit=1)
        return page.items[0]["id"] if page.items else None

    async def _project(self) -> None:
        if self._at.guard:
            await self._checkpoint(self._at.item)
        partition = keys.project(self._tenant_id, self._at.project_id).pk
        while True:
            after = {"pk": partition, "sk": self._at.item} if self._at.item else None
            page = await self._table.query(partition, after=after, limit=_PAGE)
            for item in page.items:
                await self._item(item)
            if page.last_key is None:
                return

    async def _item(self, item: Item) -> None:
        self._check()
        if item["entity"] == "project_remote":
            await rebuild_repository(self._dependencies, self._event, item["repository_id"])
        elif item["entity"] == "project_checkpoint":
            await self._checkpoint(item["sk"])
        self._at = _Position(self._at.project_id, item["sk"])

    async def _checkpoint(self, item: str) -> None:
        """Send the messages of the checkpoint that an item of the project's links to."""
        checkpoint_id = item.removeprefix(keys.project_checkpoint(self._tenant_id, self._at.project_id, "").sk)
        first = keys.message_hash(self._tenant_id, checkpoint_id, "")
        guard = self._at.guard
        while True:
            self._check()
            after = {"pk": first.pk, "sk": guard} if guard else None
            page = await self._table.query(first.pk, prefix=first.sk, after=after, limit=_PAGE)
            await asyncio.gather(*(self._message(found["message_id"]) for found in page.items))
            if page.last_key is None:
                self._at = _Position(self._at.project_id, item)
                return
            guard = page.items[-1]["sk"]
            self._at = _Position(self._at.project_id, item, guard)

    async def _message(self, message_id: str) -> None:
        async with self._slots:
            await resend_message(self._dependencies, self._event, message_id, wait=False)

    def _check(self) -> None:
        if self._deadline.remaining() < RESERVE_SECONDS:
            raise OutOfTime
