"""Tenants' indexes in one execution environment, brought up to date before each answer."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from mmap import mmap
from operator import is_
from time import monotonic

from almanac.aws import outbox
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.errors import Unavailable
from almanac.index import tail
from almanac.index.containers import Containers, Hidden, Hiding, nothing_hidden
from almanac.index.copies import Copies, Place, place_of
from almanac.index.manifest import Awaited, Directory, Head, IndexInfo, Manifest, ManifestState, PartRef, Snapshot
from almanac.index.parts import CorruptPart, Part, open_part
from almanac.index.remote import LambdaInvoker, RemoteShard, pins
from almanac.index.repair import request
from almanac.index.retrieval import Hit, Position, Query, search
from almanac.index.segments import Model, ModelMismatch
from almanac.index.shards import LocalShard, Shard, ShardedSearch
from almanac.index.sources import Source
from almanac.index.visibility import AsOf, Facts, View, facts_of
from almanac.observability import emit, log, log_failure

_PASTS_KEPT = 4
_SIGHTS_KEPT = 16
_REPORT_SECONDS = 60
_DAMAGED = (
    "A part of the search index is missing or damaged. It has been reported and is being repaired; try again in a few "
    "minutes. When this lasts, `almanac index rebuild --from sources` makes the index anew."
)
Asking = Callable[[IndexInfo], Awaitable[Query]]
"""Makes the query for an index: its vector is of that index's model."""


class IndexUnavailable(Unavailable):
    """A part of the index cannot be read: no answer is better than a wrong one."""

    code = "index_unavailable"
    title = "The index cannot be read"


@dataclass(frozen=True)
class Found:
    """Hits, and the state of the index that they come from.

    `heads` are where the repositories stood. `awaiting` is what is stored but not embedded, newest first: messages
    among it are found by words. `rows` and `unembedded` count visible chunks. `shards` and `query` let the very
    same state be asked again; `views` are the shards that are held here: all of them, or none.
    """

    hits: list[Hit]
    heads: dict[str, Head]
    index: IndexInfo
    rows: int
    parts: int
    unembedded: int
    awaiting: tuple[Awaited, ...]
    views: tuple[View, ...] = field(repr=False, compare=False)
    shards: tuple[Shard, ...] = field(repr=False, compare=False)
    query: Query = field(repr=False, compare=False)


@dataclass(frozen=True)
class _Current:
    """One version of the manifest with everything that it names. Whoever holds it is touched by no later one."""

    state: ManifestState
    info: IndexInfo
    model: Model
    views: tuple[View, ...]
    awaiting: tuple[Awaited, ...]

    @property
    def parts(self) -> list[Part]:
        return [part for view in self.views for part in view.parts]


@dataclass(frozen=True)
class _Elsewhere:
    """One version of the manifest, of an index whose shards other functions hold."""

    state: ManifestState
    info: IndexInfo
    model: Model


