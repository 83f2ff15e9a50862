"""Search in a view: words and meaning over the rows that are visible, fused into one order.

The steps are apart so that shards can take them together: `statistics` of the query's terms add up over shards,
`candidates` are found with the sums, `rank` fuses candidates of any number of shards, `hits` shows those that were
chosen. A view answers like any other view of the same visible rows: same hits, same scores, same order. What is summed
over rows is a sum of integers, and each row's terms are added up in one order: from the rarest to the most frequent.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from almanac.index import pool, selection
from almanac.index.bm25 import K1, Scored, TermStatistics, score_words, term_scores, visible_postings
from almanac.index.filters import Filters
from almanac.index.fusion import combine, is_lookup, share
from almanac.index.highlight import Excerpt, excerpt
from almanac.index.nearness import Given, Near, Vector
from almanac.index.parts import Part
from almanac.index.pool import NOWHERE, Floats, Places, largest, ordered
from almanac.index.selection import Phrases, count_doubtful, holds, select
from almanac.index.sources import Kind, SourceInfo
from almanac.index.visibility import View
from almanac.index.words import term_hash
from almanac.text.tokenize import terms

CONTEXT_JOINT = " > "


class Position(NamedTuple):
    """A hit's place in the order of hits: by score, then by similarity (both falling), then by source."""

    score: float
    similarity: float
    source: str

    @property
    def key(self) -> tuple[float, float, str]:
        return (-self.score, -self.similarity, self.source)


@dataclass(frozen=True)
class Query:
    """`vector` is the embedding of `text`, None to search by words alone; `meaning_weight` is its share.

    Every one of `phrases` must occur word by word, none of `without` may. `explain` has hits tell about their terms.
    """

    text: str
    vector: Vector | None
    meaning_weight: float
    filters: Filters = field(default_factory=Filters)
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    explain: bool = False

    @property
    def checked(self) -> Phrases:
        return Phrases(self.phrases, self.without)


