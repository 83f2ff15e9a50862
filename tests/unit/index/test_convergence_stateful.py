"""Whatever happens in whatever order, the index answers like one that was rebuilt from what is visible.

The model is a dictionary of what was ever written and the rule of visibility in one expression. Against it stand the
real ingest, compaction, sweep and reader on a store in memory, which can kill them at any call.
"""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.embeddings.base import Embedder
from almanac.embeddings.testing import HashEmbedder
from almanac.events import BatchOrigin, IndexSources
from almanac.index.compaction import Workshop, compact
from almanac.index.copies import Copies
from almanac.index.encoding import encode
from almanac.index.filters import microseconds
from almanac.index.ingest import Stores, index_batch, model_of
from almanac.index.manifest import Directory, Head, IndexInfo, Manifest
from almanac.index.parts import open_part
from almanac.index.reader import Found, Reader
from almanac.index.retrieval import Query, search
from almanac.index.segments import Row, Segment
from almanac.index.sources import Citation, Kind, Source, SourceBatch
from almanac.index.sweep import GRACE_SECONDS, ORPHAN_SECONDS, sweep
from almanac.index.visibility import AsOf, Facts, View
from tests.support.memory import Killed, MemoryStore
from tests.unit.index.histories import WORDS

TENANT = "ten_1"
EMBEDDER = HashEmbedder(dimensions=8)
MODEL = model_of(EMBEDDER)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
OWNERS = ["prj_0", "prj_1", "rep_0", "rep_1", "chk_0"]

numbers = st.integers(0, 7)
versions = st.integers(1, 5)
pairs = st.tuples(numbers, versions)


def source(number: int, version: int) -> Source:
    """Return a version of a source: messages first, then files of two repositories. Equal arguments, equal text."""
    drawn = Random(number * 100 + version)
    text = " ".join(drawn.choices(WORDS, k=drawn.randint(0, 6)))
    fields: dict[str, Any] = {"version": version, "title": f"title {number}", "text": text}
    if number < 4:
        return Source(
            source_id=f"message:{number}",
            kind=Kind.MESSAGE,
            project_id=f"prj_{number % 2}",
            container_id=f"chk_{number % 2}",
            written_at=BEGAN + timedelta(hours=version),
            **fields,
        )
    repository = f"rep_{number % 2}"
    return Source(
        source_id=f"code:{repository}:{number}",
        kind=Kind.CODE,
        project_id="prj_0",
        container_id=repository,
        path=f"src/{number}.txt",
        citation=Citation(repository_id=repository, branches=("main",)),
        **fields,
    )


class Truth:
    """What was ever written. A version is visible when nothing that is known says otherwise, and it is the newest."""

    def __init__(self) -> None:
        self.written: dict[str, dict[int, Source]] = {}
        self.buried: dict[str, set[int]] = {}
        self.erased: dict[str, int] = {}
        self.drops: set[str] = set()
        self.floors: dict[str, int] = {}

    def visible(self, as_of: AsOf | None = None) -> dict[str, Source]:
        shown = {}
        for name, known in self.written.items():
            possible = [each for each in known.values() if self._is_eligible(each, as_of)]
            newest = max(possible, key=lambda each: each.version, default=None)
            if newest is not None and newest.version > self._grave(newest, as_of):
                shown[name] = newest
        return shown

    def _is_eligible(self, each: Source, as_of: AsOf | None) -> bool:
        if each.version <= self.erased.get(each.source_id, 0) or {each.project_id, each.container_id} & self.drops:
            return False
        floor = self.floors.get(each.container_id, 0)
        if as_of is None:
            return each.version >= floor
        if each.written_at is not None:
            return microseconds(each.written_at) <= as_of.moment
        run = as_of.runs.get(each.container_id, -1)
        return each.version <= run and (floor > run or each.version >= floor)

    def _grave(self, each: Source, as_of: AsOf | None) -> int:
        latest = as_of.runs.get(each.container_id, -1) if as_of else 99
        return max((run for run in self.buried.get(each.source_id, ()) if run <= latest), default=0)


