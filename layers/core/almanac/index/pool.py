"""The rows that are looked at for hits: the best of many, chosen without sorting them all."""

import math

import numpy as np
from numpy.typing import NDArray

POOL = 1000
"""How many of the best rows by words, and by meaning, are looked at for hits; paging ends with them."""

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
NOWHERE: Places = np.empty(0, np.int64)


def largest(values: Floats, count: int) -> float:
    """Return the value that is `count`th from the top; minus infinity when there are not so many."""
    if len(values) < count:
        return -math.inf
    if len(values) > 64 * count:
        # A sample tells roughly where to look: much less is then left to be sorted out.
        step = len(values) // (16 * count)
        sample, place = values[::step], 2 * count // step + 1
        above = values[values > np.partition(sample, -place)[-place]]
        if len(above) >= count:
            values = above
    return float(np.partition(values, -count)[-count])


def union(left: Places, right: Places) -> Places:
    """Return the places that are in either, each once, in order."""
    both = np.sort(np.concatenate([left, right]))
    distinct: Places = both[np.concatenate([both[:1] == both[:1], both[1:] != both[:-1]])]
    return distinct
