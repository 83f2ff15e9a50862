"""Tenants' copies in memory: under a budget, one version each, whoever asks at the same time."""

import asyncio
from typing import Any

import pytest

from almanac.aws.blobs import Blobs
from almanac.index.bm25 import Words
from almanac.index.engine import Query
from almanac.index.fusion import MEANING_WEIGHT
from almanac.index.ingest import model_of
from almanac.index.reader import Found, IndexUnavailable, Reader
from almanac.index.segments import Model
from search import wiring
from tests.integration.harness import Stack
from tests.integration.search.world import SLUG, World, blobs, run, table


def reader(budget: int = 1 << 30, model: Model | None = None) -> Reader:
    return Reader(table(), blobs(), model or model_of(wiring.embedder()), SLUG, budget=budget)


async def asked(text: str) -> Query:
    return Query(text, await wiring.embedder().embed_query(text), MEANING_WEIGHT)


def search(source: Reader, tenant: str, text: str = "elephants") -> Found:
    found: Found = run(source.search(tenant, asked(text), 10))
    return found


def test_tenants_come_and_go_under_a_small_budget_and_answers_stay_right(stack: Stack) -> None:
    worlds = [World(stack, stack.tenant()) for _ in range(6)]
    for number, world in enumerate(worlds):
        world.index(*(world.message(f"m{place}", f"elephants {place}") for place in range(number + 1)))
    roomy = reader()
    for world in worlds:
        search(roomy, world.tenant)
    tight = reader(budget=roomy.nbytes // 2)
    for _ in range(2):
        for number, world in enumerate(worlds):
            assert len(search(tight, world.tenant).hits) == number + 1
            assert tight.nbytes <= roomy.nbytes // 2
            assert tight.tenants[-1] == world.tenant


def test_a_warm_reader_downloads_only_what_is_new(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []
    get = Blobs.get

    async def counting(self: Blobs, key: str) -> bytes | None:
        fetched.append(key)
        return await get(self, key)

    monkeypatch.setattr(Blobs, "get", counting)
    source = reader()
    for number in range(3):
        world.index(world.message(f"m{number}", "elephants"))
        fetched.clear()
        assert len(search(source, world.tenant).hits) == number + 1
        assert len(fetched) == 1
    fetched.clear()
    search(source, world.tenant)
    assert fetched == []


def test_concurrent_queries_of_one_tenant_load_it_once_and_agree(world: World) -> None:
    for number in range(20):
        world.index(world.message(f"m{number}", "elephants"))
    source = reader()

    async def many() -> list[Found]:
        return await asyncio.gather(*(source.search(world.tenant, asked("elephants"), 10) for _ in range(8)))

    answers = run(many())
    assert all(found == answers[0] for found in answers)
    assert answers[0].segments == 20


def test_an_index_of_another_model_is_refused(world: World) -> None:
    world.index(world.message("one", "elephants"))
    other = model_of(wiring.embedder()).model_copy(update={"fingerprint": "other"})
    with pytest.raises(IndexUnavailable, match="another embedding model"):
        search(reader(model=other), world.tenant)


def test_a_segment_that_left_the_manifest_leaves_the_copy(world: World) -> None:
    world.index(world.message("one", "elephants"))
    world.index(world.message("two", "elephants"))
    source = reader()
    assert len(search(source, world.tenant).hits) == 2
    state: Any = run(world.manifest.read())
    name = min(state.segments)
    key = world.manifest.append(state.segments[name]).item
    world.stack.client("dynamodb").delete_item(
        TableName="almanac", Key={"pk": {"S": key["pk"]}, "sk": {"S": key["sk"]}}
    )
    assert len(search(source, world.tenant).hits) == 1


def test_a_query_that_fails_leaves_no_download_behind_to_race_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        world.index(world.message(f"m{number}", "elephants"))
    get, under_way, begun = Blobs.get, 0, asyncio.Event()

    async def slow(self: Blobs, key: str) -> bytes | None:
        nonlocal under_way
        under_way += 1
        begun.set()
        await asyncio.sleep(0.05)
        under_way -= 1
        return await get(self, key)

    async def failing() -> Query:
        await begun.wait()
        raise RuntimeError("the model does not answer")

    monkeypatch.setattr(Blobs, "get", slow)
    source = reader()

    async def one_after_the_other() -> Found:
        with pytest.raises(RuntimeError):
            await source.search(world.tenant, failing(), 10)
        assert under_way == 0
        return await source.search(world.tenant, asked("elephants"), 10)

    found = run(one_after_the_other())
    assert (found.rows, len(found.hits)) == (4, 4)


def test_a_copy_that_was_interrupted_while_it_grew_is_built_anew(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.index(world.message("one", "elephants"))
    source, add = reader(), Words.add
    search(source, world.tenant)
    world.index(world.message("two", "elephants"))

    def broken(self: Words, documents: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(Words, "add", broken)
    with pytest.raises(MemoryError):
        search(source, world.tenant)
    monkeypatch.setattr(Words, "add", add)
    assert (search(source, world.tenant).rows, len(search(source, world.tenant).hits)) == (2, 2)
