"""Tenants' copies in one environment: under their budgets, one version each, whoever asks at the same time."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from almanac.aws.blobs import Blobs
from almanac.index import copies as copying
from almanac.index import retrieval
from almanac.index.copies import Copies
from almanac.index.ingest import model_of
from almanac.index.manifest import Directory, IndexInfo
from almanac.index.reader import Found, IndexUnavailable, Reader
from almanac.index.retrieval import Query
from almanac.index.segments import Model
from search import wiring
from tests.integration.harness import Stack
from tests.integration.search.test_compaction import compact
from tests.integration.search.world import SLUG, World, blobs, run, table


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep copies in a directory of the test's own; parts of any size become files there."""
    monkeypatch.setattr(copying, "_SMALL", 0)
    monkeypatch.setattr(copying, "RANGE", 1000)
    return tmp_path


def reader(directory: Path, *, disk: int = 1 << 30, memory: int = 1 << 30, model: Model | None = None) -> Reader:
    made = model or model_of(wiring.embedder())
    copies = Copies(blobs(), directory, budget=disk)
    return Reader(table(), blobs(), lambda _: made, wiring.default_directory(), copies, budget=memory)


def search(source: Reader, tenant: str, text: str = "elephants") -> Found:
    found: Found = run(source.search(tenant, asking(text), 50))
    return found


def asking(text: str) -> Any:
    async def asked(_: IndexInfo) -> Query:
        return Query(text, await wiring.embedder().embed_query(text), meaning_weight=0.7)

    return asked


def files(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_file())


def test_many_tenants_come_and_go_under_small_budgets_and_answers_stay_right(stack: Stack, directory: Path) -> None:
    worlds = [World(stack, stack.tenant()) for _ in range(6)]
    for number, world in enumerate(worlds):
        world.index(*(world.message(f"m{place}", f"elephants {place}") for place in range(number + 1)))
    roomy = reader(directory / "roomy")
    for world in worlds:
        search(roomy, world.tenant)
    memory, disk = roomy.nbytes // 2, sum(path.stat().st_size for path in files(directory / "roomy")) // 2
    for tight in (
        reader(directory / "memory", memory=memory),
        reader(directory / "disk", disk=disk),
        reader(directory / "both", memory=memory, disk=disk),
    ):
        for _ in range(2):
            for number, world in enumerate(worlds):
                assert len(search(tight, world.tenant).hits) == number + 1
                assert tight.tenants[-1] == world.tenant
                assert len(tight.tenants) < len(worlds)
    for name in ("disk", "both"):
        assert sum(path.stat().st_size for path in files(directory / name)) <= disk
    assert tight.nbytes <= memory


