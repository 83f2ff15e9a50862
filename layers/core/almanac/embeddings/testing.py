"""An embedding model for tests: instant, deterministic, and texts with words in common are alike."""

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from zlib import crc32

from almanac.embeddings.base import fingerprint_of, quantize, slug_of
from almanac.text.tokenize import terms

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes


class HashEmbedder:
    """Adds up one pseudo-random component per term. `embedded` records every document, so that tests can count them."""

    model = "test:hash"
    slug = slug_of(model)
    languages = None

    def __init__(self, dimensions: int = 64, *, model: str = model) -> None:
        self.model = model
        self.slug = slug_of(model)
        self.dimensions = dimensions
        self.fingerprint = fingerprint_of(model, str(dimensions))
        self.embedded: list[str] = []

    async def embed_documents(self, texts: Sequence[str]) -> "Codes":
        import numpy as np

        self.embedded += texts
        return np.array([self._code(text) for text in texts], dtype=np.int8).reshape(len(texts), self.dimensions)

    async def embed_query(self, text: str) -> "Codes":
        return self._code(text)

    def _code(self, text: str) -> "Codes":
        components = [0.0] * self.dimensions
        for term in terms(text):
            hashed = _hash(term)
            components[(hashed >> 1) % self.dimensions] += 1 if hashed & 1 else -1
        return quantize(components, self.dimensions)


@lru_cache(maxsize=1 << 16)
def _hash(term: str) -> int:
    # The checksum alone keeps similar terms close; multiplying by a large odd number spreads its high bits.
    return (crc32(term.encode("utf-8", "replace")) * 0x9E3779B97F4A7C15 >> 20) & 0xFFFFFFFF
