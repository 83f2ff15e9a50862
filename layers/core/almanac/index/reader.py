"""Tenants' indexes in the memory of one execution environment, brought up to date before each answer."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import cast

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.errors import Unavailable
from almanac.index.engine import Engine, Hit, Position, Query
from almanac.index.manifest import Head, Manifest, ManifestState, Tombstones
from almanac.index.segments import CorruptSegment, Model, ModelMismatch, decode
from almanac.observability import emit, log

_DOWNLOADS = 16


class IndexUnavailable(Unavailable):
    """A part of the index cannot be read: no answer is better than a wrong one."""

    code = "index_unavailable"
    title = "The index cannot be read"


@dataclass(frozen=True)
class Found:
    """Hits, and where the repositories stood in the version of the index that they come from."""

    hits: list[Hit]
    heads: dict[str, Head]
    segments: int
    rows: int


@dataclass
class _Copy:
    engine: Engine
    state: ManifestState = field(default_factory=ManifestState)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Reader:
    """Answers queries of any tenant. Keeps tenants under a budget of bytes; the least recently used goes first."""

    def __init__(self, table: Table, blobs: Blobs, model: Model, model_slug: str, *, budget: int = 1 << 30) -> None:
        self._table = table
        self._blobs = blobs
        self._model = model
        self._slug = model_slug
        self._budget = budget
        self._copies: OrderedDict[str, _Copy] = OrderedDict()

    @property
    def tenants(self) -> list[str]:
        """The tenants in memory, least recently used first."""
        return list(self._copies)

    @property
    def nbytes(self) -> int:
        return sum(copy.engine.nbytes for copy in self._copies.values())

    async def search(self, tenant_id: str, query: Awaitable[Query], limit: int, after: Position | None = None) -> Found:
        """Answer from an index that holds whatever was acknowledged before the call; raises `IndexUnavailable`.

        The query is awaited while the index is brought up to date.
        """
        copy = self._copies.pop(tenant_id, None) or _Copy(Engine(self._model))
        self._copies[tenant_id] = copy
        async with copy.lock:
            asked = await self._refreshed(tenant_id, copy, query)
            hits = await asyncio.to_thread(copy.engine.search, asked, limit, after)
            heads = {name: head for name, head in copy.state.heads.items() if name not in copy.state.drops}
            found = Found(hits, heads, len(copy.engine.segments), copy.engine.visible_rows)
        self._evict(tenant_id)
        return found

    async def _refreshed(self, tenant_id: str, copy: _Copy, query: Awaitable[Query]) -> Query:
        """Return the query when the copy is up to date. The copy is not left to itself while anything changes it."""
        asked, refreshed = await asyncio.gather(query, self._refresh(tenant_id, copy), return_exceptions=True)
        for outcome in (asked, refreshed):
            if isinstance(outcome, BaseException):
                raise outcome
        return cast("Query", asked)

    async def _refresh(self, tenant_id: str, copy: _Copy) -> None:
        """Bring a copy up to date. One that was interrupted while it grew is not to be trusted, and begins anew."""
        try:
            await self._grow(tenant_id, copy)
        except IndexUnavailable:
            raise
        except BaseException:
            copy.engine, copy.state = Engine(self._model), ManifestState()
            raise

    async def _grow(self, tenant_id: str, copy: _Copy) -> None:
        state = await Manifest(self._table, tenant_id).read()
        if copy.engine.segments - state.segments(self._slug).keys():
            copy.engine, copy.state = Engine(self._model), ManifestState()
        known = copy.state
        news = {source: version for source, version in state.erased.items() if version > known.erased.get(source, 0)}
        if news:
            copy.engine.hide(Tombstones(news).refs)
        if drops := state.drops - known.drops:
            copy.engine.drop(drops)
        # What is hidden already never has to be loaded, so segments come last.
        await self._load(tenant_id, copy.engine, sorted(state.segments(self._slug).keys() - copy.engine.segments))
        copy.state = state

    async def _load(self, tenant_id: str, engine: Engine, names: list[str]) -> None:
        for start in range(0, len(names), _DOWNLOADS):
            group = names[start : start + _DOWNLOADS]
            places = [keys.part_object(tenant_id, self._slug, name) for name in group]
            bodies = await asyncio.gather(*(self._blobs.get(place) for place in places))
            try:
                await asyncio.to_thread(_add, engine, list(zip(group, places, bodies, strict=True)))
            except CorruptSegment as error:
                log("error", "segment unusable", key=error.key, reason=error.reason)
                emit({"CorruptSegments": (1, "Count")})
                raise IndexUnavailable("A part of the search index cannot be read. It has been reported.") from error
            except ModelMismatch as error:
                log("error", "segment of another model", reason=str(error))
                emit({"CorruptSegments": (1, "Count")})
                raise IndexUnavailable("The search index was built by another embedding model.") from error

    def _evict(self, in_use: str) -> None:
        total = self.nbytes
        for tenant_id, copy in list(self._copies.items()):
            if total <= self._budget:
                return
            if tenant_id != in_use and not copy.lock.locked():
                total -= copy.engine.nbytes
                del self._copies[tenant_id]


def _add(engine: Engine, objects: Iterable[tuple[str, str, bytes | None]]) -> None:
    for name, key, body in objects:
        engine.add(name, decode(body, key=key, sha256=name, model=engine.model))
