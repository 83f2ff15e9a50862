"""BM25 over visible rows: what it counts, and how the best rows are found without scoring all of them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from almanac.index import pool
from almanac.index.parts import Part
from almanac.index.pool import NOWHERE, Floats, Places, largest, ordered
from almanac.index.selection import Scope
from almanac.index.visibility import Shown
from almanac.index.words import BLOCK, Block, term_hash

K1 = 1.2
B = 0.75
_ROUNDING = 1 - 1e-9
"""A little less than 1: bounds and scores are added up in different orders."""
_FREQUENT = 4000
"""Only for a term with more postings than this is it worth while to find out whether it can be left for later."""


@dataclass(frozen=True)
class TermStatistics:
    """What BM25 needs to know of visible rows: how many, how many terms they have, and in how many each term occurs.

    `doubtful` counts the rows that must be read to tell whether they hold the query's phrases.
    """

    rows: int
    length: int
    frequencies: Mapping[str, int]
    doubtful: int = 0

    def __add__(self, other: "TermStatistics") -> "TermStatistics":
        frequencies = Counter(self.frequencies)
        frequencies.update(other.frequencies)
        doubtful = self.doubtful + other.doubtful
        return TermStatistics(self.rows + other.rows, self.length + other.length, frequencies, doubtful)

    def weight(self, term: str) -> float:
        """Return how telling a term is: ln(1 + (N - n + 0.5) / (n + 0.5)), which is positive for every n up to N."""
        frequency = self.frequencies.get(term, 0)
        return math.log(1 + (self.rows - frequency + 0.5) / (frequency + 0.5))

    @property
    def ordered(self) -> list[str]:
        """The terms that occur, the rarest first."""
        return sorted((t for t, n in self.frequencies.items() if n), key=lambda t: (self.frequencies[t], term_hash(t)))


class Scored:
    """A scope's rows with their scores by words so far; `rows` are those that have one and may be among the best."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.scores = np.zeros(scope.part.rows)
        self.rows: Places = NOWHERE

    def add(self, term: str, known: TermStatistics) -> None:
        """Add a term's score to every row of the scope that has it."""
        part, new = self.scope.part, [self.rows]
        hashes = np.array([term_hash(term)], np.uint64)
        for block in part.blocks:
            (found,) = block.find(hashes)
            if found is None:
                continue
            rows, counts = block.rows[found], block.counts[found]
            end = min(block.first + BLOCK, part.rows)
            if self.scope.rows is not None:
                passing = self.scope.rows[block.first : end][rows]
                rows, counts = rows[passing], counts[passing]
            before = self.scores[block.first : end][rows]
            new.append(rows[before == 0].astype(np.int64) + block.first)
            lengths = part.row_lengths[block.first : end][rows]
            self.scores[block.first : end][rows] = before + _bm25(counts, lengths, term, known)
        self.rows = np.concatenate(new)

    def keep(self, least: float) -> None:
        """Give up the rows below a score."""
        self.rows = self.rows[self.scores[self.rows] >= least]


def score_words(scored: Sequence[Scored], known: TermStatistics, *, exhaustive: bool) -> list[str]:
    """Add up BM25 from the rarest term on, until what is left cannot bring a new row among the best.

    Returns the terms that are left: the rows that may be among the best were found with them, and no score holds them.
    This is MaxScore (Turtle and Flood, 1995) by term instead of by document: a row that has none of the rarer terms
    scores less than the bounds of those that are left, taken together.
    """
    if not known.length:
        return []
    ordered = known.ordered
    bounds = [known.weight(term) * (K1 + 1) for term in ordered]
    for place, term in enumerate(ordered):
        if not exhaustive and place and known.frequencies[term] > _FREQUENT:
            least = _last_of_best(scored)
            if least > math.fsum(bounds[place:]):
                _narrow(scored, ordered[place:], bounds[place:], known)
                return ordered[place:]
        for one in scored:
            one.add(term, known)
    least = _last_of_best(scored)
    for one in scored:
        one.keep(least)
    return []


def _narrow(scored: Sequence[Scored], rest: Sequence[str], bounds: Sequence[float], known: TermStatistics) -> None:
    """Give up the rows that are not among the best with the terms that are left. Scores stay as they are."""
    least = (_last_of_best(scored) - math.fsum(bounds)) * _ROUNDING
    for one in scored:
        one.keep(least)
        one.rows = ordered(one.scope.part.rows, one.rows)
    whole = [one.scores[one.rows] for one in scored]
    for place, term in enumerate([*rest, None]):
        least = (largest(np.concatenate(whole), pool.POOL) - math.fsum(bounds[place:])) * _ROUNDING
        for number, one in enumerate(scored):
            kept = whole[number] >= least
            one.rows, whole[number] = one.rows[kept], whole[number][kept]
            if term is not None:
                whole[number] += term_scores(one.scope.part, one.rows, term, known)


def _last_of_best(scored: Sequence[Scored]) -> float:
    """Return the score of the last that is among the best `POOL` now."""
    return largest(np.concatenate([one.scores[one.rows] for one in scored] or [np.empty(0)]), pool.POOL)


def term_scores(part: Part, rows: Places, term: str, known: TermStatistics) -> Floats:
    """Return a term's score in some rows, which are in order."""
    scores = np.zeros(len(rows))
    hashes = np.array([term_hash(term)], np.uint64)
    for block in part.blocks:
        (found,) = block.find(hashes)
        first, last = np.searchsorted(rows, [block.first, block.first + BLOCK]).tolist()
        if found is None or first == last:
            continue
        having, wanted = block.rows[found], (rows[first:last] - block.first).astype(np.uint16)
        places = np.minimum(np.searchsorted(having, wanted), len(having) - 1)
        hit = np.flatnonzero(having[places] == wanted)
        counts, lengths = block.counts[found][places[hit]], part.row_lengths[rows[first + hit]]
        scores[first + hit] = _bm25(counts, lengths, term, known)
    return scores


def _bm25(counts: NDArray[np.uint8], lengths: NDArray[np.int32], term: str, known: TermStatistics) -> Floats:
    frequencies = counts.astype(np.float64)
    damping = K1 * (1 - B + B * (lengths * (known.rows / known.length)))
    scores: Floats = known.weight(term) * (K1 + 1) * frequencies / (frequencies + damping)
    return scores


def visible_postings(shown: Shown, block: Block, found: slice) -> int:
    """Count a term's postings in visible rows of a block."""
    size: int = found.stop - found.start
    if shown.rows is None:
        return size
    first, last = np.searchsorted(shown.hidden, [block.first, block.first + BLOCK]).tolist()
    if last - first < size // 16:
        hidden = (shown.hidden[first:last] - block.first).astype(np.uint16)
        having = block.rows[found]
        places = np.minimum(np.searchsorted(having, hidden), size - 1)
        return size - int(np.count_nonzero(having[places] == hidden))
    return int(np.count_nonzero(shown.rows[block.first : block.first + BLOCK][block.rows[found]]))