class Index(RuleBasedStateMachine):
    """Everything that happens to a tenant's index."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = MemoryStore()
        self.table, self.blobs = Table("almanac", self.store), Blobs("almanac", self.store)
        self.directory = Path(mkdtemp(prefix="almanac-convergence-"))
        self.model = Truth()
        self.sent: list[tuple[SourceBatch, IndexSources]] = []
        self.default = Directory({})
        self.readers: list[Reader] = []

    @initialize(shards=st.sampled_from([1, 1, 3]))
    def begin(self, shards: int) -> None:
        self.default = Directory({"test-hash": IndexInfo("test-hash", "test:hash", shards=shards)})
        self.readers = [self._reader("a"), self._reader("b")]
        copies = Copies(self.blobs, self.directory / "compactor", budget=1 << 30)
        self.workshop = Workshop(
            self.table, self.blobs, lambda _: MODEL, self.default, copies, self.directory / "merging"
        )

    def teardown(self) -> None:
        self.loop.close()
        shutil.rmtree(self.directory)

    @rule(chosen=st.lists(pairs, max_size=5), deleted=st.lists(pairs, max_size=2))
    def append(self, chosen: list[tuple[int, int]], deleted: list[tuple[int, int]]) -> None:
        batch, event = self._batch(chosen, deleted)
        self.run(self._index(batch, event))
        self._learn(batch)

    @rule(chosen=st.lists(pairs, min_size=1, max_size=3), calls=st.integers(1, 12), after=st.booleans())
    def append_and_die(self, chosen: list[tuple[int, int]], calls: int, after: bool) -> None:
        batch, event = self._batch(chosen, [])
        self.die(self._index(batch, event), calls, after=after)
        # The queue delivers what was not finished once more.
        self.run(self._index(batch, event))
        self._learn(batch)

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        self.run(self._index(*data.draw(st.sampled_from(self.sent))))

    @rule(chosen=st.lists(pairs, min_size=1, max_size=2))
    def erase(self, chosen: list[tuple[int, int]]) -> None:
        refs = [source(*pair).ref for pair in chosen]
        self.run(self.table.transact(self._manifest().hide(refs)))
        for ref in refs:
            self.model.erased[ref.source_id] = max(ref.version, self.model.erased.get(ref.source_id, 0))

    @rule(owner=st.sampled_from(OWNERS))
    def drop(self, owner: str) -> None:
        self.run(self.table.write(self._manifest().drop(owner)))
        self.model.drops.add(owner)

    @rule(repository=st.sampled_from(["rep_0", "rep_1"]), run=versions)
    def send_everything_again(self, repository: str, run: int) -> None:
        floor = max(run, self.model.floors.get(repository, 0))
        self.run(self.table.write(self._manifest().head(Head(repository, floor, f"c{floor}", floor=floor))))
        self.model.floors[repository] = floor

    @rule(shard=st.integers(0, 2))
    def compact(self, shard: int) -> None:
        self.run(compact(self.workshop, TENANT, "test-hash", shard % self.default.serving.shards))

    @rule(chosen=st.lists(pairs, min_size=1, max_size=3), calls=st.integers(1, 10), after=st.booleans())
    def compact_and_die(self, chosen: list[tuple[int, int]], calls: int, after: bool) -> None:
        """Die on the way from a log that is not empty to its snapshot, after which the next compaction goes on."""
        self.append(chosen, [])
        self.die(compact(self.workshop, TENANT, "test-hash", 0), calls, after=after)

    @rule(later=st.sampled_from([0, GRACE_SECONDS + 60, ORPHAN_SECONDS + 60]))
    def sweep(self, later: int) -> None:
        self.run(sweep(self.table, self.blobs, TENANT, at=time.time() + later))

    @rule(calls=st.integers(1, 3), after=st.booleans())
    def sweep_and_die(self, calls: int, after: bool) -> None:
        late = time.time() + ORPHAN_SECONDS + 60
        self.die(sweep(self.table, self.blobs, TENANT, at=late), calls, after=after)

    @rule(which=st.integers(0, 1), cold=st.booleans())
    def restart_reader(self, which: int, cold: bool) -> None:
        name = "ab"[which]
        if cold:
            shutil.rmtree(self.directory / name, ignore_errors=True)
        self.readers[which] = self._reader(name)

    @rule(chosen=st.lists(pairs, min_size=1, max_size=3), seed=st.integers(0, 1000))
    def everything_at_once(self, chosen: list[tuple[int, int]], seed: int) -> None:
        """Queries while a batch comes in, a compaction takes place and a sweep runs, between the pages of reads."""
        before = self.model.visible()
        batch, event = self._batch(chosen, [])
        drawn = Random(seed)
        self.store.pauses, self.store.page_size = lambda: drawn.randint(0, 6), drawn.choice([None, 1, 2, 5])
        queries = [self._found(reader) for reader in self.readers]
        others = [
            self._index(batch, event),
            compact(self.workshop, TENANT, "test-hash", 0),
            sweep(self.table, self.blobs, TENANT),
        ]
        drawn.shuffle(others)
        answers: list[Any] = self.run(_all([*queries, *others]))
        self.store.pauses = self.store.page_size = None
        self._learn(batch)
        possible = [before, self.model.visible()]
        for found in answers[: len(queries)]:
            # In several shards a batch comes in one transaction, so no answer has a part of it.
            assert shown(found) in [{name: each.version for name, each in state.items()} for state in possible]

    @invariant()
    def every_reader_answers_like_a_rebuilt_index(self) -> None:
        if not self.readers:
            return
        visible = self.model.visible()
        expected = rebuilt(visible)
        for reader in self.readers:
            found = self.run(self._found(reader))
            assert shown(found) == {name: each.version for name, each in visible.items()}
            assert found.rows == expected.rows
            assert found.hits == search(expected, found.query, 20)

    @rule(hours=st.integers(0, 6), runs=st.fixed_dictionaries({}, optional={"rep_0": versions, "rep_1": versions}))
    def look_at_the_past(self, hours: int, runs: dict[str, int]) -> None:
        floors = {name: floor for name, floor in self.model.floors.items() if floor <= runs.get(name, 0)}
        as_of = AsOf(microseconds(BEGAN + timedelta(hours=hours)), runs, {}, floors)
        found = self.run(self._found(self.readers[0], as_of))
        assert shown(found) == {name: each.version for name, each in self.model.visible(as_of).items()}

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(work)

    def die(self, work: Coroutine[Any, Any, Any], calls: int, *, after: bool) -> None:
        self.store.kill_at, self.store.kill_after_effect = calls, after
        try:
            self.run(work)
        except Killed:
            pass
        finally:
            # What the dead process had under way dies with it.
            self.run(_finish())
            self.store.revive()

    def _reader(self, name: str) -> Reader:
        copies = Copies(self.blobs, self.directory / name, budget=1 << 30)
        return Reader(self.table, self.blobs, lambda _: MODEL, self.default, copies)

    def _manifest(self) -> Manifest:
        return Manifest(self.table, TENANT)

    def _batch(self, chosen: list[tuple[int, int]], deleted: list[tuple[int, int]]) -> tuple[SourceBatch, IndexSources]:
        sources = list({number: source(number, version) for number, version in chosen}.values())
        graves = [source(4 + number % 4, version) for number, version in deleted]
        # A run has batches of one repository.
        repository = graves[0].container_id if graves else "rep_0"
        refs = [grave.ref for grave in graves if grave.container_id == repository]
        batch = SourceBatch(sources=sources, deleted=refs)
        origin = BatchOrigin(repository_id=repository, run=1, batch=len(self.sent))
        key = keys.batch_object(TENANT, repository, 1, len(self.sent))
        event = IndexSources(tenant_id=TENANT, correlation_id="c", batch_key=key, origin=origin)
        self.sent.append((batch, event))
        return batch, event

    async def _index(self, batch: SourceBatch, event: IndexSources) -> None:
        def embedder_for(_: str) -> Embedder:
            return EMBEDDER

        await index_batch(batch, event, Stores(self.table, self.blobs, embedder_for, self.default))

    def _learn(self, batch: SourceBatch) -> None:
        for each in batch.sources:
            self.model.written.setdefault(each.source_id, {})[each.version] = each
        for ref in batch.deleted:
            self.model.buried.setdefault(ref.source_id, set()).add(ref.version)

    async def _found(self, reader: Reader, as_of: AsOf | None = None) -> Found:
        async def asking(_: IndexInfo) -> Query:
            return Query("parse queue index", await EMBEDDER.embed_query("parse queue index"), 0.5)

        return await reader.search(TENANT, asking, 20, as_of=as_of)


def shown(found: Found) -> dict[str, int]:
    visible = [pair for view in found.views for pair in view.sources()]
    assert len(visible) == len(dict(visible)), "a source is visible twice"
    return dict(visible)


def rebuilt(visible: dict[str, Source]) -> View:
    """Build an index from the visible sources alone, in one part."""
    from almanac.text.chunking import chunk_source, embedding_text

    sources = list(visible.values())
    chunks = [(place, chunk) for place, each in enumerate(sources) for chunk in chunk_source(each)]
    rows = [Row(place, c.ordinal, c.start_line, c.end_line, c.text, c.context) for place, c in chunks]
    vectors = asyncio.run(EMBEDDER.embed_documents([embedding_text(chunk) for _, chunk in chunks]))
    name, body = encode(Segment(MODEL, [each.info for each in sources], rows, vectors))
    return View([open_part(body, name=name, key=name, model=MODEL)], Facts())


async def _all(work: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    return list(await asyncio.gather(*work))


async def _finish() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


TestIndex = Index.TestCase
TestIndex.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
