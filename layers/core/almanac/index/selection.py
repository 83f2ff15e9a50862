"""Which rows of a view a query may find: those that are visible, pass its filters and hold its phrases.

All of it is decided before anything is scored, so that a rare filter still fills a page.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from almanac.index.filters import Filters, compile_glob, microseconds
from almanac.index.parts import KINDS, NO_TIME, Part
from almanac.index.segments import searchable_text
from almanac.index.sources import Kind
from almanac.index.visibility import Mask, View
from almanac.index.words import BLOCK, term_hash
from almanac.text.tokenize import whole_words

PHRASE_ROWS = 2000
"""So many rows with all words of a phrase are read to see whether it is there; of more, only those that rank high.

Rows are counted over the whole index: an answer must not depend on how rows are spread over parts and shards.
"""
_GLOBS_KEPT = 32


@dataclass(frozen=True)
class Phrases:
    """`wanted` must occur word by word in a row, `unwanted` must not."""

    wanted: tuple[str, ...] = ()
    unwanted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.wanted or self.unwanted)


@dataclass(frozen=True)
class Scope:
    """The rows of one part that may be found, None for all. Of these, `doubtful` must be read to tell."""

    part: Part
    rows: Mask | None
    doubtful: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def count(self) -> int:
        return self.part.rows if self.rows is None else int(np.count_nonzero(self.rows))


def count_doubtful(view: View, filters: Filters, phrases: Phrases) -> int:
    """Return in how many rows only reading tells whether they hold the phrases."""
    return sum(len(scope.doubtful) for scope in _scopes(view, filters, phrases)) if phrases else 0


def select(view: View, filters: Filters, phrases: Phrases, doubtful: int) -> list[Scope]:
    """Return what may be found of each part. Of more than `PHRASE_ROWS` rows that are `doubtful` in all, none is read.

    Then they stay in, and `holds` tells of those that are to be shown.
    """
    scopes = _scopes(view, filters, phrases)
    return scopes if doubtful > PHRASE_ROWS else [_read(scope, phrases) for scope in scopes]


def _scopes(view: View, filters: Filters, phrases: Phrases) -> list[Scope]:
    scopes = []
    for shown in view.shown:
        matching = _matching(shown.part, filters)
        rows = shown.rows
        if matching is not None:
            passing = matching[shown.part.row_documents]
            rows = passing if rows is None else rows & passing
        scopes.append(_with_phrases(Scope(shown.part, rows), phrases))
    return scopes


def holds(part: Part, row: int, phrases: Phrases) -> bool:
    """Tell whether a row has every phrase that is wanted and none that is not."""
    text = _spelled(searchable_text(part.info(int(part.row_documents[row])), part.row(row)))
    wanted = all(_spelled(phrase) in text for phrase in phrases.wanted)
    return wanted and not any(_spelled(phrase) in text for phrase in phrases.unwanted)


def _spelled(text: str) -> str:
    return "\0" + "\0".join(whole_words(text)) + "\0"


def _with_phrases(scope: Scope, phrases: Phrases) -> Scope:
    if not phrases:
        return scope
    part = scope.part
    rows = np.ones(part.rows, np.bool_) if scope.rows is None else scope.rows.copy()
    for phrase in phrases.wanted:
        rows &= _with_all(part, whole_words(phrase))
    suspects = np.zeros(part.rows, np.bool_)
    for phrase in phrases.unwanted:
        words = whole_words(phrase)
        if len(words) == 1:
            rows &= ~_with_all(part, words)
        else:
            suspects |= _with_all(part, words)
    several = any(len(whole_words(phrase)) > 1 for phrase in phrases.wanted)
    return Scope(part, rows, np.flatnonzero(rows if several else rows & suspects))


def _read(scope: Scope, phrases: Phrases) -> Scope:
    if not len(scope.doubtful) or scope.rows is None:
        return scope
    rows = scope.rows.copy()
    for row in scope.doubtful.tolist():
        rows[row] = holds(scope.part, row, phrases)
    return Scope(scope.part, rows)


def _with_all(part: Part, words: Sequence[str]) -> Mask:
    """Return the rows with all of the words. A text without words is in no row."""
    rows = np.full(part.rows, bool(words))
    hashes = np.array([term_hash(word) for word in dict.fromkeys(words)], np.uint64)
    for block in part.blocks:
        end = min(block.first + BLOCK, part.rows)
        for found in block.find(hashes):
            having = np.zeros(end - block.first, np.bool_)
            if found is not None:
                having[block.rows[found]] = True
            rows[block.first : end] &= having
    return rows


def _matching(part: Part, filters: Filters) -> Mask | None:
    """Return for each document whether it passes the filters; None when there are none."""
    tests: list[Mask] = []
    if filters.projects:
        tests.append(_named(part, "owners", "projects", filters.projects.__contains__))
    if filters.containers:
        tests.append(_named(part, "owners", "containers", filters.containers.__contains__))
    if filters.groups:
        tests.append(_named(part, "owners", "groups", filters.groups.__contains__))
    tests += _wanted(filters.kinds, filters.without_kinds, lambda kinds: _of_kinds(part, kinds))
    tests += _wanted(filters.languages, filters.without_languages, lambda names: _of_languages(part, names))
    tests += _wanted(filters.authors, filters.without_authors, lambda pieces: _by_authors(part, pieces))
    tests += _wanted(filters.paths, filters.without_paths, lambda globs: _under_paths(part, globs))
    times = part.column("times")
    if filters.since is not None:
        tests.append(times >= microseconds(filters.since))
    if filters.until is not None:
        tests.append((times < microseconds(filters.until)) & (times != NO_TIME))
    tests += [mask for mask in (_matching(part, other) for other in filters.also) if mask is not None]
    return np.logical_and.reduce(tests) if tests else None


def _wanted(wanted: Collection[Any], unwanted: Collection[Any], test: Callable[[Any], Mask]) -> list[Mask]:
    return ([test(wanted)] if wanted else []) + ([~test(unwanted)] if unwanted else [])


def _of_kinds(part: Part, kinds: Collection[Kind]) -> Mask:
    return np.isin(part.column("kinds"), [KINDS[kind] for kind in kinds])


def _of_languages(part: Part, languages: Collection[str]) -> Mask:
    return _named(part, "languages", "languages", {language.casefold() for language in languages}.__contains__)


def _by_authors(part: Part, pieces: Collection[str]) -> Mask:
    folded = [piece.casefold() for piece in pieces]
    return _named(part, "authors", "authors", lambda name: any(piece in name for piece in folded))


def _under_paths(part: Part, globs: Collection[str]) -> Mask:
    found: Mask = np.logical_or.reduce([_matching_paths(part, glob) for glob in globs])
    return found


def _named(part: Part, table: str, column: str, test: Callable[[str], bool]) -> Mask:
    """Return whether each document's name passes; one without a name does not."""
    return _at([test(name) for name in part.names(table)], part.column(column))


def _matching_paths(part: Part, glob: str) -> Mask:
    kept = _globs.setdefault(part, {})
    known = kept.pop(glob, None)
    if known is None:
        matches = compile_glob(glob).fullmatch
        known = np.array([matches(path) is not None for path in part.names("paths")], np.bool_)
    kept[glob] = known
    while len(kept) > _GLOBS_KEPT:
        del kept[next(iter(kept))]
    return _at(known, part.column("paths"))


_globs: WeakKeyDictionary[Part, dict[str, Mask]] = WeakKeyDictionary()


def _at(chosen: Iterable[bool], column: NDArray[np.int32]) -> Mask:
    """Return whether each document's name is chosen; the place after the last stands for having none."""
    answer: Mask = np.append(np.array(list(chosen), np.bool_), False)[column]
    return answer
