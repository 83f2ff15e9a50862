import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.aws.keys import Key
from almanac.aws.table import Item, Table
from almanac.embeddings.cache import FLUSH_EVERY, EmbeddingService, VectorCache, text_hash
from almanac.embeddings.testing import HashEmbedder

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes

texts = st.lists(st.sampled_from([f"text {n}" for n in range(100)]) | st.text(), max_size=120)


class MemoryTable(Table):
    """The two batch calls that the cache makes, on a dictionary."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], Item] = {}

    async def batch_get(self, keys: Sequence[Key], *, consistent: bool = False) -> list[Item]:
        return [self.items[key] for key in reversed(keys) if key in self.items]

    async def batch_put(self, items: Iterable[Item]) -> None:
        for item in items:
            self.items[(item["pk"], item["sk"])] = item


class DyingStore:
    """A store whose process is killed after some writes."""

    def __init__(self, store: VectorCache, writes: int) -> None:
        self.store = store
        self.writes = writes

    async def get_many(self, hashes: Sequence[str]) -> "dict[str, Codes]":
        return await self.store.get_many(hashes)

    async def put_many(self, codes: "Mapping[str, Codes]") -> None:
        if self.writes == 0:
            raise KeyboardInterrupt
        self.writes -= 1
        await self.store.put_many(codes)


@given(texts, texts)
def test_every_text_is_embedded_once_and_answers_as_without_a_cache(first: list[str], second: list[str]) -> None:
    model = HashEmbedder()
    service = EmbeddingService(model, VectorCache(MemoryTable(), "ten_1", model))
    for batch in (first, second):
        codes, _ = asyncio.run(service.embed(batch))
        assert (codes == asyncio.run(HashEmbedder().embed_documents(batch))).all()
    assert sorted(model.embedded) == sorted({*first, *second})


def test_the_count_is_of_texts_that_went_through_the_model() -> None:
    model = HashEmbedder()
    service = EmbeddingService(model, VectorCache(MemoryTable(), "ten_1", model))
    assert asyncio.run(service.embed(["a", "b", "a"])).embedded == 2
    assert asyncio.run(service.embed(["b", "c"])).embedded == 1
    assert asyncio.run(service.embed([])).codes.shape == (0, 64)


def test_killed_work_resumes_where_it_stopped() -> None:
    model, table = HashEmbedder(), MemoryTable()
    cache = VectorCache(table, "ten_1", model)
    batch = [f"text {n}" for n in range(5 * FLUSH_EVERY)]
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(EmbeddingService(model, DyingStore(cache, writes=3)).embed(batch))
    assert len(table.items) == 3 * FLUSH_EVERY
    assert asyncio.run(EmbeddingService(model, cache).embed(batch)).embedded == 2 * FLUSH_EVERY


def test_tenants_share_nothing() -> None:
    model, table = HashEmbedder(), MemoryTable()
    asyncio.run(EmbeddingService(model, VectorCache(table, "ten_1", model)).embed(["a"]))
    assert asyncio.run(VectorCache(table, "ten_2", model).get_many([text_hash("a")])) == {}


def test_vectors_of_a_model_with_the_same_name_are_not_mixed() -> None:
    table = MemoryTable()
    old, new = HashEmbedder(dimensions=64), HashEmbedder(dimensions=32)
    assert old.slug == new.slug
    asyncio.run(EmbeddingService(old, VectorCache(table, "ten_1", old)).embed(["a"]))
    codes, embedded = asyncio.run(EmbeddingService(new, VectorCache(table, "ten_1", new)).embed(["a"]))
    assert (codes.shape, embedded) == ((1, 32), 1)


def test_an_item_expires_and_is_no_outbox_item() -> None:
    model, table = HashEmbedder(), MemoryTable()
    asyncio.run(VectorCache(table, "ten_1", model).put_many({"h": np.zeros(64, np.int8)}))
    (item,) = table.items.values()
    assert item["entity"] == "vector"
    assert isinstance(item["expires_at"], int)


def test_texts_with_words_in_common_are_alike_to_the_double() -> None:
    codes = asyncio.run(HashEmbedder().embed_documents(["parse the header", "parseHTTPHeader", "bake bread"]))
    near, far = (codes[0].astype(int) @ codes[n].astype(int) for n in (1, 2))
    assert near > far