def test_a_warm_reader_downloads_only_what_is_new(
    world: World, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[str] = []
    get = Blobs._get

    async def counting(self: Blobs, key: str, options: Any) -> bytes | None:
        fetched.append(key)
        return await get(self, key, options)

    monkeypatch.setattr(Blobs, "_get", counting)
    source = reader(directory)
    for number in range(3):
        world.index(world.message(f"m{number}", "elephants"))
        fetched.clear()
        assert len(search(source, world.tenant).hits) == number + 1
        assert len(set(fetched)) == 1
    fetched.clear()
    search(source, world.tenant)
    assert fetched == []
    again = reader(directory)
    assert len(search(again, world.tenant).hits) == 3
    assert fetched == []


def test_concurrent_queries_of_one_tenant_load_it_once_and_agree(world: World, directory: Path) -> None:
    for number in range(8):
        world.index(world.message(f"m{number}", "elephants"))
    source = reader(directory)

    async def many() -> list[Found]:
        return await asyncio.gather(*(source.search(world.tenant, asking("elephants"), 10) for _ in range(8)))

    answers = run(many())
    assert all(found == answers[0] for found in answers)
    assert answers[0].parts == len(files(directory)) == 8


def test_a_state_stays_whole_for_whoever_holds_it(world: World, directory: Path) -> None:
    for number in range(3):
        world.index(world.message(f"m{number}", "elephants"))
    source = reader(directory)
    before = search(source, world.tenant)
    compact(world)
    world.index(world.message("m1", "giraffes", version=2))
    run(blobs().delete(world.segments()))
    for path in files(directory):
        path.unlink()
    (view,) = before.views
    assert [hit.info.version for hit in retrieval.search(view, before.query, 10)] == [1, 1, 1]
    assert before.hits == retrieval.search(view, before.query, 50)


def test_an_index_of_another_model_is_refused(world: World, directory: Path) -> None:
    world.index(world.message("one", "elephants"))
    other = model_of(wiring.embedder()).model_copy(update={"fingerprint": "other"})
    with pytest.raises(IndexUnavailable, match="another embedding model"):
        search(reader(directory, model=other), world.tenant)
    compact(world)
    with pytest.raises(IndexUnavailable, match="another embedding model"):
        search(reader(directory, model=other), world.tenant)


def test_a_query_that_fails_leaves_no_download_behind_to_race_the_next(
    world: World, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        world.index(world.message(f"m{number}", "elephants"))
    get, under_way, begun = Blobs._get, 0, asyncio.Event()

    async def slow(self: Blobs, key: str, options: Any) -> bytes | None:
        nonlocal under_way
        under_way += 1
        begun.set()
        await asyncio.sleep(0.05)
        under_way -= 1
        return await get(self, key, options)

    async def failing(_: IndexInfo) -> Query:
        await begun.wait()
        raise RuntimeError("the model does not answer")

    monkeypatch.setattr(Blobs, "_get", slow)
    source = reader(directory)

    async def one_after_the_other() -> Found:
        with pytest.raises(RuntimeError):
            await source.search(world.tenant, failing, 10)
        assert under_way == 0
        return await source.search(world.tenant, asking("elephants"), 10)

    found = run(one_after_the_other())
    assert (found.rows, len(found.hits)) == (4, 4)


@pytest.mark.parametrize("damage", ["flipped", "truncated", "missing"])
def test_a_damaged_object_is_no_answer_and_is_not_kept(world: World, directory: Path, damage: str) -> None:
    world.index(world.message("one", "elephants"))
    (key,) = world.segments()
    body = run(blobs().get(key))
    if damage == "missing":
        run(blobs().delete([key]))
    else:
        run(blobs().put(key, body[:-5] if damage == "truncated" else body[:-5] + bytes([body[-5] ^ 1]) + body[-4:]))
    source = reader(directory)
    with pytest.raises(IndexUnavailable, match="being repaired"):
        search(source, world.tenant)
    assert files(directory) == []
    run(blobs().put(key, body))
    assert len(search(source, world.tenant).hits) == 1


@pytest.mark.parametrize("damage", ["flipped", "truncated"])
def test_a_damaged_copy_of_an_earlier_process_is_fetched_again(world: World, directory: Path, damage: str) -> None:
    world.index(world.message("one", "elephants"))
    search(reader(directory), world.tenant)
    (path,) = files(directory)
    body = path.read_bytes()
    path.write_bytes(body[:-5] if damage == "truncated" else body[:-5] + bytes([body[-5] ^ 1]) + body[-4:])
    assert len(search(reader(directory), world.tenant).hits) == 1
    assert path.read_bytes() == body


def test_shards_answer_like_one_index(world: World, neighbour: World, directory: Path) -> None:
    sharded = Directory({"sharded": IndexInfo("sharded", "test:hash", shards=3)}, 1)
    world.write(world.manifest.direct(sharded))
    for one in (world, neighbour):
        one.index(*(one.message(f"m{n}", f"elephants {n}") for n in range(12)))
    source = reader(directory)
    found, expected = search(source, world.tenant), search(source, neighbour.tenant)
    assert [hit.info.source_id for hit in found.hits] == [hit.info.source_id for hit in expected.hits]
    assert [hit.position.score for hit in found.hits] == [hit.position.score for hit in expected.hits]
    assert (len(found.views), found.rows, found.index.id) == (3, 12, "sharded")
    assert SLUG not in run(world.manifest.read()).log
