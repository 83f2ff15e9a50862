"""What was promised in a project's documents and what became of it, by what later documents say.

Statements are held to speak of the same thing when they share enough of what is worth something in their words: the
rarer a word among the project's statements, the more. No model takes part, so what says the same in other words is
not recognised; figures are in docs/analysis.md.
"""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from documents.analysis.model import ActionItem, TextSpan, WrittenDate
from documents.analysis.store import Statements
from documents.analysis.terms import alike, content, rarity

SAME_PROMISE, SAME_MATTER = 0.6, 0.55
_OTHER_OWNER = 0.75
_RAREST, _COMMON, _CANDIDATES = 6, 150, 12
"""Promises are looked up by so many of a statement's rarest terms, unless more promises than that have one, and the so
many that share most are compared."""


class CommitmentStatus(StrEnum):
    """What became of a promise. `stale`: there are later documents, and none speaks of it."""

    OPEN = "open"
    CLOSED = "closed"
    CONTRADICTED = "contradicted"
    STALE = "stale"


class CommitmentSays(StrEnum):
    """What a later document says of a promise."""

    MENTIONED = "mentioned"
    DONE = "done"
    OTHER_DATE = "other_date"
    OTHER_OWNER = "other_owner"
    DROPPED = "dropped"
    OPEN_AGAIN = "open_again"


_ENDS = {
    CommitmentSays.DONE: CommitmentStatus.CLOSED,
    CommitmentSays.OTHER_DATE: CommitmentStatus.CONTRADICTED,
    CommitmentSays.OTHER_OWNER: CommitmentStatus.CONTRADICTED,
    CommitmentSays.DROPPED: CommitmentStatus.CONTRADICTED,
    CommitmentSays.OPEN_AGAIN: CommitmentStatus.CONTRADICTED,
}


@dataclass(frozen=True)
class Told:
    """What one document states. `date` is its own date, else the day when its version arrived."""

    document_id: str
    title: str
    version: int
    statements: Statements

    @property
    def date(self) -> str:
        own = self.statements.document_date
        return (own.date if own and own.date else None) or self.statements.written_at[:10]

    @property
    def order(self) -> tuple[str, str, str]:
        return self.date, self.statements.written_at, self.document_id


@dataclass(frozen=True)
class Statement:
    """Where something is said: the document as it was dated, and the quote."""

    told: Told
    span: TextSpan
    who: str | None = None
    when: WrittenDate | None = None


@dataclass
class Commitment:
    """A promise, and what later documents say of it, in their order."""

    what: str
    promised: Statement
    terms: frozenset[str] = field(repr=False)
    done_at_once: bool = False
    later: list[tuple[CommitmentSays, Statement]] = field(default_factory=list)
    status: CommitmentStatus = CommitmentStatus.OPEN

    @property
    def key(self) -> str:
        """What orders commitments: the document's date, the document, and the place in it."""
        told, span = self.promised.told, self.promised.span
        return f"{told.date}#{told.document_id}#{span.page:06d}#{span.start:08d}#{self.what[:40]}"


def derive(documents: Iterable[Told]) -> list[Commitment]:
    """Return the commitments of a project, given what its documents state, in order of their dates. Blocks."""
    ordered = sorted(documents, key=lambda told: told.order)
    bags = (content(text) for told in ordered for text in _texts(told))
    promises = _Promises(rarity(bags))
    for told in ordered:
        _take(told, promises)
    last = ordered[-1].document_id if ordered else ""
    for each in promises.all:
        each.status = _status(each, is_last=each.promised.told.document_id == last)
    return sorted(promises.all, key=lambda each: each.key)


def _take(told: Told, promises: "_Promises") -> None:
    """Hold what a document states against what was promised before, and take in what it promises itself."""
    found = told.statements
    fresh: list[Commitment] = []
    for action in found.actions:
        statement = Statement(told, action.spans[0], action.who, action.when)
        terms, done = content(action.what), _is_done(action)
        known = promises.like(terms, SAME_PROMISE, action.who)
        if known is None:
            fresh.append(Commitment(action.what, statement, terms, done_at_once=done))
        else:
            known.later.append((_says(known, statement, done=done), statement))
    for update in found.updates:
        known = promises.like(content(update.what), SAME_MATTER, update.who)
        if known is not None:
            says = CommitmentSays.DONE if update.says == "done" else CommitmentSays.DROPPED
            _add(known, says, Statement(told, update.spans[0], update.who))
    for decision in found.decisions:
        known = promises.like(content(decision.what), SAME_MATTER, None)
        if known is not None:
            _add(known, CommitmentSays.MENTIONED, Statement(told, decision.spans[0]))
    # Only now: a promise is not held against other lines of its own document, which may tell it twice.
    for commitment in fresh:
        promises.add(commitment)


