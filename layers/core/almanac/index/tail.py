"""What is stored but not embedded yet: found by words alone until its segment comes."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from almanac.aws.blobs import Blobs
from almanac.events import DocumentOrigin
from almanac.index.encoding import encode
from almanac.index.manifest import Awaited, ManifestState
from almanac.index.parts import Part, open_part, source_key
from almanac.index.segments import Model, Row, Segment
from almanac.index.shards import shard_of
from almanac.index.sources import Source, SourceBatch
from almanac.text.chunking import chunk_source
from almanac.text.secrets import clean_source

LONGEST = 200
"""So many of the newest are searched; embedding is far behind when there are more."""


def awaiting(state: ManifestState, index_id: str, parts: Sequence[Part]) -> list[Awaited]:
    """Return what the index does not have yet, newest first.

    An entry of the manifest may outlive the coming of its segment for a moment, or what it stands for.
    """
    arrived = {entry.origin for entry in state.segments(index_id).values()}
    found = [
        entry
        for entry in state.awaiting.values()
        if entry.origin not in arrived and not _is_gone(state, entry) and not _is_held(parts, entry)
    ]
    return sorted(found, key=lambda entry: (entry.since, entry.name), reverse=True)


def searchable(entries: Iterable[Awaited]) -> list[Awaited]:
    """Return those that words can find before they are embedded."""
    return [entry for entry in entries if entry.source_id is not None][:LONGEST]


def tail_parts(
    entries: Iterable[Awaited], batches: Mapping[str, Sequence[Source]], model: Model, shards: int
) -> list[tuple[Part, int]]:
    """Make parts without vectors of what the batches of the entries hold but for secrets, each with its shard."""
    found: dict[int, list[Source]] = {}
    for entry in entries:
        source = _source_of(entry, batches.get(entry.batch_key, ()))
        if source is not None:
            found.setdefault(shard_of(source.source_id, shards), []).append(clean_source(source).source)
    return [(_part(sources, model), shard) for shard, sources in sorted(found.items())]


def _part(sources: Sequence[Source], model: Model) -> Part:
    rows = [
        Row(place, chunk.ordinal, chunk.start_line, chunk.end_line, chunk.text, chunk.context)
        for place, source in enumerate(sources)
        for chunk in chunk_source(source)
    ]
    encoded = encode(Segment(model, [source.info for source in sources], rows, None))
    return open_part(encoded.body, name=encoded.sha256, key="the tail", model=model, verify=False)


async def sources_of(blobs: Blobs, batch_key: str) -> list[Source]:
    """Return the sources of a batch; none when it is gone or unreadable: they are not found by words yet."""
    body = await blobs.get(batch_key)
    try:
        return [] if body is None else SourceBatch.decode(body).sources
    except ValueError:
        return []


def _is_gone(state: ManifestState, entry: Awaited) -> bool:
    erased = entry.source_id is not None and state.erased.get(entry.source_id, 0) >= entry.version
    document = entry.origin.document_id if isinstance(entry.origin, DocumentOrigin) else None
    return erased or not state.drops.isdisjoint({entry.container_id, document})


def _is_held(parts: Sequence[Part], entry: Awaited) -> bool:
    """Tell whether a part has this version of the source, or a later one."""
    if entry.source_id is None:
        return False
    high, low = (np.uint64(half) for half in source_key(entry.source_id))
    for part in parts:
        first, last = (int(np.searchsorted(part.key_high, high, side)) for side in ("left", "right"))
        if ((part.key_low[first:last] == low) & (part.versions[first:last] >= entry.version)).any():
            return True
    return False


def _source_of(entry: Awaited, batch: Sequence[Source]) -> Source | None:
    return next((s for s in batch if (s.source_id, s.version) == (entry.source_id, entry.version)), None)
