"""The searchable index of one tenant, in memory: words and meaning over the rows that are visible.

An engine that grew segment by segment answers exactly like one built at once from what is visible: same hits, same
scores, same order. Everything that is summed over rows is a sum of integers.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import simsimd
from numpy.typing import NDArray

from almanac.index.bm25 import Words
from almanac.index.columns import Column
from almanac.index.filters import Filters
from almanac.index.fusion import combine
from almanac.index.highlight import Excerpt, excerpt
from almanac.index.segments import Model, ModelMismatch, Row, Segment
from almanac.index.sources import Kind, SourceInfo, SourceRef
from almanac.index.store import Store
from almanac.text.tokenize import terms

POOL = 1000
"""How many of the best rows are looked at for hits; paging ends with them."""
# Below this share of candidates, copying their vectors out is cheaper than comparing all.
_SPARSE = 0.25


class Position(NamedTuple):
    """A hit's place in the order of hits: by score, then by similarity (both falling), then by source."""

    score: float
    similarity: float
    source_id: str

    @property
    def key(self) -> tuple[float, float, str]:
        return (-self.score, -self.similarity, self.source_id)


@dataclass(frozen=True)
class Query:
    """`vector` is the int8 embedding of `text`, None to search by words alone; `meaning_weight` is its share."""

    text: str
    vector: NDArray[np.int8] | None
    meaning_weight: float
    filters: Filters = field(default_factory=Filters)


@dataclass(frozen=True)
class Hit:
    """The best chunk of a source. `words + meaning` is the score; `more` chunks of the source are in the pool too.

    `start_line` and `end_line` are the chunk's, from 1, 0 where lines mean nothing.
    """

    position: Position
    words: float
    meaning: float
    info: SourceInfo
    ordinal: int
    start_line: int
    end_line: int
    context: str
    excerpt: Excerpt
    more: int


@dataclass(frozen=True)
class _Candidates:
    """Rows in question and, for each, the two parts of its score and its similarity."""

    rows: NDArray[np.int64]
    words: NDArray[np.float64]
    meaning: NDArray[np.float64]
    similarity: NDArray[np.float64]

    @property
    def score(self) -> NDArray[np.float64]:
        return self.words + self.meaning

    def __getitem__(self, places: NDArray[np.integer] | NDArray[np.bool_]) -> "_Candidates":
        return _Candidates(self.rows[places], self.words[places], self.meaning[places], self.similarity[places])