def _add(commitment: Commitment, says: CommitmentSays, statement: Statement) -> None:
    """Add what is said, unless the same place said so already."""
    if not any(other.told is statement.told and other.span == statement.span for _, other in commitment.later):
        commitment.later.append((says, statement))


def _says(known: Commitment, again: Statement, *, done: bool) -> CommitmentSays:
    if done:
        return CommitmentSays.DONE
    said = [known.promised, *(statement for says, statement in known.later if says is not CommitmentSays.DROPPED)]
    before = next((each.when for each in reversed(said) if each.when), None)
    if before and again.when and _other(before, again.when):
        return CommitmentSays.OTHER_DATE
    owner = next((each.who for each in reversed(said) if each.who), None)
    if owner and again.who and not same_person(owner, again.who):
        return CommitmentSays.OTHER_OWNER
    ended = next((says for says, _ in reversed(known.later) if says in _ENDS), None)
    if ended in (CommitmentSays.DONE, CommitmentSays.DROPPED) or (ended is None and known.done_at_once):
        return CommitmentSays.OPEN_AGAIN
    return CommitmentSays.MENTIONED


def _status(commitment: Commitment, *, is_last: bool) -> CommitmentStatus:
    ended = next((_ENDS[says] for says, _ in reversed(commitment.later) if says in _ENDS), None)
    if ended is not None:
        return ended
    if commitment.done_at_once:
        return CommitmentStatus.CLOSED
    return CommitmentStatus.OPEN if commitment.later or is_last else CommitmentStatus.STALE


def _is_done(action: ActionItem) -> bool:
    state = (action.state or "").casefold()
    if state == "x" or state.startswith("✓"):
        return True
    # The expressions take a while to compile: not with the import of the API.
    from documents.analysis import cues

    text = f"is {state}"
    ended = bool(state) and cues.DONE.search(text) is not None
    return ended and cues.NOT_DONE.search(text) is None and cues.DROPPED.search(text) is None


def _other(one: WrittenDate, other: WrittenDate) -> bool:
    """Tell whether two dates differ: as days where both are known, else as they are written."""
    if one.date and other.date:
        return not (one.date.startswith(other.date) or other.date.startswith(one.date))
    return False


def same_person(one: str, other: str) -> bool:
    """Tell whether two names may be of one person: one is part of the other."""
    a, b = (set(name.casefold().replace("@", " ").replace(".", " ").split()) for name in (one, other))
    return a <= b or b <= a


class _Promises:
    """The commitments so far, found by their terms."""

    def __init__(self, worth: dict[str, float]) -> None:
        self.all: list[Commitment] = []
        self._worth = worth
        self._by_term: dict[str, list[int]] = {}

    def add(self, commitment: Commitment) -> None:
        for term in commitment.terms:
            self._by_term.setdefault(term, []).append(len(self.all))
        self.all.append(commitment)

    def like(self, terms: frozenset[str], least: float, who: str | None) -> Commitment | None:
        """Return the promise that speaks of the same, of equals the latest; another's must be the more alike."""
        best, found = 0.0, None
        for candidate in self._candidates(terms):
            shared = terms & candidate.terms
            if len(shared) < 2 and not (terms == candidate.terms and shared):
                continue
            value = alike(terms, candidate.terms, self._worth)
            owner = candidate.promised.who
            needed = max(least, _OTHER_OWNER) if who and owner and not same_person(who, owner) else least
            if value >= needed and value >= best:
                best, found = value, candidate
        return found

    def _candidates(self, terms: frozenset[str]) -> Sequence[Commitment]:
        """Return the promises that share most of the rarest terms, in the order in which they were made."""
        rarest = sorted(terms, key=lambda term: (-self._worth.get(term, 0.0), term))[:_RAREST]
        shared: dict[int, float] = {}
        for term in rarest:
            places = self._by_term.get(term, ())
            if len(places) <= _COMMON:
                worth = self._worth.get(term, 1.0)
                for place in places:
                    shared[place] = shared.get(place, 0.0) + worth
        return [
            self.all[place] for place in sorted(heapq.nlargest(_CANDIDATES, shared, key=lambda place: shared[place]))
        ]


def _texts(told: Told) -> Iterable[str]:
    found = told.statements
    return (each.what for each in (*found.actions, *found.updates, *found.decisions))