@dataclass(frozen=True)
class Candidates:
    """Rows in question: where they lie, and their exact scores. `similarity` is NaN for a row without a vector.

    `shard` tells candidates of several views apart; `high` and `low` are the source's key.
    """

    shard: Places
    part: Places
    row: Places
    high: NDArray[np.uint64]
    low: NDArray[np.uint64]
    ordinal: Places
    words: Floats
    similarity: Floats

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, places: NDArray[np.integer] | NDArray[np.bool_]) -> "Candidates":
        return Candidates(*(getattr(self, name)[places] for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, several: Sequence["Candidates"]) -> "Candidates":
        """Put candidates of several shards together; `shard` is their place in the sequence."""
        marked = [
            Candidates(np.full(len(one), number), *(getattr(one, name) for name in list(cls.__dataclass_fields__)[1:]))
            for number, one in enumerate(several)
        ]
        return cls(*(np.concatenate([getattr(one, name) for one in marked]) for name in cls.__dataclass_fields__))


@dataclass(frozen=True)
class Ranked:
    """A source in the order of hits: its best row, a place among the candidates, and how many `more` it has there.

    `weight` is how much meaning counted in this answer.
    """

    position: Position
    place: int
    words: float
    meaning: float
    more: int
    weight: float


@dataclass(frozen=True)
class Explanation:
    """How a score came about. `terms` are the parts of `bm25`; `cosine` is None where there is no vector.

    The weights are the most that either side could add to the score.
    """

    bm25: float
    cosine: float | None
    words_weight: float
    meaning_weight: float
    terms: Mapping[str, float] = field(default_factory=dict)

    @property
    def embedded(self) -> bool:
        return self.cosine is not None


@dataclass(frozen=True)
class Hit:
    """The best chunk of a source. `words + meaning` is the score; `more` chunks of the source are candidates too.

    `start_line` and `end_line` are the chunk's, from 1, 0 where lines mean nothing.
    """

    position: Position
    words: float
    meaning: float
    parts: Explanation
    info: SourceInfo
    ordinal: int
    start_line: int
    end_line: int
    context: str
    text: str
    excerpt: Excerpt
    more: int


def search(
    view: View, query: Query, limit: int, after: Position | None = None, *, exhaustive: bool = False
) -> list[Hit]:
    """Return the best sources in order, one hit for each, continuing behind `after`.

    `exhaustive` scores every row for every term: the same answer by the longest way.
    """
    known = statistics(view, query)
    found = candidates(view, query, known, exhaustive=exhaustive)
    return hits(view, query, known, found, rank(query, known, found, after), limit)


def statistics(view: View, query: Query) -> TermStatistics:
    """Count what a query's terms need, over all visible rows: filters do not change what a word is worth."""
    wanted = list(dict.fromkeys(terms(query.text)))
    hashes = np.array([term_hash(term) for term in wanted], np.uint64)
    counts = np.zeros(len(wanted), np.int64)
    for shown in view.shown:
        for block in shown.part.blocks:
            for place, found in enumerate(block.find(hashes)):
                if found is not None:
                    counts[place] += visible_postings(shown, block, found)
    doubtful = count_doubtful(view, query.filters, query.checked)
    return TermStatistics(view.rows, view.length, dict(zip(wanted, counts.tolist(), strict=True)), doubtful)


def candidates(
    view: View,
    query: Query,
    known: TermStatistics,
    *,
    exhaustive: bool = False,
    nearest: Sequence[Places | None] | None = None,
) -> Candidates:
    """Return the best `POOL` rows by words and the best by meaning, each with all equals of the last.

    `nearest` gives rows of a part that were found to be near elsewhere: its vectors are then not searched, and these
    rows are scored as exactly as all others. None for a part is to search it here.
    """
    scopes = select(view, query.filters, query.checked, known.doubtful)
    scored = [Scored(scope) for scope in scopes]
    rest = score_words(scored, known, exhaustive=exhaustive)
    has_meaning = query.vector is not None and bool(query.vector.any())
    found = []
    for number, by_words in enumerate(scored):
        near: Near | Given | None = None
        if has_meaning and query.vector is not None:
            given = None if nearest is None else nearest[number]
            near = Near(by_words.scope, query.vector) if given is None else Given(by_words.scope, query.vector, given)
        rows = ordered(by_words.scope.part.rows, by_words.rows, *([] if near is None else [near.best()]))
        words = by_words.scores[rows]
        for term in rest:
            words += term_scores(by_words.scope.part, rows, term, known)
        similarity = np.full(len(rows), np.nan) if near is None else near.at(rows)
        found.append(_columns(by_words.scope.part, number, rows, words, similarity))
    return best(Candidates.joined(found) if found else _NONE)


def best(found: Candidates) -> Candidates:
    """Keep the best `POOL` by words and by meaning, with all equals of the last: whichever shards they came from."""
    by_words = found.words > 0
    by_words &= found.words >= largest(found.words[by_words], pool.POOL)
    embedded = ~np.isnan(found.similarity)
    near = embedded & (np.nan_to_num(found.similarity, nan=-2.0) >= largest(found.similarity[embedded], pool.POOL))
    return found[np.flatnonzero(by_words | near)]


def rank(query: Query, known: TermStatistics, found: Candidates, after: Position | None = None) -> Iterator[Ranked]:
    """Fuse the scores of candidates and yield each source's best row, in order."""
    if not len(found):
        return
    similarity = None if np.isnan(found.similarity).all() else found.similarity
    weight = 0.0
    if similarity is not None:
        ideal = (K1 + 1) * math.fsum(known.weight(term) for term in known.frequencies)
        weight = share(found.words, similarity, query.meaning_weight, ideal, lookup=is_lookup(query.text))
    words, meaning = combine(found.words, similarity, weight)
    score, near = words + meaning, np.nan_to_num(found.similarity, nan=0.0)
    order = np.lexsort((found.ordinal, found.low, found.high, -near, -score))
    firsts, more = _distinct(found.high[order], found.low[order])
    for place, others in zip(order[firsts].tolist(), more.tolist(), strict=True):
        source = f"{int(found.high[place]):016x}{int(found.low[place]):016x}"
        position = Position(float(score[place]), float(near[place]), source)
        if after is None or position.key > after.key:
            yield Ranked(position, place, float(words[place]), float(meaning[place]), others, weight)


def _distinct(high: NDArray[np.uint64], low: NDArray[np.uint64]) -> tuple[Places, Places]:
    """Return where each source comes first, in order, and how often it comes again."""
    order = np.lexsort((low, high))
    high, low = high[order], low[order]
    starts = np.flatnonzero(np.concatenate([[True], (high[1:] != high[:-1]) | (low[1:] != low[:-1])]))
    # The sort is stable, so the first of each run is the first of all.
    firsts, more = order[starts], np.diff([*starts, len(order)]) - 1
    again = np.argsort(firsts)
    return firsts[again], more[again]


def hits(
    view: View, query: Query, known: TermStatistics, found: Candidates, ranked: Iterable[Ranked], limit: int
) -> list[Hit]:
    """Show the first `limit` sources that hold the query's phrases."""
    unread = known.doubtful > selection.PHRASE_ROWS
    weights = {term: known.weight(term) for term in dict.fromkeys(terms(query.text))}
    shown: list[Hit] = []
    for entry in ranked:
        part, row = view.parts[int(found.part[entry.place])], int(found.row[entry.place])
        if unread and not holds(part, row, query.checked):
            continue
        shown.append(_hit(part, row, query, known, found, entry, weights))
        if len(shown) == limit:
            break
    return shown


def _hit(
    part: Part,
    row: int,
    query: Query,
    known: TermStatistics,
    found: Candidates,
    entry: Ranked,
    weights: Mapping[str, float],
) -> Hit:
    info = part.info(int(part.row_documents[row]))
    text, context = part.text(row)
    ordinal, start_line, end_line = part.row_places[row].tolist()
    cosine = float(found.similarity[entry.place])
    parts = {}
    if query.explain:
        at = np.array([row])
        parts = {term: float(term_scores(part, at, term, known)[0]) for term in known.ordered}
    return Hit(
        position=entry.position,
        words=entry.words,
        meaning=entry.meaning,
        parts=Explanation(
            float(found.words[entry.place]),
            None if math.isnan(cosine) else cosine,
            1.0 if math.isnan(cosine) else 1 - entry.weight,
            0.0 if math.isnan(cosine) else entry.weight,
            {term: value for term, value in parts.items() if value},
        ),
        info=info,
        ordinal=ordinal,
        start_line=start_line,
        end_line=end_line,
        context=CONTEXT_JOINT.join(context),
        text=text,
        excerpt=excerpt(text, weights, code=info.kind is Kind.CODE),
        more=entry.more,
    )


def _columns(part: Part, number: int, rows: Places, words: Floats, similarity: Floats) -> Candidates:
    documents = part.row_documents[rows]
    return Candidates(
        shard=np.zeros(len(rows), np.int64),
        part=np.full(len(rows), number, np.int64),
        row=rows.astype(np.int64),
        high=part.key_high[documents],
        low=part.key_low[documents],
        ordinal=part.row_places[rows, 0].astype(np.int64),
        words=words,
        similarity=similarity,
    )


_NONE = Candidates(
    NOWHERE, NOWHERE, NOWHERE, np.empty(0, np.uint64), np.empty(0, np.uint64), NOWHERE, np.empty(0), np.empty(0)
)
