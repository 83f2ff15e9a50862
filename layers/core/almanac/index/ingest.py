"""From a batch of sources to a segment of the index: chunk, embed, store, and say so, once."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.table import ConditionFailed, Table
from almanac.embeddings.base import Embedder
from almanac.embeddings.cache import EmbeddingService, VectorCache
from almanac.events import IndexSources, SourcesIndexed
from almanac.index.manifest import Manifest, ManifestState, SegmentEntry
from almanac.index.segments import Model, Row, Segment, encode
from almanac.index.sources import Source, SourceBatch
from almanac.observability import log

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes

_TEXTS_PER_STEP = 128


@dataclass(frozen=True)
class Indexed:
    """How many chunks a batch had, and how many of them went through the model."""

    chunks: int
    embedded: int


@dataclass(frozen=True)
class _Chunked:
    rows: list[Row]
    texts: list[str]


def model_of(embedder: Embedder) -> Model:
    """Return what segments and manifests say of an embedder."""
    return Model(name=embedder.model, fingerprint=embedder.fingerprint, dimensions=embedder.dimensions)


async def index_batch(
    batch: SourceBatch,
    event: IndexSources,
    *,
    table: Table,
    blobs: Blobs,
    embedder: Embedder,
    check: Callable[[int], None] = lambda _: None,
) -> Indexed:
    """Make a batch searchable and announce it with `SourcesIndexed`, in one transaction.

    Killed at any point, it can be run again: vectors come from the cache, an object put twice is one object, and the
    transaction happens once; after that a repetition only announces it again. `check` is called between steps of a
    few seconds with the number of texts embedded so far, and may raise to stop.

    A source without text is recorded all the same, since it replaces its earlier versions.
    """
    tenant_id, slug = event.tenant_id, embedder.slug
    manifest = Manifest(table, tenant_id)
    sources = _worthwhile(batch.sources, await manifest.read())
    chunked = await asyncio.to_thread(_chunk, sources)
    service = EmbeddingService(embedder, VectorCache(table, tenant_id, embedder))
    vectors, embedded = await _embed(service, chunked.texts, embedder.dimensions, check)
    infos = [source.info for source in sources]
    segment = Segment(model_of(embedder), infos, chunked.rows, vectors, tuple(batch.deleted), event.origin)
    indexed = Indexed(len(chunked.rows), embedded)
    done = outbox.message(
        SourcesIndexed(
            tenant_id=tenant_id,
            correlation_id=event.correlation_id,
            origin=event.origin,
            chunks=indexed.chunks,
            embedded=indexed.embedded,
        )
    )
    if not segment.sources and not segment.tombstones:
        await table.write(done)
        return indexed
    name, body = await asyncio.to_thread(encode, segment)
    await blobs.put(keys.part_object(tenant_id, slug, name), body)
    entry = SegmentEntry(slug, name, len(segment.rows), len(body), segment.model.fingerprint, origin=event.origin)
    try:
        await table.transact([manifest.append(entry), done])
    except ConditionFailed:
        # Said again: whoever has this batch sent once more may wait for an answer that was lost.
        log("info", "segment was appended before", segment=name)
        await table.write(done)
    return indexed


def _worthwhile(sources: Iterable[Source], hidden: ManifestState) -> list[Source]:
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


def _chunk(sources: Iterable[Source]) -> _Chunked:
    from almanac.text.chunking import chunk_source, embedding_text

    rows, texts = [], []
    for place, source in enumerate(sources):
        for chunk in chunk_source(source):
            rows.append(Row(place, chunk.ordinal, chunk.start_line, chunk.end_line, chunk.text, chunk.context))
            texts.append(embedding_text(chunk))
    return _Chunked(rows, texts)


async def _embed(
    service: EmbeddingService, texts: list[str], dimensions: int, check: Callable[[int], None]
) -> tuple["Codes", int]:
    import numpy as np

    parts, count = [np.empty((0, dimensions), np.int8)], 0
    for start in range(0, len(texts), _TEXTS_PER_STEP):
        check(count)
        codes, embedded = await service.embed(texts[start : start + _TEXTS_PER_STEP])
        parts.append(codes)
        count += embedded
    return np.concatenate(parts), count
