"""Embedding with a memory: a text that was embedded once for a tenant is not embedded again."""

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from almanac.aws import keys
from almanac.aws.table import Table
from almanac.embeddings.base import Embedder

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes

LIFETIME_SECONDS = 365 * 24 * 3600
FLUSH_EVERY = 25
"""As many as the table takes in one call."""


class VectorStore(Protocol):
    """Codes by the SHA-256 of their text."""

    async def get_many(self, hashes: Sequence[str]) -> "dict[str, Codes]":
        """Return what is known of the hashes."""

    async def put_many(self, codes: "Mapping[str, Codes]") -> None:
        """Keep the codes; writing one twice is writing it once."""


class Embedded(NamedTuple):
    """`codes` is int8 [texts, dimensions]; `embedded` texts were not known and went through the model."""

    codes: "Codes"
    embedded: int


def text_hash(text: str) -> str:
    """Return the name of a text in the cache."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class VectorCache:
    """One tenant's codes of one model in the table. A code of another fingerprint is as good as none."""

    def __init__(self, table: Table, tenant_id: str, embedder: Embedder) -> None:
        self._table = table
        self._tenant_id = tenant_id
        self._slug = embedder.slug
        self._fingerprint = embedder.fingerprint
        self._dimensions = embedder.dimensions

    async def get_many(self, hashes: Sequence[str]) -> "dict[str, Codes]":
        import numpy as np

        items = await self._table.batch_get([keys.vector(self._tenant_id, self._slug, name) for name in hashes])
        return {
            item["hash"]: np.frombuffer(item["code"], dtype=np.int8)
            for item in items
            if item["fingerprint"] == self._fingerprint and len(item["code"]) == self._dimensions
        }

    async def put_many(self, codes: "Mapping[str, Codes]") -> None:
        expires_at = int(time.time()) + LIFETIME_SECONDS
        await self._table.batch_put(
            {
                **keys.vector(self._tenant_id, self._slug, name).as_dict(),
                "entity": "vector",
                "hash": name,
                "code": code.tobytes(),
                "fingerprint": self._fingerprint,
                "expires_at": expires_at,
            }
            for name, code in codes.items()
        )


class EmbeddingService:
    """Embeds texts through a store."""

    def __init__(self, embedder: Embedder, store: VectorStore) -> None:
        self._embedder = embedder
        self._store = store

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """Return the codes of texts in their order. What was embedded is stored as it comes, so killed work resumes."""
        import numpy as np

        hashes = [text_hash(text) for text in texts]
        text_of = dict(zip(hashes, texts, strict=True))
        known = await self._store.get_many(list(text_of))
        missing = [name for name in text_of if name not in known]
        for start in range(0, len(missing), FLUSH_EVERY):
            names = missing[start : start + FLUSH_EVERY]
            codes = await self._embedder.embed_documents([text_of[name] for name in names])
            fresh = dict(zip(names, codes, strict=True))
            await self._store.put_many(fresh)
            known |= fresh
        shape = (len(texts), self._embedder.dimensions)
        return Embedded(np.array([known[name] for name in hashes], dtype=np.int8).reshape(shape), len(missing))
