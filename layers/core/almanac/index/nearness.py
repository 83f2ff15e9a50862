"""How near rows are to a query: exact cosines of int8 codes."""

import math

import numpy as np
import simsimd
from numpy.typing import NDArray

from almanac.index import pool
from almanac.index.parts import Part
from almanac.index.pool import Floats, Places, largest
from almanac.index.selection import Scope

Codes = NDArray[np.int8]
Vector = NDArray[np.int8] | NDArray[np.int16]
_SPARSE = 0.25
"""Below this share of rows, copying their vectors out is cheaper than comparing all."""


class _Cosines:
    """Exact cosines of a part's rows to a vector, from integer products; minus infinity where there is no vector.

    A query's vector may have 16 bits, at most 127.5 times 128: its upper 8 find the rows that are near, and both halves
    together tell how near these are. All numbers stay whole until the end.
    """

    def __init__(self, part: Part, vector: Vector) -> None:
        self._part = part
        self._lower: Codes | None = None
        self._upper: Codes = vector.astype(np.int8)
        if vector.dtype != np.int8:
            upper = (vector.astype(np.int32) + 64) >> 7
            self._upper, self._lower = upper.astype(np.int8), (vector - (upper << 7)).astype(np.int8)
        self._scale = _scale(self._upper)
        self._whole_scale = _scale(vector)

    def of(self, rows: Places | slice) -> Floats:
        """Return cosines by the upper half of the vector."""
        return self._cosines(rows, (self._upper,), self._scale)

    def whole(self, rows: Places) -> Floats:
        """Return cosines by the whole vector; NaN where there is none to compare with."""
        halves = (self._upper,) if self._lower is None else (self._upper, self._lower)
        found = self._cosines(rows, halves, self._whole_scale)
        found[found == -np.inf] = np.nan
        return found

    def _cosines(self, rows: Places | slice, halves: tuple[Codes, ...], scale: float) -> Floats:
        vectors, scales = np.ascontiguousarray(self._part.vectors[rows]), self._part.scales[rows]
        if not len(vectors):
            return np.empty(0)
        cosines = _products(halves[0], vectors)
        for half in halves[1:]:
            cosines = cosines * 128 + _products(half, vectors)
        cosines *= scales
        cosines *= scale
        if self._part.header.unembedded:
            cosines[scales == 0] = -np.inf
        return cosines


def _products(vector: Codes, vectors: Codes) -> Floats:
    products = simsimd.cdist(vector.reshape(1, -1), vectors, metric="inner")
    return np.asarray(products, np.float64).reshape(-1)


def _scale(vector: Vector) -> float:
    square = int(np.square(vector, dtype=np.int64).sum())
    return 1 / math.sqrt(square) if square else 0.0


class Near:
    """Similarities of all of a scope's rows to a vector."""

    def __init__(self, scope: Scope, vector: Vector) -> None:
        cosines = self._cosines = _Cosines(scope.part, vector)
        self._rows: Places | None = None
        if scope.rows is not None and scope.count < _SPARSE * scope.part.rows:
            self._rows = np.flatnonzero(scope.rows)
            self._all = cosines.of(self._rows)
        else:
            self._all = cosines.of(slice(None))
            if scope.rows is not None:
                self._all[~scope.rows] = -np.inf

    def best(self) -> Places:
        """Return the nearest rows, with all equals of the last."""
        least = largest(self._all, pool.POOL)
        places = np.flatnonzero(self._all >= least if least > -np.inf else self._all > -np.inf)
        return places if self._rows is None else self._rows[places]

    def at(self, rows: Places) -> Floats:
        """Return the similarities of some rows of the scope; NaN where there is no vector."""
        return self._cosines.whole(rows)


class Given:
    """Similarities of rows that somebody else found, and of whichever else are asked for; no others are looked at."""

    def __init__(self, scope: Scope, vector: Vector, rows: Places) -> None:
        self._cosines = _Cosines(scope.part, vector)
        self._best = np.unique(rows)
        if scope.rows is not None:
            self._best = self._best[scope.rows[self._best]]

    def best(self) -> Places:
        return self._best

    def at(self, rows: Places) -> Floats:
        return self._cosines.whole(rows)
