"""The port of every embedding model: texts in, int8 codes out.

A code is a vector scaled by its own largest component to -127..127, which is all that cosine similarity needs.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray

    Codes = NDArray[np.int8]
    QueryCode = NDArray[np.int8] | NDArray[np.int16]

ALLOW_NETWORK = True
"""Tests set this to False: a provider then refuses every address but loopback."""


class NetworkRefused(RuntimeError):
    """A test was about to call an embedding provider over the network."""


class Embedder(Protocol):
    """An embedding model."""

    @property
    def model(self) -> str:
        """The configured name. Example: `local:bge-small-en-v1.5`."""

    @property
    def slug(self) -> str:
        """The name as keys spell it. Example: `local-bge-small-en-v1.5`."""

    @property
    def fingerprint(self) -> str:
        """A SHA-256 that differs where vectors cannot be compared, whatever the models are called."""

    @property
    def dimensions(self) -> int: ...

    @property
    def languages(self) -> frozenset[str] | None:
        """ISO 639-1 codes of what the model understands; None for all of them."""

    async def embed_documents(self, texts: Sequence[str]) -> "Codes":
        """Return the codes of texts, int8 [texts, dimensions]."""

    async def embed_query(self, text: str) -> "QueryCode":
        """Return the code of a query, [dimensions]: int8, or int16 from `quantize_finely`."""


_counts: ContextVar[list[int] | None] = ContextVar("counts", default=None)


def count(tokens: int) -> None:
    """Tell how many tokens a provider counted in a call, if somebody wants to know."""
    counts = _counts.get()
    if counts is not None:
        counts.append(tokens)


@contextmanager
def counted() -> Iterator[list[int]]:
    """Collect what `count` is told inside the block, in the tasks that it begins too."""
    counts: list[int] = []
    token = _counts.set(counts)
    try:
        yield counts
    finally:
        _counts.reset(token)


def slug_of(model: str) -> str:
    """Return a model's name as keys spell it. Example: `local-bge-small-en-v1.5`."""
    return re.sub(r"[^a-z0-9.]+", "-", model.lower()).strip("-")


def fingerprint_of(*parts: str) -> str:
    """Return the SHA-256 of what identifies a model."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def quantize_finely(vector: "ArrayLike", dimensions: int) -> "NDArray[np.int16]":
    """Return the code of a query with 16 bits: scaled by its own largest component to -16,256..16,256 (127 x 128).

    Only documents have to be small. Rounding the query, too, would lose some of the nearest.
    """
    import numpy as np

    values = _checked(vector, dimensions)
    largest = float(np.abs(values).max(initial=0))
    fine: NDArray[np.int16] = np.rint(values * (127 * 128 / largest if largest else 0.0)).astype(np.int16)
    return fine


def quantize(vectors: "ArrayLike", dimensions: int) -> "Codes":
    """Return the codes of float vectors, [..., dimensions]; raises `ValueError` on another shape or on NaN."""
    import numpy as np

    values = _checked(vectors, dimensions)
    largest = np.abs(values).max(axis=-1, keepdims=True, initial=0)
    scaled = np.divide(values * np.float32(127), largest, out=np.zeros_like(values), where=largest > 0)
    codes: Codes = np.rint(scaled).astype(np.int8)
    return codes


def _checked(vectors: "ArrayLike", dimensions: int) -> "NDArray[np.float32]":
    import numpy as np

    values = np.asarray(vectors, dtype=np.float32)
    if values.shape[-1] != dimensions:
        raise ValueError(f"expected vectors of {dimensions} dimensions, not {values.shape[-1]}")
    if not np.isfinite(values).all():
        raise ValueError("a vector has components that are no numbers")
    return values


def without_surrogates(text: str) -> str:
    """Return text that has a UTF-8 form: lone surrogates, which no tokenizer takes, become question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def refuse_network(url: str) -> None:
    """Raise `NetworkRefused` when tests forbid the address."""
    host = urlsplit(url).hostname or ""
    if not ALLOW_NETWORK and not _is_loopback(host):
        raise NetworkRefused(f"tests may not call {host}: use a loopback server or almanac.embeddings.testing")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
