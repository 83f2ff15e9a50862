"""Whole indexes, opened for administration: their parts, and what is visible of them."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from almanac.index.copies import Place, place_of
from almanac.index.ingest import model_of
from almanac.index.manifest import IndexInfo, ManifestState, PartRef, SegmentEntry
from almanac.index.parts import Body, CorruptPart, Part, open_part
from almanac.index.reader import IndexUnavailable, Reader
from almanac.index.segments import ModelMismatch
from almanac.index.shards import shard_of
from almanac.index.visibility import Shown, View, facts_of, visible_documents
from almanac.observability import log
from search import wiring

Claim = tuple[int, int, int]
"""A version of a source: the two halves of its key, and the version."""


@dataclass(frozen=True)
class OpenedShard:
    """A shard of an index: `parts` hold what may be visible, `view` is of them, `history` answers for the past."""

    parts: list[Part]
    history: list[Part]
    view: View


@dataclass(frozen=True)
class Opened:
    """An index as of one reading of the manifest."""

    info: IndexInfo
    state: ManifestState
    shards: list[OpenedShard]

    def without(self, projects: frozenset[str]) -> "Opened":
        """Return the index as who does not see these projects sees it; what it holds stays."""
        return replace(self, shards=[replace(shard, view=shard.view.without(projects)) for shard in self.shards])

    @property
    def parts(self) -> list[Part]:
        return [part for shard in self.shards for part in shard.parts]

    @property
    def history(self) -> list[Part]:
        return [part for shard in self.shards for part in shard.history]

    @property
    def rows(self) -> int:
        """How many rows are visible."""
        return sum(shard.view.rows for shard in self.shards)

    @property
    def unembedded(self) -> int:
        """How many visible rows have no vector."""
        return sum(shard.view.unembedded for shard in self.shards)

    def visible(self) -> list[Shown]:
        """Return what is visible of each part."""
        return [shown for shard in self.shards for shown in shard.view.shown]

    def find(self, source_id: str) -> tuple[Part, int] | None:
        """Return where the visible document of a source lies."""
        return self.shards[shard_of(source_id, len(self.shards))].view.find(source_id)

    def shown(self) -> set[Claim]:
        """Return the versions of sources that are visible."""
        return {claim for shown in self.visible() for claim in claims(shown.part, visible_documents(shown).tolist())}

    def held(self) -> set[Claim]:
        """Return the versions of sources that the index has at all, visible or not."""
        return {claim for part in (*self.parts, *self.history) for claim in claims(part, range(part.documents))}


@dataclass(frozen=True)
class Difference:
    """What one index shows and another does not: `missing` of the first, `unexpected` of the second."""

    total: int
    missing: int
    unexpected: int

    @classmethod
    def between(cls, serving: Opened, other: Opened) -> "Difference":
        expected, found = serving.shown(), other.shown()
        return cls(len(expected), len(expected - found), len(found - expected))


def claims(part: Part, documents: "range | list[int]") -> Iterator[Claim]:
    """Iterate over the versions of sources that stand at these places of a part."""
    chosen = list(documents)
    columns = (column[chosen].tolist() for column in (part.key_high, part.key_low, part.versions))
    return zip(*columns, strict=True)


async def open_index(reader: Reader, tenant_id: str, state: ManifestState, index_id: str) -> Opened:
    """Open an index; raises `IndexUnavailable` when a part cannot be read, after its repair was asked for.

    What answered for the past and is lost for good is passed over.
    """
    info = state.directory.indexes[index_id]
    shards = (_open_shard(reader, tenant_id, state, info, shard) for shard in range(info.shards))
    return Opened(info, state, list(await asyncio.gather(*shards)))


async def _open_shard(reader: Reader, tenant_id: str, state: ManifestState, info: IndexInfo, shard: int) -> OpenedShard:
    snapshot = state.snapshot(info.id, shard)
    current = await _open(reader, tenant_id, info, [snapshot.current] if snapshot and snapshot.current else [])
    covered = {name for part in current for name in part.header.covers}
    segments = [entry for name, entry in sorted(state.segments(info.id, shard).items()) if name not in covered]
    parts = [*current, *await _open(reader, tenant_id, info, segments)]
    past = [ref for ref in (snapshot.history if snapshot else ()) if ref.sha256 not in state.lost]
    history = await _open(reader, tenant_id, info, past)
    return OpenedShard(parts, history, await asyncio.to_thread(View, parts, facts_of(state)))


async def _open(reader: Reader, tenant_id: str, info: IndexInfo, refs: Sequence[PartRef | SegmentEntry]) -> list[Part]:
    places = [place_of(tenant_id, info.id, ref) for ref in refs]
    bodies = await reader.bodies(tenant_id, info.id, places)
    return await asyncio.to_thread(_parts, info, places, bodies)


def _parts(info: IndexInfo, places: Sequence[Place], bodies: Sequence[Body]) -> list[Part]:
    model = model_of(wiring.embedder_for(info.model))
    try:
        return [
            open_part(body, name=place.name, key=place.key, model=model, verify=False)
            for place, body in zip(places, bodies, strict=True)
        ]
    except (CorruptPart, ModelMismatch) as error:
        log("error", "part unusable", index=info.id, reason=str(error))
        raise IndexUnavailable(f"A part of the index {info.id} is of another format or model.") from error
