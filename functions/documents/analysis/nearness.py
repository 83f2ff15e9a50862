"""How near statements of documents are to earlier promises, by the codes of an embedding model.

All promises are compared with all statements, exactly: 36 million pairs for the most that are compared at once, which
take numpy half a second.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from almanac.embeddings.statements import name_of
from documents.analysis.likeness import FEW_SHARED_COSINE

_AT_ONCE = 256


class Nearness:
    """Cosines of statements. `promises` are texts in the order in which they were made; `codes` are by names of texts.

    A text without a code is near to nothing.
    """

    def __init__(self, promises: Sequence[str], texts: Iterable[str], codes: Mapping[bytes, bytes]) -> None:
        known = {text: code for text in {*promises, *texts} if (code := codes.get(name_of(text))) is not None}
        self._rows = {text: row for row, text in enumerate(known)}
        packed = np.frombuffer(b"".join(known.values()), np.int8).reshape(len(known), -1) if known else _NONE
        units = packed.astype(np.float32)
        lengths = np.linalg.norm(units, axis=1, keepdims=True)
        self._units: NDArray[np.float32] = np.divide(units, lengths, out=np.zeros_like(units), where=lengths > 0)
        rows = [self._rows.get(text, -1) for text in promises]
        self._promises = self._units[rows] if known else np.empty((len(rows), 0), np.float32)
        self._promises[[row < 0 for row in rows]] = 0

    def cosine(self, one: str, other: str) -> float | None:
        """Return how near two texts are; None where one has no code."""
        a, b = self._rows.get(one), self._rows.get(other)
        return float(self._units[a] @ self._units[b]) if a is not None and b is not None else None

    def nearest(self) -> dict[str, NDArray[np.intp]]:
        """Return by text the places of all promises that are near to it, the nearest first."""
        found: dict[str, NDArray[np.intp]] = {}
        texts = list(self._rows)
        for start in range(0, len(texts), _AT_ONCE):
            cosines = self._units[start : start + _AT_ONCE] @ self._promises.T
            rows, places = np.nonzero(cosines >= FEW_SHARED_COSINE)
            ordered = np.lexsort((places, -cosines[rows, places], rows))
            bounds = np.searchsorted(rows, np.arange(len(cosines) + 1))
            for row, text in enumerate(texts[start : start + _AT_ONCE]):
                if bounds[row] < bounds[row + 1]:
                    found[text] = places[ordered[bounds[row] : bounds[row + 1]]]
        return found


_NONE = np.empty((0, 0), np.int8)
