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
    if len(values) > 8 * count:
        # A sample tells roughly where to look: much less is then left to be sorted out.
        step = len(values) // (4 * count)
        sample, place = values[::step], 2 * count // step + 1
        above = values[values > np.partition(sample, -place)[-place]]
        if len(above) >= count:
            values = above
    return float(np.partition(values, -count)[-count])


def ordered(size: int, *several: Places) -> Places:
    """Return the places, all below `size`, that are in any of several, each once, in order."""
    if sum(map(len, several)) * 32 > size:
        # Marking them is faster than sorting them.
        marked = np.zeros(size, np.bool_)
        for places in several:
            marked[places] = True
        return np.flatnonzero(marked)
    together = np.sort(np.concatenate(several))
    distinct: Places = together[np.concatenate([together[:1] == together[:1], together[1:] != together[:-1]])]
    return distinct
