"""What models cost: counted per call, by price, and refused before the call when the budget is used up."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy  # noqa: F401 - what the embedder needs, in no test's event loop
import pytest

from almanac import tenancy
from almanac.aws import keys
from almanac.aws.table import Table
from almanac.embeddings.base import count
from almanac.embeddings.testing import HashEmbedder
from almanac.errors import TerminalError
from almanac.limits.quotas import Quota, Quotas, Usage, spending
from almanac.limits.spending import BadPrices, Ledger, MeteredEmbedder, MeteredModel, Price, prices
from almanac.llm.base import Completion, Message, Reply
from tests.support.memory import MemoryStore

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes

TENANT = "ten_1"
JANUARY = 1_767_225_600.0
MODEL = "openai:writer"
REQUEST = Completion("Be brief.", [Message("user", "Why?")])


class Provider(HashEmbedder):
    """Counts tokens in its answers, as providers do; several calls make one."""

    asked = 0

    async def embed_documents(self, texts: Sequence[str]) -> "Codes":
        async def one(text: str) -> None:
            self.asked += 1
            count(len(text))

        await asyncio.gather(*(one(text) for text in texts))
        return await super().embed_documents(texts)


class Writer:
    name = MODEL
    asked = 0

    async def complete(self, request: Completion) -> Reply:
        self.asked += 1
        return Reply("Because.", tokens_in=1_000, tokens_out=500, stopped="end")


class World:
    def __init__(self, budget: float = 0, given: dict[str, Price] | None = None) -> None:
        self.now = JANUARY
        self.store = MemoryStore()
        self.table = Table("almanac", self.store)
        usage = Usage(self.table, Quotas({Quota.MODEL_SPEND: budget}), clock=lambda: self.now)
        self.usage = usage
        self.ledger = Ledger(usage, given or {MODEL: Price(2, 8)})

    async def spent(self) -> float:
        item = await self.table.get(keys.usage(TENANT)) or {}
        return self.usage.quotas.use(item, Quota.MODEL_SPEND, at=self.now).used


@pytest.fixture(autouse=True)
def _at_work() -> None:
    tenancy.bind(TENANT)


def test_a_call_costs_its_tokens_at_the_models_price() -> None:
    world = World()

    async def run() -> float:
        await MeteredModel(Writer(), world.ledger).complete(REQUEST)
        return await world.spent()

    assert asyncio.run(run()) == (1_000 * 2 + 500 * 8) / 1e6


def test_a_model_without_a_price_is_counted_in_tokens_and_said_to_be() -> None:
    world = World(given={"openai:other": Price(1, 1)})

    async def run() -> tuple[float, int]:
        await MeteredModel(Writer(), world.ledger).complete(REQUEST)
        item = await world.table.get(keys.usage(TENANT)) or {}
        return await world.spent(), spending(item, world.now).unpriced

    assert asyncio.run(run()) == (0, 1_500)


def test_the_budget_is_refused_before_the_call_and_there_again_next_month() -> None:
    world, writer = World(budget=0.006), Writer()
    model = MeteredModel(writer, world.ledger)

    async def run() -> None:
        await model.complete(REQUEST)
        world.now += 11
        with pytest.raises(TerminalError) as refused:
            await model.complete(REQUEST)
        assert (refused.value.code, writer.asked) == ("quota_exceeded", 1)
        world.now += 32 * 24 * 3600
        await model.complete(REQUEST)

    asyncio.run(run())
    assert writer.asked == 2


def test_embeddings_are_counted_whatever_calls_they_take() -> None:
    world = World(given={"test:hash": Price(1, 0)})
    embedder = MeteredEmbedder(Provider(8, model="test:hash"), world.ledger)

    async def run() -> float:
        await embedder.embed_documents(["four", "letters"])
        return await world.spent()

    assert asyncio.run(run()) == 11 / 1e6


def test_an_embedding_beyond_the_budget_is_refused_before_the_provider_is_asked() -> None:
    world = World(budget=0.000001, given={"test:hash": Price(1, 0)})
    provider = Provider(8, model="test:hash")
    embedder = MeteredEmbedder(provider, world.ledger)

    async def run() -> None:
        await embedder.embed_documents(["four"])
        world.now += 11
        with pytest.raises(TerminalError, match="USD a month"):
            await embedder.embed_documents(["four"])

    asyncio.run(run())
    assert provider.asked == 1


def test_an_answer_is_kept_when_it_could_not_be_counted() -> None:
    world = World()

    def fail() -> None:
        raise OSError("no route to the store")

    async def run() -> Reply:
        model = MeteredModel(Writer(), world.ledger)
        await world.ledger.refuse()
        world.store.on_call = fail
        return await model.complete(REQUEST)

    assert asyncio.run(run()).text == "Because."


def test_prices_are_dollars_for_a_million_tokens() -> None:
    read = prices('{"openai:writer": [2, 8], "openai:embedder": [0.02]}')
    assert read == {MODEL: Price(2, 8), "openai:embedder": Price(0.02, 0)}
    assert Price(0.02, 0).micro(1, 0) == 1
    with pytest.raises(BadPrices, match="dollars for a million"):
        prices('{"openai:writer": "cheap"}')