@dataclass
class _Copy:
    """What is kept of a tenant between queries: the newest state, the batches of its tail, states of the past.

    `sights` are views of the newest state as callers see it from whom projects are hidden.
    """

    current: _Current | None = None
    info: IndexInfo | None = None
    parts: dict[str, Part] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    batches: dict[str, list[Source]] = field(default_factory=dict)
    tail: tuple[object, list[tuple[Part, int]]] = ((), [])
    pasts: "OrderedDict[object, tuple[View, ...]]" = field(default_factory=OrderedDict)
    sights: "OrderedDict[frozenset[str], tuple[View, ...]]" = field(default_factory=OrderedDict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def nbytes(self) -> int:
        """The memory that the parts take, as good as it can be told."""
        known = dict(self.parts)
        for views in self.pasts.values():
            known.update((part.name, part) for view in views for part in view.parts)
        return sum(self.weights.get(name, part.nbytes) for name, part in known.items())


class Reader:
    """Answers queries of any tenant. Keeps tenants under a budget of bytes; the least recently used goes first.

    `models` tells the embedding model of an index; `default` is the index of a tenant that never chose one. With
    `holders`, an index of several shards is left to them; without, all of its shards are read here.
    """

    def __init__(
        self,
        table: Table,
        blobs: Blobs,
        models: Callable[[IndexInfo], Model],
        default: Directory,
        copies: Copies,
        *,
        budget: int = 1 << 30,
        holders: LambdaInvoker | None = None,
    ) -> None:
        self._holders = holders
        self._table = table
        self._blobs = blobs
        self._models = models
        self._default = default
        self._disk = copies
        self._budget = budget
        self._copies: OrderedDict[str, _Copy] = OrderedDict()
        self.containers = Containers(table)
        self._reported: dict[str, float] = {}

    @property
    def tenants(self) -> list[str]:
        """The tenants in memory, least recently used first."""
        return list(self._copies)

    @property
    def nbytes(self) -> int:
        return sum(copy.nbytes for copy in self._copies.values())

    async def search(
        self,
        tenant_id: str,
        asking: Asking,
        limit: int,
        after: Position | None = None,
        as_of: AsOf | None = None,
        *,
        hiding: Hiding = nothing_hidden,
    ) -> Found:
        """Answer from an index that holds whatever was acknowledged before the call; raises `IndexUnavailable`.

        The query is made while the index is brought up to date. The answer is that of an index in which there is
        nothing of the projects that `hiding` names.
        """
        copy = self._copies.pop(tenant_id, None) or _Copy()
        self._copies[tenant_id] = copy
        guess = copy.info or self._default.serving
        making, refreshing = (
            asyncio.ensure_future(asking(guess)),
            asyncio.create_task(self._seen(tenant_id, copy, hiding)),
        )
        # Both are awaited whatever becomes of the other: nothing is left under way behind a failure.
        made, seen = await asyncio.gather(making, refreshing, return_exceptions=True)
        if isinstance(seen, BaseException):
            raise seen
        current, hidden = seen
        query = made if current.info.model == guess.model else await asking(current.info)
        if isinstance(query, BaseException):
            raise query
        if isinstance(current, _Elsewhere):
            return await self._ask_holders(tenant_id, current, hidden, query, limit, after, as_of)
        views = await self._views(tenant_id, copy, current, hidden.projects, as_of)
        hits = await _hits(views, query, limit, after)
        self._evict(tenant_id)
        return Found(
            hits,
            hidden.heads(current.state),
            current.info,
            rows=sum(view.rows for view in views),
            parts=sum(len(view.parts) for view in views),
            unembedded=sum(view.unembedded for view in views),
            awaiting=hidden.awaited(current.awaiting),
            views=views,
            shards=tuple(LocalShard(view) for view in views),
            query=query,
        )

    async def _ask_holders(
        self,
        tenant_id: str,
        current: "_Elsewhere",
        hidden: Hidden,
        query: Query,
        limit: int,
        after: Position | None,
        as_of: AsOf | None,
    ) -> Found:
        state, info, holders = current.state, current.info, self._holders
        pinned = await asyncio.to_thread(pins, tenant_id, state, info.id, current.model, as_of, hidden.projects)
        shards = tuple(RemoteShard(holders.of(pin.shard), pin) for pin in pinned) if holders else ()
        answer = await ShardedSearch(shards).answer(query, limit, after)
        return Found(
            answer.hits,
            hidden.heads(state),
            info,
            rows=answer.rows,
            parts=sum(len(pin.parts) for pin in pinned),
            unembedded=answer.unembedded,
            awaiting=hidden.awaited(await asyncio.to_thread(tail.awaiting, state, info.id, ())),
            views=(),
            shards=shards,
            query=query,
        )

    async def _seen(self, tenant_id: str, copy: _Copy, hiding: Hiding) -> "tuple[_Current | _Elsewhere, Hidden]":
        """Return the newest state, and what of it is hidden.

        The second is read after the first: what was written into a hidden project was written after it was hidden.
        """
        current = await self._refresh(tenant_id, copy)
        return current, await self.containers.hidden(tenant_id, current.state, hiding)

    async def _refresh(self, tenant_id: str, copy: _Copy) -> "_Current | _Elsewhere":
        """Return the state that the manifest names now; the copy goes on from there.

        Nothing that is in use ever changes: a state is made beside the one before it and takes its place when it is
        whole. So a query that is interrupted, or overtaken by another, leaves nothing half done.
        """
        state = await Manifest(self._table, tenant_id, self._default).read()
        copy.info = info = state.directory.serving
        if self._holders is not None and info.shards > 1:
            copy.current, copy.parts, copy.weights = None, {}, {}
            copy.pasts.clear()
            copy.sights.clear()
            return _Elsewhere(state, info, self._models(info))
        async with copy.lock:
            current = await self._current(tenant_id, copy, state)
            if copy.current is None or current.views is not copy.current.views:
                copy.pasts.clear()
                copy.sights.clear()
            copy.current = current
            used = {part.name for part in current.parts}
            copy.parts = {name: part for name, part in copy.parts.items() if name in used}
            if not copy.pasts:
                copy.weights = {name: weight for name, weight in copy.weights.items() if name in used}
        return current

    async def _current(self, tenant_id: str, copy: _Copy, state: ManifestState) -> _Current:
        info = state.directory.serving
        model = self._models(info)
        opener = _Opener(self, tenant_id, info, model, copy)
        snapshots = [(s.shard, s.current) for s in opener.snapshots(state) if s.current]
        known = list(
            zip(await opener.open(ref for _, ref in snapshots), [shard for shard, _ in snapshots], strict=True)
        )
        covered = {name for part, _ in known for name in part.header.covers} if state.log.get(info.id) else set()
        log_entries = [entry for name, entry in sorted(state.segments(info.id).items()) if name not in covered]
        segments = await opener.open(PartRef(entry.sha256, entry.rows, entry.size) for entry in log_entries)
        known += zip(segments, [entry.shard for entry in log_entries], strict=True)
        awaited = await asyncio.to_thread(tail.awaiting, state, info.id, [part for part, _ in known])
        known += await self._tail(copy, awaited, opener)
        shards = [tuple(part for part, shard in known if shard == number) for number in range(info.shards)]
        facts = facts_of(state)
        before = copy.current
        if before is not None and before.info.id == info.id and _say_the_same(before.views, shards, facts):
            return replace(before, state=state, info=info, awaiting=tuple(awaited))
        views = await asyncio.to_thread(lambda: tuple(View(parts, facts) for parts in shards))
        return _Current(state, info, model, views, tuple(awaited))

    async def _tail(self, copy: _Copy, awaited: Sequence[Awaited], opener: "_Opener") -> list[tuple[Part, int]]:
        """Return parts of the messages that are not embedded yet, each with its shard."""
        wanted = tail.searchable(awaited)
        copy.batches = {entry.batch_key: copy.batches.get(entry.batch_key, []) for entry in wanted}
        missing = [key for key, sources in copy.batches.items() if not sources]
        for key, sources in zip(
            missing, await asyncio.gather(*(tail.sources_of(self._blobs, key) for key in missing)), strict=True
        ):
            copy.batches[key] = sources
        # The same parts stay for as long as they say the same, and with them the views.
        says = (opener.info.id, [(entry.batch_key, bool(copy.batches[entry.batch_key])) for entry in wanted])
        if copy.tail[0] != says:
            shards, batches = opener.info.shards, copy.batches
            copy.tail = (says, await asyncio.to_thread(tail.tail_parts, wanted, batches, opener.model, shards))
        return copy.tail[1]

    async def _views(
        self, tenant_id: str, copy: _Copy, current: _Current, hidden: frozenset[str], as_of: AsOf | None
    ) -> tuple[View, ...]:
        """Return what a caller sees, now or as of a moment."""
        if as_of is not None:
            return await self._past(tenant_id, copy, current, hidden, as_of)
        if not hidden:
            return current.views
        async with copy.lock:
            is_newest = copy.current is not None and copy.current.views is current.views
            if is_newest and hidden in copy.sights:
                copy.sights.move_to_end(hidden)
                return copy.sights[hidden]
            views = await asyncio.to_thread(lambda: tuple(view.without(hidden) for view in current.views))
            if is_newest:
                copy.sights[hidden] = views
                while len(copy.sights) > _SIGHTS_KEPT:
                    copy.sights.popitem(last=False)
        return views

    async def _past(
        self, tenant_id: str, copy: _Copy, current: _Current, hidden: frozenset[str], as_of: AsOf
    ) -> tuple[View, ...]:
        """Return what was visible at a moment: the parts of the present and of history, seen with the runs of then."""
        key = (as_of.moment, frozenset(as_of.runs.items()), frozenset(as_of.branches.items()), hidden)
        async with copy.lock:
            is_newest = copy.current is current
            if is_newest and key in copy.pasts:
                copy.pasts.move_to_end(key)
                return copy.pasts[key]
            opener = _Opener(self, tenant_id, current.info, current.model, copy)
            history = {s.shard: await opener.open(s.history) for s in opener.snapshots(current.state)}
            facts = current.views[0].facts
            then = replace(facts, as_of=as_of, hidden=hidden)
            parts = [[*view.parts, *history.get(shard, [])] for shard, view in enumerate(current.views)]
            views = await asyncio.to_thread(lambda: tuple(View(each, then) for each in parts))
            if is_newest:
                copy.pasts[key] = views
                while len(copy.pasts) > _PASTS_KEPT:
                    copy.pasts.popitem(last=False)
        return views

    async def bodies(self, tenant_id: str, index_id: str, places: Sequence[Place]) -> list[bytes | mmap]:
        """Return the bytes of parts; one that is missing or damaged is reported, and a repair asked for, once."""
        try:
            return await self._disk.open_all(places)
        except CorruptPart as error:
            await self._report(tenant_id, index_id, error)
            raise IndexUnavailable(_DAMAGED) from error

    async def _report(self, tenant_id: str, index_id: str, error: CorruptPart) -> None:
        log("error", "part unusable", key=error.key, reason=error.reason)
        emit({"CorruptSegments": (1, "Count")})
        reported = self._reported.get(error.key, 0)
        if monotonic() < reported:
            return
        self._reported[error.key] = monotonic() + _REPORT_SECONDS
        repair = request(tenant_id, index_id, error.key.rpartition("/")[2], error.reason)
        try:
            await self._table.write(outbox.message(repair))
        except Exception as failure:  # noqa: BLE001 - the caller is told of the damage, not of this
            log_failure("repair not asked for", failure, key=error.key)

    def _evict(self, in_use: str) -> None:
        """Let go of tenants, least recently used first, while memory or disk is over its budget."""
        for tenant_id in list(self._copies):
            if self.nbytes <= self._budget and self._disk.open_bytes <= self._disk.budget:
                break
            if tenant_id != in_use and not self._copies[tenant_id].lock.locked():
                # Nothing else holds its parts, so their mappings end here.
                del self._copies[tenant_id]
        self._disk.trim()


@dataclass(frozen=True)
class _Opener:
    """Opens parts of one index for one tenant's copy."""

    reader: Reader
    tenant_id: str
    info: IndexInfo
    model: Model
    copy: _Copy

    def snapshots(self, state: ManifestState) -> list[Snapshot]:
        found = [snapshot for _, snapshot in sorted(state.snapshots.get(self.info.id, {}).items())]
        if any(snapshot.fingerprint != self.model.fingerprint for snapshot in found):
            raise _of_another_model(self.info)
        return found

    async def open(self, refs: Iterable[PartRef]) -> list[Part]:
        """Return parts in order; those that are not open yet are fetched at once."""
        wanted = list(refs)
        known = self.copy.parts
        places = [place_of(self.tenant_id, self.info.id, ref) for ref in wanted if ref.sha256 not in known]
        bodies = await self.reader.bodies(self.tenant_id, self.info.id, places)
        try:
            for place, body in zip(places, bodies, strict=True):
                part = open_part(body, name=place.name, key=place.key, model=self.model, verify=False)
                known[place.name] = part
                self.copy.weights[place.name] = len(body) if isinstance(body, bytes) else part.nbytes
        except ModelMismatch as error:
            log("error", "part of another model", reason=str(error))
            emit({"CorruptSegments": (1, "Count")})
            raise _of_another_model(self.info) from error
        except CorruptPart as error:
            log("error", "part unreadable", key=error.key, reason=error.reason)
            raise IndexUnavailable(_DAMAGED) from error
        return [known[ref.sha256] for ref in wanted]


async def _hits(views: Sequence[View], query: Query, limit: int, after: Position | None) -> list[Hit]:
    if len(views) == 1:
        return await asyncio.to_thread(search, views[0], query, limit, after)
    return await ShardedSearch([LocalShard(view) for view in views]).search(query, limit, after)


def _say_the_same(views: Sequence[View], shards: Sequence[Sequence[Part]], facts: Facts) -> bool:
    return len(views) == len(shards) and all(
        len(view.parts) == len(parts) and all(map(is_, view.parts, parts)) and view.facts == facts
        for view, parts in zip(views, shards, strict=True)
    )


def _of_another_model(info: IndexInfo) -> IndexUnavailable:
    return IndexUnavailable(f"The index {info.id} holds vectors of another embedding model than {info.model}.")
