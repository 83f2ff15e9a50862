"""What the embedding worker does with one message."""

import asyncio
import time
from types import ModuleType
from typing import TYPE_CHECKING

from almanac.aws import keys, outbox
from almanac.errors import RetryableError, TerminalError
from almanac.events import BatchOrigin, DocumentOrigin, IndexSources, SourcesFailed
from almanac.findings.store import Scanned
from almanac.index.sources import SourceBatch
from almanac.limits import quotas
from almanac.observability import emit, log, log_failure
from almanac.text import secrets
from almanac.worker.batch import Deadline
from search import wiring

if TYPE_CHECKING:
    from almanac.index.ingest import Indexed

_RESERVE_SECONDS = 20
"""Left for the last step of embedding, the segment and the transaction. The vectors so far are in the cache."""


class _OutOfTime(Exception):
    """The deadline is near, and something was done."""


async def index(message: IndexSources, deadline: Deadline) -> None:
    """Index one batch; nothing is left to do for one that its owner waits for no more.

    Near the deadline another message goes on from the vectors that are in the cache.
    Raises `TerminalError` when it is gone or unreadable, `RetryableError` when there was no time to begin.
    """
    began = time.perf_counter()
    # The first batch imports numpy and the chunker: in a thread, while the store answers.
    ingest, batch = await asyncio.gather(asyncio.to_thread(_load), _read(message))
    if batch is None:
        log("info", "batch was settled before", key=message.batch_key)
        return

    batch = await _without_secrets(message, batch)

    def check(embedded: int) -> None:
        if deadline.remaining() < _RESERVE_SECONDS:
            raise _OutOfTime if embedded else RetryableError("no time was left to begin in")

    try:
        stores = ingest.Stores(wiring.table(), wiring.blobs(), wiring.embedder_for, wiring.default_directory())
        indexed = await ingest.index_batch(batch, message, stores, check=check)
    except _OutOfTime:
        # Work that goes on is no failure: it must not use up the receives of its message.
        log("info", "batch continues in the next message", key=message.batch_key)
        await wiring.table().write(outbox.message(message))
        return
    await _count(message.tenant_id, indexed)
    milliseconds = (time.perf_counter() - began) * 1000
    log("info", "batch indexed", chunks=indexed.chunks, embedded=indexed.embedded, milliseconds=round(milliseconds, 1))
    emit(
        {
            "Chunks": (indexed.chunks, "Count"),
            "Embeddings": (indexed.embedded, "Count"),
            "IndexBatch": (milliseconds, "Milliseconds"),
        },
        worker="embedding",
    )


async def _without_secrets(message: IndexSources, batch: SourceBatch) -> SourceBatch:
    """Return the batch as it may be indexed. What was found is on record before anything of the batch is."""
    cleaned = await asyncio.to_thread(lambda: [secrets.clean_source(source) for source in batch.sources])
    scanned = [Scanned.of(each.source, each.secrets) for each in cleaned]
    scanned += [Scanned.deleted(ref) for ref in batch.deleted]
    if found := await wiring.findings(message.tenant_id).note(scanned):
        log("warning", "secrets were masked", secrets=found)
        emit({"SecretsMasked": (found, "Count")}, worker="embedding")
    return batch.model_copy(update={"sources": [each.source for each in cleaned]})


async def give_up(message: IndexSources, code: str, cause: str) -> None:
    """Tell the owner of the sources that they will not be searchable, and why."""
    failed = SourcesFailed(
        tenant_id=message.tenant_id,
        correlation_id=message.correlation_id,
        origin=message.origin,
        code=code,
        cause=cause,
    )
    await wiring.table().write(outbox.message(failed))


async def _count(tenant_id: str, indexed: "Indexed") -> None:
    """Add what is new to the tenant's use. Should this be lost, the next recount finds it: the batch is indexed."""
    if not indexed.size:
        return
    try:
        await wiring.table().write(quotas.added(tenant_id, chunks=indexed.added, storage_bytes=indexed.size))
    except Exception as error:  # noqa: BLE001 - see above
        log_failure("use was not counted", error, chunks=indexed.added)


def _load() -> ModuleType:
    import numpy  # noqa: F401 - what follows needs it on the event loop, where importing it would block

    from almanac.index import ingest
    from almanac.text import chunking  # noqa: F401

    secrets.load()

    return ingest


async def _read(message: IndexSources) -> SourceBatch | None:
    key = message.batch_key
    body = await wiring.blobs().get(key)
    if body is None:
        if await _is_settled(message):
            return None
        raise TerminalError("batch_missing", f"the batch {key} is not in the bucket")
    try:
        return SourceBatch.decode(body)
    except ValueError as error:
        raise TerminalError("batch_unreadable", f"the batch {key} cannot be read") from error


async def _is_settled(message: IndexSources) -> bool:
    """Tell whether the owner has its answer: it then removes the batch, and queues deliver some messages twice."""
    tenant_id, origin = message.tenant_id, message.origin
    if isinstance(origin, BatchOrigin):
        key = keys.sync_batch(tenant_id, origin.repository_id, origin.run, origin.batch)
        return await wiring.table().get(key) is None
    if isinstance(origin, DocumentOrigin):
        item = await wiring.table().get(keys.document_part(tenant_id, origin.document_id, origin.revision, origin.part))
        return item is None or item["state"] == "indexed"
    item = await wiring.table().get(keys.message(tenant_id, origin.message_id))
    return item is None or item["version"] != origin.version
