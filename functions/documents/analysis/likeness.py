"""Whether two statements speak of the same thing, by their words and by their vectors.

Words alone cannot tell "The reporting database was migrated" from "migrate the billing database": nearly all of them
are shared. Nor can vectors: these two are nearer to each other than most pairs that say the same in other words.
Together they can. Bounds were set with `tests/unit/analysis/data/matters.json` and checked with the part of it that was
held back; figures are in docs/analysis.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from documents.analysis.terms import alike, content, stem

CONTAINED_COSINE, FEW_SHARED_COSINE, NEAR_COSINE = 0.65, 0.80, 0.85
"""How near the vectors of two statements must be: where one has no word of its own, where few are shared, and else."""
_FEW_SHARED = 0.5
_TIMES = """
    january february march april may june july august september october november december monday tuesday wednesday
    thursday friday saturday sunday today yesterday tomorrow week month quarter
    января февраля марта апреля мая июня июля августа сентября октября ноября декабря понедельник вторник среду четверг
    пятницу субботу воскресенье сегодня вчера завтра неделя неделе месяц
"""
_ENDS = """
    completed complete finished finish done ready successfully already meanwhile
    выполнено выполнена выполнен завершено завершена завершен закончено закончен готово готов готова сделано уже
"""
_TIME_TERMS = frozenset(map(stem, _TIMES.split()))
_END_TERMS = frozenset(map(stem, _ENDS.split()))


class MatchedBy(StrEnum):
    """What told that two statements speak of the same thing."""

    WORDS = "words"
    VECTORS = "vectors"


@dataclass(frozen=True)
class Said:
    """A statement as it is compared: its text, the terms of it, and those of who is named as doing it."""

    text: str
    who: str | None
    terms: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, text: str, who: str | None = None) -> "Said":
        return cls(text, who, content(text), content(who or ""))


def same_matter(promise: Said, later: Said, worth: Mapping[str, float], cosine: float | None) -> MatchedBy | None:
    """Tell by what a later statement is known to speak of a promise; None where it is not.

    `cosine` is None where vectors are not known: then one of the two must say nothing that the other does not.
    """
    if is_contained(promise, later):
        return MatchedBy.WORDS if cosine is None or cosine >= CONTAINED_COSINE else None
    if cosine is None or cosine < FEW_SHARED_COSINE or _are_two_persons(promise, later):
        return None
    few = alike(promise.terms, later.terms, worth) < _FEW_SHARED
    return MatchedBy.VECTORS if cosine >= (FEW_SHARED_COSINE if few else NEAR_COSINE) else None


def same_person(one: str, other: str) -> bool:
    """Tell whether two names may be of one person: one is part of the other."""
    a, b = (set(name.casefold().replace("@", " ").replace(".", " ").split()) for name in (one, other))
    return a <= b or b <= a


def _are_two_persons(promise: Said, later: Said) -> bool:
    return promise.who is not None and later.who is not None and not same_person(promise.who, later.who)


def is_contained(promise: Said, later: Said) -> bool:
    """Tell whether one of two statements has no words of its own but times, names, and that something is done."""
    shared = promise.terms & later.terms
    if len(shared) < 2 and promise.terms != later.terms:
        return False
    names = promise.names | later.names
    return bool(shared) and (
        not _own(promise.terms - shared, names) or not _own(later.terms - shared - _END_TERMS, names)
    )


def _own(terms: frozenset[str], names: frozenset[str]) -> bool:
    return any(term not in names and term not in _TIME_TERMS and not term[0].isdigit() for term in terms)
