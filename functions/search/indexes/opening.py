"""Whole indexes, opened for administration: their parts, and what is visible of them."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.index.ingest import model_of
from almanac.index.manifest import IndexInfo, ManifestState
from almanac.index.parts import Part, open_part
from almanac.index.visibility import Facts, View, visible_documents
from search import wiring

if TYPE_CHECKING:
    from almanac.index.segments import Model

_DOWNLOADS = 16

Claim = tuple[int, int, int]
"""A version of a source: the two halves of its key, and the version."""


@dataclass(frozen=True)
class Opened:
    """An index as of one reading of the manifest: `parts` hold what may be visible, `history` answers for the past."""

    info: IndexInfo
    state: ManifestState
    parts: list[Part]
    history: list[Part]
    view: View

    def shown(self) -> set[Claim]:
        """Return the versions of sources that are visible."""
        return {claim for shown in self.view.shown for claim in claims(shown.part, visible_documents(shown).tolist())}

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


def names(state: ManifestState, index_id: str) -> tuple[list[str], list[str]]:
    """Return the names of an index's parts: of those that may be visible, and of its history."""
    current, history = list(state.segments(index_id)), []
    for snapshot in state.snapshots.get(index_id, {}).values():
        current += [snapshot.current.sha256] if snapshot.current else []
        history += [ref.sha256 for ref in snapshot.history]
    return sorted(set(current)), sorted(set(history) - set(current))


def facts(state: ManifestState) -> Facts:
    return Facts(state.erased, frozenset(state.drops), state.floors)


async def open_index(blobs: Blobs, tenant_id: str, state: ManifestState, index_id: str) -> Opened:
    """Open an index; raises `CorruptPart` when an object is not what the manifest names."""
    info = state.directory.indexes[index_id]
    model = model_of(wiring.embedder_for(info.model))
    current, history = names(state, index_id)
    parts = await _open(blobs, tenant_id, index_id, model, current)
    past = await _open(blobs, tenant_id, index_id, model, history)
    view = await asyncio.to_thread(View, parts, facts(state))
    return Opened(info, state, parts, past, view)


async def _open(blobs: Blobs, tenant_id: str, index_id: str, model: "Model", wanted: list[str]) -> list[Part]:
    slots = asyncio.Semaphore(_DOWNLOADS)

    async def one(name: str) -> Part:
        key = keys.part_object(tenant_id, index_id, name)
        async with slots:
            body = await blobs.get(key)
            return await asyncio.to_thread(open_part, body, name=name, key=key, model=model)

    return list(await asyncio.gather(*(one(name) for name in wanted)))
