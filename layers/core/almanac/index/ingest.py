"""From a batch of sources to segments of a tenant's indexes: chunk, embed, store, and say so, once."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.table import ConditionFailed, Put, Table, Write
from almanac.embeddings.base import Embedder
from almanac.embeddings.cache import EmbeddingService, VectorCache
from almanac.errors import RetryableError, TerminalError
from almanac.events import CompactIndex, IndexSources, SourcesIndexed
from almanac.index import upkeep
from almanac.index.encoding import encode
from almanac.index.manifest import Directory, IndexInfo, IndexState, Manifest, ManifestState, SegmentEntry
from almanac.index.segments import Model, Row, Segment
from almanac.index.shards import shard_of
from almanac.index.sources import Source, SourceBatch
from almanac.observability import emit, log

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes

_TEXTS_PER_STEP = 128
_DIRECTORY_READS = 5
_COMPACTIONS_IN = 8
"""One in so many appends to a log that is overdue asks for its compaction."""


@dataclass(frozen=True)
class Indexed:
    """How many chunks a batch had, and how many texts went through a model.

    `added` chunks are new in the index that serves, `size` bytes in all indexes: nothing for a batch done before.
    """

    chunks: int
    embedded: int
    added: int = 0
    size: int = 0


@dataclass(frozen=True)
class Stores:
    """Where a batch goes: the table, the bucket, models by name, and the indexes of a tenant that never chose any."""

    table: Table
    blobs: Blobs
    embedder_for: Callable[[str], Embedder]
    default: Directory


@dataclass(frozen=True)
class _Chunked:
    sources: Sequence[Source]
    rows: list[Row]
    texts: list[str]


class _DirectoryChanged(Exception):
    """An index was added or taken away since the manifest was read."""


def model_of(embedder: Embedder) -> Model:
    """Return what parts and manifests say of an embedder."""
    return Model(name=embedder.model, fingerprint=embedder.fingerprint, dimensions=embedder.dimensions)


async def index_batch(
    batch: SourceBatch, event: IndexSources, stores: Stores, *, check: Callable[[int], None] = lambda _: None
) -> Indexed:
    """Make a batch searchable in every index of its tenant and announce it with `SourcesIndexed`.

    The serving index comes last, in one transaction with the announcement. Killed at any point, the batch can be run
    again: vectors come from the cache, an object put twice is one object, and each transaction happens once; after that
    a repetition only announces it again. `check` is called between steps of a few seconds with the number of texts
    embedded so far, and may raise to stop.

    A source without text is recorded all the same, since it replaces its earlier versions.
    """
    manifest = Manifest(stores.table, event.tenant_id, stores.default)
    for _ in range(_DIRECTORY_READS):
        state = await manifest.read()
        chunked = await asyncio.to_thread(_chunk, worthwhile(batch.sources, state))
        try:
            return await _Indexing(batch, event, stores, state, chunked, check).run()
        except _DirectoryChanged:
            log("info", "directory changed while a batch was indexed", version=state.directory.version)
    raise RetryableError("the directory of indexes kept changing")


def worthwhile(sources: Iterable[Source], hidden: ManifestState) -> list[Source]:
    """Return the newest version of each source, without those that can never be visible.

    Leaving a source out is safe only when that holds whatever comes later: its project or container is dropped (ids
    are never used again), or a tombstone of its version or a later one exists. A newer version in some segment would
    be a reason too, but the manifest does not tell of it.
    """
    newest: dict[str, Source] = {}
    for source in sources:
        known = newest.get(source.source_id)
        if known is None or known.version < source.version:
            newest[source.source_id] = source
    return [source for source in newest.values() if not hidden.hides(source)]


class _Indexing:
    """One batch against one state of the manifest."""

    def __init__(
        self,
        batch: SourceBatch,
        event: IndexSources,
        stores: Stores,
        state: ManifestState,
        chunked: _Chunked,
        check: Callable[[int], None],
    ) -> None:
        self._batch = batch
        self._event = event
        self._stores = stores
        self._state = state
        self._chunked = chunked
        self._check = check
        self._manifest = Manifest(stores.table, event.tenant_id)
        self._vectors: dict[str, Codes] = {}
        self._embedded = 0
        self._added = 0

    async def run(self) -> Indexed:
        directory = self._state.directory
        serving = directory.serving
        for info in directory.indexes.values():
            if info.state is not IndexState.SERVING:
                await self._add_beside(info)
        entries = await self._store(serving)
        chunks = len(self._chunked.rows)
        done = outbox.message(
            SourcesIndexed(
                tenant_id=self._event.tenant_id,
                correlation_id=self._event.correlation_id,
                origin=self._event.origin,
                chunks=chunks,
                embedded=self._embedded,
            )
        )
        if not entries or not await self._append(entries, [done, *self._scheduled()]):
            # Said again: whoever has this batch sent once more may wait for an answer that was lost.
            await self._stores.table.write(done)
            chunks_added = 0
        else:
            chunks_added = chunks
        return Indexed(chunks, self._embedded, chunks_added, self._added)

    async def _add_beside(self, info: IndexInfo) -> None:
        """Add the batch to an index that does not serve. Its provider may be gone for good: what is written now must
        not wait for that. Whoever switches to the index compares it with the serving one first.
        """
        try:
            entries = await self._store(info)
        except TerminalError as error:
            log("error", "batch is missing in an index", index=info.id, code=error.code, reason=error.cause)
            emit({"BatchesMissing": (1, "Count")})
            return
        await self._append(entries, [])

    async def _store(self, info: IndexInfo) -> list[SegmentEntry]:
        """Put the segments of one index into the bucket; the manifest does not know them yet."""
        embedder = self._stores.embedder_for(info.model)
        vectors = await self._embed(embedder)
        segments = _split(self._batch, self._chunked, vectors, model_of(embedder), self._event, info.shards)
        entries = []
        for shard, segment in segments:
            name, body = await asyncio.to_thread(encode, segment)
            await self._stores.blobs.put(keys.part_object(self._event.tenant_id, info.id, name), body)
            size, fingerprint = len(body), segment.model.fingerprint
            entries.append(SegmentEntry(info.id, name, len(segment.rows), size, fingerprint, shard, segment.origin))
        return entries

    async def _append(self, entries: Sequence[SegmentEntry], also: Sequence[Put]) -> bool:
        """Add segments to their index; False when that was done before. An index is never passed over.

        Whoever adds an index copies what the others hold by then. So the transaction depends on the directory that was
        read: what came in before the index is copied, what comes after goes into it.
        """
        if not entries:
            return True
        appends = [self._manifest.append(entry) for entry in entries]
        asked = [outbox.message(event) for event in self._compactions(entries)]
        writes: list[Write] = [self._known_directory(), *appends, *asked, *also]
        try:
            await self._stores.table.transact(writes)
        except ConditionFailed as error:
            if error.position == 0:
                raise _DirectoryChanged from None
            # One of them was there, so all were: they came in one transaction.
            log("info", "segment was appended before", segment=entries[0].sha256)
            return False
        self._added += sum(entry.size for entry in entries)
        return True

    def _known_directory(self) -> Write:
        """Hold the directory fast. A tenant's first segment writes it: from then on the tenant's model is its own, and
        a deployment that changes its default leaves what was indexed where it is.
        """
        directory = self._state.directory
        if directory.version:
            return self._manifest.unchanged(directory)
        return self._manifest.pin(directory)

    def _compactions(self, entries: Iterable[SegmentEntry]) -> list[CompactIndex]:
        """Ask for a compaction where the log is overdue, but not with each of the many appends that find it so.

        Workers append at the same time and see the same length, so counting would have several or none of them ask.
        The name of a segment is as good as chance. What chance passes over, the daily sweep finds.
        """
        due = []
        for entry in entries:
            chosen = int(entry.sha256[:4], 16) % _COMPACTIONS_IN == 0
            if chosen and upkeep.is_overdue(self._state, entry.index_id, entry.shard, adding=entry):
                tenant_id, correlation_id = self._event.tenant_id, self._event.correlation_id
                index_id, shard = entry.index_id, entry.shard
                due.append(
                    CompactIndex(tenant_id=tenant_id, correlation_id=correlation_id, index_id=index_id, shard=shard)
                )
        return due

    def _scheduled(self) -> list[Put]:
        """Put a tenant whose index begins on the schedule of sweeps."""
        begun = self._state.log or self._state.snapshots
        return [] if begun else [upkeep.schedule(self._event.tenant_id)]

    async def _embed(self, embedder: Embedder) -> "Codes":
        import numpy as np

        if (known := self._vectors.get(embedder.model)) is not None:
            return known
        service = EmbeddingService(embedder, VectorCache(self._stores.table, self._event.tenant_id, embedder))
        texts = self._chunked.texts
        parts = [np.empty((0, embedder.dimensions), np.int8)]
        for start in range(0, len(texts), _TEXTS_PER_STEP):
            self._check(self._embedded)
            codes, embedded = await service.embed(texts[start : start + _TEXTS_PER_STEP])
            parts.append(codes)
            self._embedded += embedded
        self._vectors[embedder.model] = np.concatenate(parts)
        return self._vectors[embedder.model]


def _chunk(sources: Sequence[Source]) -> _Chunked:
    from almanac.text.chunking import chunk_source, embedding_text

    rows, texts = [], []
    for place, source in enumerate(sources):
        for chunk in chunk_source(source):
            rows.append(Row(place, chunk.ordinal, chunk.start_line, chunk.end_line, chunk.text, chunk.context))
            texts.append(embedding_text(chunk))
    return _Chunked(sources, rows, texts)


def _split(
    batch: SourceBatch, chunked: _Chunked, vectors: "Codes", model: Model, event: IndexSources, shards: int
) -> list[tuple[int, Segment]]:
    """Return the segment of each shard that gets anything."""
    found = []
    for shard in range(shards):
        mine = [place for place, source in enumerate(chunked.sources) if shard_of(source.source_id, shards) == shard]
        deleted = tuple(ref for ref in batch.deleted if shard_of(ref.source_id, shards) == shard)
        if not mine and not deleted:
            continue
        new = {place: number for number, place in enumerate(mine)}
        rows = [number for number, row in enumerate(chunked.rows) if row.source in new]
        segment = Segment(
            model,
            [chunked.sources[place].info for place in mine],
            [chunked.rows[row]._replace(source=new[chunked.rows[row].source]) for row in rows],
            vectors[rows],
            tombstones=deleted,
            origin=event.origin,
        )
        found.append((shard, segment))
    return found
