"""Shards that other functions hold: opened as they are pinned, and together like one index."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from almanac import runtime
from almanac.aws import keys
from almanac.events import MessageOrigin
from almanac.ids import new_id
from almanac.index.copies import Copies
from almanac.index.holding import Holding
from almanac.index.ingest import model_of
from almanac.index.manifest import Awaited, Directory, IndexInfo
from almanac.index.parts import Part
from almanac.index.reader import Found, Reader
from almanac.index.remote import LambdaInvoker, ShardUnavailable, serve, unpack
from almanac.index.retrieval import Query
from almanac.index.shards import Chunk, ShardedSearch
from search import shard, wiring
from tests.integration.harness import Context
from tests.integration.search.world import World, blobs, run, table

Told = Callable[[str], Coroutine[Any, Any, None]]


class Holders(LambdaInvoker):
    """The functions that hold shards, all in this process. `told` hears every message before it is answered."""

    def __init__(self, directory: Path, told: Told | None = None, *, budget: int = 1 << 30) -> None:
        super().__init__(runtime.clients(), ["shards"])
        copies = Copies(blobs(), directory / "held", budget=1 << 30)
        opener = Reader(table(), blobs(), _model, wiring.default_directory(), copies)
        self.holding = Holding(opener.bodies, blobs(), copies, budget=budget)
        self.messages: list[tuple[str, str]] = []
        self._told = told

    def of(self, shard: int) -> Callable[[str], Coroutine[Any, Any, str]]:
        async def invoke(message: str) -> str:
            if self._told is not None:
                await self._told(message)
            answer = await serve(message, self.holding.view)
            self.messages.append((message, answer))
            return answer

        return invoke


def _model(_: IndexInfo) -> Any:
    return model_of(wiring.embedder())


@pytest.fixture
def sharded(world: World) -> World:
    world.write(world.manifest.direct(Directory({"sharded": IndexInfo("sharded", "test:hash", shards=3)}, 1)))
    return world


def reader(directory: Path, holders: LambdaInvoker | None = None) -> Reader:
    copies = Copies(blobs(), directory / "read", budget=1 << 30)
    return Reader(table(), blobs(), _model, wiring.default_directory(), copies, holders=holders)


def search(
    source: Reader, tenant: str, text: str = "elephants", limit: int = 20, hidden: frozenset[str] = frozenset()
) -> Found:
    async def asking(info: IndexInfo) -> Query:
        return Query(text, await wiring.embedder_for(info.model).embed_query(text), meaning_weight=0.7, explain=True)

    async def hiding() -> frozenset[str]:
        return hidden

    found: Found = run(source.search(tenant, asking, limit, hiding=hiding))
    return found


def test_shards_held_elsewhere_answer_like_shards_read_here(sharded: World, tmp_path: Path) -> None:
    sharded.index(*(sharded.message(f"m{n}", f"elephants {n} queue") for n in range(12)))
    sharded.index(*(sharded.message(f"m{n}", f"elephants again {n}", version=2) for n in range(4)))
    here, there = reader(tmp_path), reader(tmp_path, Holders(tmp_path))
    for text in ("elephants", "queue again", "nothing of the kind"):
        expected, found = search(here, sharded.tenant, text), search(there, sharded.tenant, text)
        assert repr(found.hits) == repr(expected.hits)
        assert (found.rows, found.parts, found.unembedded) == (expected.rows, expected.parts, expected.unembedded)
    assert there.nbytes == 0
    assert (len(found.shards), found.views) == (3, ())


def test_shards_held_elsewhere_hide_what_their_caller_does_not_see(sharded: World, tmp_path: Path) -> None:
    other = new_id("prj")
    sharded.index(*(sharded.message(f"m{n}", f"elephants {n}") for n in range(6)))
    secret = [sharded.message(f"s{n}", f"elephants secret {n}", project_id=other) for n in range(6)]
    sharded.index(*secret)
    holders = Holders(tmp_path)
    here, there = reader(tmp_path), reader(tmp_path, holders)
    # By turns: a shard keeps what each of them sees, and never answers one with the other's.
    for hidden in (frozenset[str](), frozenset({other}), frozenset[str](), frozenset({other, sharded.project})):
        expected = search(here, sharded.tenant, hidden=hidden)
        found = search(there, sharded.tenant, hidden=hidden)
        assert repr(found.hits) == repr(expected.hits)
        assert (found.rows, found.unembedded) == (expected.rows, expected.unembedded)
        assert not {hit.info.project_id for hit in found.hits} & hidden
        chunks = [Chunk(source.source_id, 1, 0) for source in secret]
        assert any(run(ShardedSearch(found.shards).texts(chunks))) is (other not in hidden)
    assert holders.holding.nbytes == sum(part.nbytes for part in {p.name: p for p in _held(holders)}.values())


def _held(holders: Holders) -> list[Part]:
    views = [held.view for held in holders.holding._held.values() if held.view is not None]
    return [part for view in views for part in view.parts]


def test_no_search_mixes_two_versions_of_the_manifest(sharded: World, tmp_path: Path) -> None:
    sharded.index(*(sharded.message(f"m{n}", f"elephants {n}") for n in range(9)))
    expected = search(reader(tmp_path), sharded.tenant)
    written: list[str] = []

    async def write_more(message: str) -> None:
        # After the counting, before the candidates: a segment in every shard, and something is deleted.
        if unpack(message).values["call"] == "candidates" and not written:
            written.append(message)
            puts = sharded.manifest.hide([hit.info.ref for hit in expected.hits[:3]])
            await table().transact(puts)

    holders = Holders(tmp_path, write_more)
    source = reader(tmp_path, holders)
    assert repr(search(source, sharded.tenant).hits) == repr(expected.hits)
    assert len(search(source, sharded.tenant).hits) == len(expected.hits) - 3
    assert written


def test_the_function_answers_within_its_role(sharded: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALMANAC_COPY_DIR", str(tmp_path / "function"))
    sharded.index(*(sharded.message(f"m{n}", f"elephants {n}") for n in range(9)))
    holders = Holders(tmp_path)
    search(reader(tmp_path, holders), sharded.tenant)
    for message, answer in holders.messages:
        assert unpack(shard.handler({"message": message}, Context())["message"]).values == unpack(answer).values


def test_a_shard_that_lost_a_part_fails_the_search_and_asks_for_a_repair(sharded: World, tmp_path: Path) -> None:
    sharded.index(*(sharded.message(f"m{n}", f"elephants {n}") for n in range(9)))
    entry = next(iter(run(sharded.manifest.read()).segments("sharded").values()))
    key = keys.part_object(sharded.tenant, "sharded", entry.sha256)
    sharded.stack.client("s3").delete_object(Bucket="almanac", Key=key)
    with pytest.raises(ShardUnavailable):
        search(reader(tmp_path, Holders(tmp_path)), sharded.tenant)
    assert any(item["body"]["S"].find(entry.sha256) >= 0 for item in sharded.stack.outbox() if "body" in item)


def test_texts_are_read_again_from_the_shards_that_hold_them(sharded: World, tmp_path: Path) -> None:
    sharded.index(*(sharded.message(f"m{n}", f"elephants {n}") for n in range(9)))
    found = search(reader(tmp_path, Holders(tmp_path)), sharded.tenant)
    chunks = [Chunk(hit.info.source_id, hit.info.version, hit.ordinal) for hit in found.hits]
    wrong = [Chunk("message:none", 1, 0), chunks[0]._replace(version=7), chunks[0]._replace(ordinal=99)]
    texts = run(ShardedSearch(found.shards).texts([*chunks, *wrong]))
    assert texts == [*(hit.text for hit in found.hits), None, None, None]


def test_what_is_not_embedded_yet_is_found_in_its_shard(sharded: World, tmp_path: Path) -> None:
    sharded.index(*(sharded.message(f"m{n}", f"elephants {n}") for n in range(6)))
    for n in range(4, 9):
        late = sharded.message(f"m{n}", f"elephants late {n}", version=2)
        event = sharded.send(late)
        origin = MessageOrigin(message_id=f"msg_{n}", version=2)
        awaited = Awaited(f"msg_{n}", origin, event.batch_key, sharded.checkpoint, late.source_id, 2, f"2026-0{n}")
        sharded.write(sharded.manifest.await_(awaited))
    expected = search(reader(tmp_path), sharded.tenant)
    found = search(reader(tmp_path, Holders(tmp_path)), sharded.tenant)
    assert repr(found.hits) == repr(expected.hits)
    assert (found.rows, found.unembedded, found.awaiting) == (9, 5, expected.awaiting)


def test_a_function_lets_go_of_shards_beyond_its_budget(sharded: World, tmp_path: Path) -> None:
    sharded.index(*(sharded.message(f"m{n}", f"elephants {n}") for n in range(30)))
    holders = Holders(tmp_path)
    expected = search(reader(tmp_path, holders), sharded.tenant)
    everything = holders.holding.nbytes
    tight = Holders(tmp_path, budget=everything * 2 // 3)
    source = reader(tmp_path, tight)
    for _ in range(3):
        assert repr(search(source, sharded.tenant).hits) == repr(expected.hits)
        assert 0 < tight.holding.nbytes <= everything * 2 // 3
