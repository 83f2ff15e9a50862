"""Search in a view: words and meaning over the rows that are visible, fused into one order.

The steps are apart so that shards can take them together: `statistics` of the query's terms add up over shards,
`candidates` are found with the sums, `rank` fuses candidates of any number of shards, `hits` shows those that were
chosen. A view answers like any other view of the same visible rows: same hits, same scores, same order. What is summed
over rows is a sum of integers, and each row's terms are added up in one order: from the rarest to the most frequent.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import simsimd
from numpy.typing import NDArray

from almanac.index import selection
from almanac.index.filters import Filters
from almanac.index.fusion import combine, is_lookup, share
from almanac.index.highlight import Excerpt, excerpt
from almanac.index.parts import Part
from almanac.index.selection import Phrases, Scope, count_doubtful, holds, select
from almanac.index.sources import Kind, SourceInfo
from almanac.index.visibility import Shown, View
from almanac.index.words import BLOCK, Block, term_hash
from almanac.text.tokenize import terms

POOL = 1000
"""How many of the best rows by words, and by meaning, are looked at for hits; paging ends with them."""
K1 = 1.2
B = 0.75
CONTEXT_JOINT = " > "
_SPARSE = 0.25
"""Below this share of rows, copying their vectors out is cheaper than comparing all."""
_FREQUENT = 4000
"""Only for a term with more postings than this is it worth while to find out whether it can be left for later."""

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


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
    """`vector` is the int8 embedding of `text`, None to search by words alone; `meaning_weight` is its share.

    Every one of `phrases` must occur word by word, none of `without` may. `explain` has hits tell about their terms.
    """

    text: str
    vector: NDArray[np.int8] | None
    meaning_weight: float
    filters: Filters = field(default_factory=Filters)
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    explain: bool = False

    @property
    def checked(self) -> Phrases:
        return Phrases(self.phrases, self.without)


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
                    counts[place] += _visible_postings(shown, block, found)
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
    scored = [_Scored(scope) for scope in scopes]
    rest = _score_words(scored, known, exhaustive=exhaustive)
    has_meaning = query.vector is not None and bool(query.vector.any())
    found = []
    for number, by_words in enumerate(scored):
        near: _Near | _Given | None = None
        if has_meaning and query.vector is not None:
            given = None if nearest is None else nearest[number]
            near = _Near(by_words.scope, query.vector) if given is None else _Given(by_words.scope, query.vector, given)
        rows = np.sort(by_words.rows) if near is None else _union(by_words.rows, near.best())
        words = by_words.scores[rows]
        for term in rest:
            words += _term_scores(by_words.scope.part, rows, term, known)
        similarity = np.full(len(rows), np.nan) if near is None else near.at(rows)
        found.append(_columns(by_words.scope.part, number, rows, words, similarity))
    return best(Candidates.joined(found) if found else _NONE)


def best(found: Candidates) -> Candidates:
    """Keep the best `POOL` by words and by meaning, with all equals of the last: whichever shards they came from."""
    by_words = found.words > 0
    by_words &= found.words >= _largest(found.words[by_words], POOL)
    embedded = ~np.isnan(found.similarity)
    near = embedded & (np.nan_to_num(found.similarity, nan=-2.0) >= _largest(found.similarity[embedded], POOL))
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
        parts = {term: float(_term_scores(part, at, term, known)[0]) for term in known.ordered}
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


class _Scored:
    """A scope's rows with their scores by words so far; `rows` are those that have one and may be among the best."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.scores = np.zeros(scope.part.rows)
        self.rows: Places = _EMPTY

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


def _score_words(scored: Sequence[_Scored], known: TermStatistics, *, exhaustive: bool) -> list[str]:
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


def _narrow(scored: Sequence[_Scored], rest: Sequence[str], bounds: Sequence[float], known: TermStatistics) -> None:
    """Give up the rows that are not among the best with the terms that are left. Scores stay as they are."""
    for one in scored:
        one.rows = np.sort(one.rows)
    whole = [one.scores[one.rows] for one in scored]
    for place, term in enumerate([*rest, None]):
        # The little less is for rounding: bounds and scores are added up in different orders.
        least = (_largest(np.concatenate(whole), POOL) - math.fsum(bounds[place:])) * (1 - 1e-9)
        for number, one in enumerate(scored):
            kept = whole[number] >= least
            one.rows, whole[number] = one.rows[kept], whole[number][kept]
            if term is not None:
                whole[number] += _term_scores(one.scope.part, one.rows, term, known)


def _last_of_best(scored: Sequence[_Scored]) -> float:
    """Return the score of the last that is among the best `POOL` now."""
    return _largest(np.concatenate([one.scores[one.rows] for one in scored] or [np.empty(0)]), POOL)


def _term_scores(part: Part, rows: Places, term: str, known: TermStatistics) -> Floats:
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


def _visible_postings(shown: Shown, block: Block, found: slice) -> int:
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


class _Near:
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
        least = _largest(self._all, POOL)
        places = np.flatnonzero(self._all >= least if least > -np.inf else self._all > -np.inf)
        return places if self._rows is None else self._rows[places]

    def at(self, rows: Places) -> Floats:
        """Return the similarities of some rows of the scope; NaN where there is no vector."""
        places = rows if self._rows is None else np.searchsorted(self._rows, rows)
        found = self._all[places]
        found[found == -np.inf] = np.nan
        return found


class _Given:
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


def _largest(values: Floats, count: int) -> float:
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


def _union(left: Places, right: Places) -> Places:
    both = np.sort(np.concatenate([left, right]))
    distinct: Places = both[np.concatenate([both[:1] == both[:1], both[1:] != both[:-1]])]
    return distinct


_EMPTY = np.empty(0, np.int64)
_NONE = Candidates(
    _EMPTY, _EMPTY, _EMPTY, np.empty(0, np.uint64), np.empty(0, np.uint64), _EMPTY, np.empty(0), np.empty(0)
)
