"""Shards in the memory of one execution environment: states that somebody pinned, opened and kept for the next call."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from mmap import mmap
from typing import NamedTuple

from almanac.aws.blobs import Blobs
from almanac.index import tail
from almanac.index.copies import Copies, Place, place_of
from almanac.index.manifest import ManifestState
from almanac.index.parts import CorruptPart, Part, open_part
from almanac.index.remote import Pin, ShardUnavailable
from almanac.index.segments import ModelMismatch
from almanac.index.visibility import View
from almanac.observability import log

_VIEWS_PER_SHARD = 16
Bodies = Callable[[str, str, Sequence[Place]], Awaitable[list[bytes | mmap]]]
"""Return the bytes of parts of a tenant's index, in order; raises `Unavailable` when one is missing or damaged."""


@dataclass
class _Held:
    """The last state of a shard that was asked for."""

    pin: Pin | None = None
    view: View | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class _Key(NamedTuple):
    """What is held apart: shards, their past, and what different callers see of them."""

    tenant_id: str
    index_id: str
    shard: int
    present: bool
    hidden: frozenset[str]

    def of_same_shard(self, other: "_Key") -> bool:
        return self[:3] == other[:3]


class Holding:
    """Opens pins. The three calls of a search, and searches between two writes, share one view of the shard."""

    def __init__(self, bodies: Bodies, blobs: Blobs, copies: Copies, *, budget: int) -> None:
        self._bodies = bodies
        self._blobs = blobs
        self._copies = copies
        self._budget = budget
        self._held: OrderedDict[_Key, _Held] = OrderedDict()

    @property
    def nbytes(self) -> int:
        known = {part.name: part for held in self._held.values() for part in (held.view.parts if held.view else ())}
        return sum(part.nbytes for part in known.values())

    async def view(self, pin: Pin) -> View:
        """Return exactly the state that is pinned, whatever was written since; raises `Unavailable`."""
        key = _Key(pin.tenant_id, pin.index_id, pin.shard, pin.facts.as_of is None, pin.facts.hidden)
        held = self._held.pop(key, None) or _Held()
        self._held[key] = held
        async with held.lock:
            if held.view is None or held.pin != pin:
                held.view, held.pin = await self._open(pin, self._parts(key)), pin
            view = held.view
        self._evict(key)
        return view

    def _parts(self, key: _Key) -> list[Part]:
        """Return the parts of a shard that are open, whatever is shown of them."""
        views = [held.view for other, held in self._held.items() if held.view and key.of_same_shard(other)]
        return [part for view in views for part in view.parts]

    async def _open(self, pin: Pin, before: Sequence[Part]) -> View:
        known = {part.name: part for part in before if part.model == pin.model}
        places = [place_of(pin.tenant_id, pin.index_id, ref) for ref in pin.parts if ref.sha256 not in known]
        bodies = await self._bodies(pin.tenant_id, pin.index_id, places)
        try:
            for place, body in zip(places, bodies, strict=True):
                known[place.name] = open_part(body, name=place.name, key=place.key, model=pin.model, verify=False)
        except (CorruptPart, ModelMismatch) as error:
            log("error", "part unusable", reason=str(error))
            raise ShardUnavailable("A part of the search index cannot be read. It has been reported.") from error
        parts = [known[ref.sha256] for ref in pin.parts]
        return await asyncio.to_thread(View, [*parts, *await self._tail(pin, parts)], pin.facts)

    async def _tail(self, pin: Pin, parts: Sequence[Part]) -> list[Part]:
        """Return the part of what is pinned as awaited and not in a part yet, or nothing."""
        state = ManifestState(awaiting={entry.name: entry for entry in pin.awaiting}, erased=dict(pin.facts.erased))
        wanted = tail.searchable(tail.awaiting(state, pin.index_id, parts))
        names = list(dict.fromkeys(entry.batch_key for entry in wanted))
        found = await asyncio.gather(*(tail.sources_of(self._blobs, key) for key in names))
        batches = dict(zip(names, found, strict=True))
        late = await asyncio.to_thread(tail.tail_parts, wanted, batches, pin.model, 1)
        return [part for part, _ in late]

    def _evict(self, in_use: _Key) -> None:
        """Let go of shards, least recently used first, while memory or disk is over its budget.

        Of a shard the views of few callers stay: they share their parts, but each has masks of its own.
        """
        for key in [key for key in self._held if key.of_same_shard(in_use)][:-_VIEWS_PER_SHARD]:
            if not self._held[key].lock.locked():
                del self._held[key]
        for key in list(self._held):
            if self.nbytes <= self._budget and self._copies.open_bytes <= self._copies.budget:
                break
            if key != in_use and not self._held[key].lock.locked():
                del self._held[key]
        self._copies.trim()
