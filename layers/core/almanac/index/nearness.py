"""How near rows are to a query: exact cosines of int8 codes."""

import math

import numpy as np
import simsimd
from numpy.typing import NDArray

from almanac.index import pool
from almanac.index.parts import Part
from almanac.index.pool import Floats, Places, largest
from almanac.index.selection import Scope

_SPARSE = 0.25
"""Below this share of rows, copying their vectors out is cheaper than comparing all."""


class _Cosines:
    """Exact cosines of a part's rows to a vector, from integer products; minus infinity where there is no vector."""

    def __init__(self, part: Part, vector: NDArray[np.int8]) -> None:
        self._part = part
        self._vector = vector.reshape(1, -1)
        self._scale = 1 / math.sqrt(int(np.square(vector, dtype=np.int64).sum()))

    def of(self, rows: Places | slice) -> Floats:
        vectors, scales = self._part.vectors[rows], self._part.scales[rows]
        if not len(vectors):
            return np.empty(0)
        products = simsimd.cdist(self._vector, np.ascontiguousarray(vectors), metric="inner")
        cosines: Floats = np.asarray(products, np.float64).reshape(-1)
        cosines *= scales
        cosines *= self._scale
        if self._part.header.unembedded:
            cosines[scales == 0] = -np.inf
        return cosines


class Near:
    """Similarities of all of a scope's rows to a vector."""

    def __init__(self, scope: Scope, vector: NDArray[np.int8]) -> None:
        cosines = _Cosines(scope.part, vector)
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
        places = rows if self._rows is None else np.searchsorted(self._rows, rows)
        found = self._all[places]
        found[found == -np.inf] = np.nan
        return found


class Given:
    """Similarities of rows that somebody else found, and of whichever else are asked for; no others are looked at."""

    def __init__(self, scope: Scope, vector: NDArray[np.int8], rows: Places) -> None:
        self._cosines = _Cosines(scope.part, vector)
        self._best = np.unique(rows)
        if scope.rows is not None:
            self._best = self._best[scope.rows[self._best]]

    def best(self) -> Places:
        return self._best

    def at(self, rows: Places) -> Floats:
        found = self._cosines.of(rows)
        found[found == -np.inf] = np.nan
        return found
