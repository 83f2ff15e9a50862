"""Words: postings in memory, and BM25 with statistics of the visible rows only.

Postings lie in blocks, each sorted by term and row. A block swallows its predecessors while they are not much larger,
so that any sequence of appends leaves a logarithmic number of blocks.

Scores depend on nothing but the visible rows: document frequencies are counted at query time, sums are of integers,
and the terms of a query are added up in the query's order.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from almanac.index.columns import Column

K1 = 1.2
B = 0.75
_MAX_FREQUENCY = 255
"""A term that occurs more often in a row counts as this often; BM25 saturates long before."""


@dataclass(frozen=True)
class _Block:
    """Postings of `terms[i]` are `rows` and `frequencies` from `starts[i]` to `starts[i + 1]`."""

    terms: NDArray[np.int32]
    starts: NDArray[np.int64]
    rows: NDArray[np.int32]
    frequencies: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        return self.terms.nbytes + self.starts.nbytes + self.rows.nbytes + self.frequencies.nbytes

    def postings(self, term: int) -> slice | None:
        place = int(np.searchsorted(self.terms, term))
        if place == len(self.terms) or self.terms[place] != term:
            return None
        return slice(int(self.starts[place]), int(self.starts[place + 1]))


class Words:
    """The words of rows that are numbered from 0 in order of adding."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._blocks: list[_Block] = []
        self._lengths = Column(np.int32)

    @property
    def nbytes(self) -> int:
        return sum(block.nbytes for block in self._blocks) + self._lengths.nbytes + 150 * len(self._numbers)

    def add(self, documents: Sequence[Iterable[str]]) -> None:
        """Append one row for each document, given as its terms."""
        first = len(self._lengths)
        numbers: list[int] = []
        lengths = []
        for document in documents:
            before = len(numbers)
            numbers += [self._numbers.setdefault(term, len(self._numbers)) for term in document]
            lengths.append(len(numbers) - before)
        self._lengths.extend(lengths)
        if numbers:
            self._push(_count(np.array(numbers, np.int64), np.array(lengths), first))

    def score(self, terms: Iterable[str], visible: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return BM25 of every row for the distinct `terms`; 0 where none occurs, and for rows that are not visible."""
        scores = np.zeros(len(self._lengths))
        lengths = self._lengths.array
        count, total = int(np.count_nonzero(visible)), int(lengths[visible].sum())
        if total == 0:
            return scores
        for number in dict.fromkeys(self._numbers.get(term, -1) for term in terms):
            rows, frequencies = self._postings(number, visible)
            if len(rows):
                idf = inverse_frequency(count, len(rows))
                damping = K1 * (1 - B + B * (lengths[rows] * (count / total)))
                scores[rows] += idf * (K1 + 1) * frequencies / (frequencies + damping)
        return scores

    def weights(self, terms: Iterable[str], visible: NDArray[np.bool_]) -> dict[str, float]:
        """Return how telling each term is: its inverse document frequency among the visible rows."""
        count = int(np.count_nonzero(visible))
        found = {term: len(self._postings(self._numbers.get(term, -1), visible)[0]) for term in dict.fromkeys(terms)}
        return {term: inverse_frequency(count, frequency) for term, frequency in found.items()}

    def _postings(self, term: int, visible: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        places = [(block, place) for block in self._blocks if (place := block.postings(term)) is not None]
        if not places:
            return np.empty(0, np.int32), np.empty(0)
        rows = np.concatenate([block.rows[place] for block, place in places])
        seen = visible[rows]
        frequencies = np.concatenate([block.frequencies[place] for block, place in places])
        return rows[seen], frequencies[seen].astype(np.float64)

    def _push(self, block: _Block) -> None:
        merging = [block]
        size = len(block.rows)
        while self._blocks and len(self._blocks[-1].rows) <= 2 * size:
            merging.insert(0, self._blocks.pop())
            size += len(merging[0].rows)
        self._blocks.append(_merge(merging) if len(merging) > 1 else block)


def inverse_frequency(count: int, frequency: int) -> float:
    """Return ln(1 + (N - n + 0.5) / (n + 0.5)), which is positive for every n up to N."""
    return math.log(1 + (count - frequency + 0.5) / (frequency + 0.5))


def _count(terms: NDArray[np.int64], lengths: NDArray[np.int64], first: int) -> _Block:
    rows = np.repeat(np.arange(first, first + len(lengths)), lengths)
    pairs, frequencies = np.unique(terms << 32 | rows, return_counts=True)
    return _block(pairs >> 32, pairs & 0xFFFFFFFF, np.minimum(frequencies, _MAX_FREQUENCY))


def _merge(blocks: Sequence[_Block]) -> _Block:
    terms = np.concatenate([np.repeat(block.terms, np.diff(block.starts)) for block in blocks])
    order = np.argsort(terms, kind="stable")
    rows = np.concatenate([block.rows for block in blocks])[order]
    return _block(terms[order], rows, np.concatenate([block.frequencies for block in blocks])[order])


def _block(terms: NDArray[np.integer], rows: NDArray[np.integer], frequencies: NDArray[np.integer]) -> _Block:
    """Build a block of postings that are in order of term and row."""
    changes = np.flatnonzero(terms[1:] != terms[:-1]) + 1
    starts = np.concatenate([[0], changes, [len(terms)]]).astype(np.int64)
    distinct = terms[starts[:-1]].astype(np.int32)
    return _Block(distinct, starts, rows.astype(np.int32), frequencies.astype(np.uint8))