class Engine:
    """Grows by `add`, `hide` and `drop`, in any order and repetition; answers `search`. Not safe across threads."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self._store = Store()
        self._words = Words()
        self._vectors = Column(np.int8, model.dimensions)
        self._squares = Column(np.int32)
        self._segments: set[str] = set()

    @property
    def segments(self) -> frozenset[str]:
        """The names of the segments that were added."""
        return frozenset(self._segments)

    @property
    def nbytes(self) -> int:
        """The memory that the index takes, as good as it can be told."""
        return self._store.nbytes + self._words.nbytes + self._vectors.nbytes + self._squares.nbytes

    @property
    def visible_rows(self) -> int:
        return int(np.count_nonzero(self._store.visible()))

    def add(self, name: str, segment: Segment) -> None:
        """Add a segment under its name. Raises `ModelMismatch` on vectors of another model."""
        if segment.model != self.model:
            raise ModelMismatch(f"the segment was made by {segment.model}, the index is of {self.model}")
        if name in self._segments:
            return
        rows = self._store.add(name, segment)
        taken = [segment.rows[row] for row in rows]
        self._words.add([terms(searchable_text(segment.sources[row.source], row)) for row in taken])
        vectors = segment.vectors[rows]
        self._vectors.extend(vectors)
        self._squares.extend(np.square(vectors, dtype=np.int32).sum(axis=1))
        self._segments.add(name)

    def hide(self, refs: Iterable[SourceRef]) -> None:
        """Apply tombstones."""
        self._store.hide(refs)

    def drop(self, owners: Iterable[str]) -> None:
        """Apply drops of projects and containers."""
        self._store.drop(owners)

    def search(self, query: Query, limit: int, after: Position | None = None) -> list[Hit]:
        """Return the best sources in order, one hit for each, continuing behind `after`."""
        found = self._score(query)
        ranked = self._rank(found)
        if after is not None:
            ranked = [entry for entry in ranked if entry[0].key > after.key]
        distinct = list(dict.fromkeys(terms(query.text)))
        weights = self._words.weights(distinct, self._store.visible()) if ranked else {}
        return [self._hit(position, found, place, more, weights) for position, place, more in ranked[:limit]]

    def _score(self, query: Query) -> _Candidates:
        """Score every visible row that passes the filters and keep the best `POOL`, with all equals of the last."""
        visible = self._store.visible()
        passing = self._store.matching(query.filters)
        rows = np.flatnonzero(visible if passing is None else visible & passing)
        words = self._words.score(terms(query.text), visible)[rows]
        if query.vector is None:
            rows, words = rows[words > 0], words[words > 0]
        similarity = None if query.vector is None else self._similarity(query.vector, rows)
        word_part, meaning_part = combine(words, similarity, query.meaning_weight)
        found = _Candidates(rows, word_part, meaning_part, np.zeros(len(rows)) if similarity is None else similarity)
        if len(rows) > POOL:
            found = found[_best(found.score, found.similarity)]
        return found

    def _similarity(self, vector: NDArray[np.int8], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the cosines of a vector and rows, from exact integer products. A zero vector is like nothing."""
        if not len(rows):
            return np.empty(0)
        if len(rows) < _SPARSE * len(self._store):
            products = _products(vector, self._vectors.array[rows])
        else:
            products = _products(vector, self._vectors.array)[rows]
        squares = self._squares.array[rows].astype(np.float64) * int(np.square(vector, dtype=np.int64).sum())
        return products / np.sqrt(np.maximum(squares, 1))

    def _rank(self, found: _Candidates) -> list[tuple[Position, int, int]]:
        """Return each source's best row as (position, place in `found`, further rows of the source), in order."""
        score = found.score
        documents = self._store.document(found.rows)
        order = np.lexsort((self._store.ordinal(found.rows), -found.similarity, -score))
        distinct, first, counts = np.unique(documents[order], return_index=True, return_counts=True)
        best = order[first]
        ranked = [
            (Position(a, b, self._store.source_id(document)), place, count - 1)
            for a, b, document, place, count in zip(
                score[best].tolist(),
                found.similarity[best].tolist(),
                distinct.tolist(),
                best.tolist(),
                counts.tolist(),
                strict=True,
            )
        ]
        return sorted(ranked, key=lambda entry: entry[0].key)

    def _hit(self, position: Position, found: _Candidates, place: int, more: int, weights: dict[str, float]) -> Hit:
        row = int(found.rows[place])
        info = self._store.info(int(self._store.document(found.rows[place : place + 1])[0]))
        start_line, end_line = self._store.lines(row)
        return Hit(
            position=position,
            words=float(found.words[place]),
            meaning=float(found.meaning[place]),
            info=info,
            ordinal=int(self._store.ordinal(found.rows[place : place + 1])[0]),
            start_line=start_line,
            end_line=end_line,
            context=self._store.context(row),
            excerpt=excerpt(self._store.text(row), weights, code=info.kind is Kind.CODE),
            more=more,
        )


def searchable_text(info: SourceInfo, row: Row) -> str:
    """Return what is searched by words for a chunk: its text, under its source's title and path and its context."""
    path = "" if info.path is None or info.path in info.title else info.path
    return "\n".join([info.title, path, *row.context, row.text])


def _products(vector: NDArray[np.int8], matrix: NDArray[np.int8]) -> NDArray[np.float64]:
    products = simsimd.cdist(vector.reshape(1, -1), np.ascontiguousarray(matrix), metric="inner")
    return np.asarray(products, np.float64).reshape(-1)


def _best(score: NDArray[np.float64], similarity: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the places of the best `POOL`; which of equals are among them does not depend on their order."""
    least = np.partition(score, -POOL)[-POOL]
    above, equal = np.flatnonzero(score > least), np.flatnonzero(score == least)
    wanted = POOL - len(above)
    if len(equal) > wanted:
        least_similar = np.partition(similarity[equal], -wanted)[-wanted]
        equal = equal[similarity[equal] >= least_similar]
    return np.concatenate([above, equal])
