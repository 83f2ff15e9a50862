"""What was promised in a project's documents and what became of it, by what later documents say.

`documents.analysis.likeness` tells which statements speak of the same thing: by words, and by vectors where these are
known. Of the promises that a statement may speak of, only those are looked at that share its rarest words or are
nearest.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from documents.analysis.likeness import MatchedBy, Said, is_contained, same_matter, same_person
from documents.analysis.model import ActionItem, TextSpan, WrittenDate
from documents.analysis.store import Statements
from documents.analysis.terms import alike, content, rarity

if TYPE_CHECKING:
    from documents.analysis.nearness import Nearness

_RAREST, _COMMON, _CANDIDATES, _NEAREST = 6, 150, 12, 8
"""Promises are looked up by so many of a statement's rarest terms, unless more promises than that have one, and the so
many that share most are compared, and so many of the nearest."""


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


class Later(NamedTuple):
    """What a later document says of a promise, and what told that it speaks of it."""

    says: CommitmentSays
    statement: Statement
    matched_by: MatchedBy


@dataclass
class Commitment:
    """A promise, and what later documents say of it, in their order."""

    what: str
    promised: Statement
    said: Said = field(repr=False)
    done_at_once: bool = False
    later: list[Later] = field(default_factory=list)
    status: CommitmentStatus = CommitmentStatus.OPEN

    @property
    def key(self) -> str:
        """What orders commitments: the document's date, the document, and the place in it."""
        told, span = self.promised.told, self.promised.span
        return f"{told.date}#{told.document_id}#{span.page:06d}#{span.start:08d}#{self.what[:40]}"


def derive(documents: Iterable[Told], codes: Mapping[bytes, bytes] | None = None) -> list[Commitment]:
    """Return the commitments of a project, given what its documents state, in order of their dates. Blocks.

    `codes` are an embedding model's, by the names of the statements' texts; words decide where there are none.
    """
    ordered = sorted(documents, key=lambda told: told.order)
    worth = rarity(content(text) for told in ordered for text in told.statements.texts())
    near = _nearness(ordered, codes) if codes else None
    promises = _Promises(worth, near)
    for told in ordered:
        _take(told, promises)
    last = ordered[-1].document_id if ordered else ""
    for each in promises.all:
        each.status = _status(each, is_last=each.promised.told.document_id == last)
    return sorted(promises.all, key=lambda each: each.key)


def _nearness(ordered: Sequence[Told], codes: Mapping[bytes, bytes]) -> "Nearness":
    # numpy comes with the first use, not with the import of the API.
    from documents.analysis.nearness import Nearness

    actions = [action.what for told in ordered for action in told.statements.actions]
    return Nearness(actions, (text for told in ordered for text in told.statements.texts()), codes)


def _take(told: Told, promises: "_Promises") -> None:
    """Hold what a document states against what was promised before, and take in what it promises itself."""
    found = told.statements
    fresh: list[Commitment | None] = []
    for action in found.actions:
        statement = Statement(told, action.spans[0], action.who, action.when)
        said, done = Said.of(action.what, action.who), _is_done(action)
        known = promises.like(said)
        if known is None:
            fresh.append(Commitment(action.what, statement, said, done_at_once=done))
        else:
            fresh.append(None)
            known.promise.later.append(Later(_says(known.promise, statement, done=done), statement, known.by))
    for update in found.updates:
        says = CommitmentSays.DONE if update.says == "done" else CommitmentSays.DROPPED
        _add(promises.like(Said.of(update.what, update.who)), says, Statement(told, update.spans[0], update.who))
    for decision in found.decisions:
        known = promises.like(Said.of(decision.what))
        _add(known, CommitmentSays.MENTIONED, Statement(told, decision.spans[0]))
    # Only now: a promise is not held against other lines of its own document, which may tell it twice.
    for commitment in fresh:
        promises.add(commitment)


def _add(known: "_Match | None", says: CommitmentSays, statement: Statement) -> None:
    """Add what is said of a promise, unless the same place said so already."""
    if known is None:
        return
    later = known.promise.later
    if not any(each.statement.told is statement.told and each.statement.span == statement.span for each in later):
        later.append(Later(says, statement, known.by))


def _says(known: Commitment, again: Statement, *, done: bool) -> CommitmentSays:
    if done:
        return CommitmentSays.DONE
    said = [known.promised, *(each.statement for each in known.later if each.says is not CommitmentSays.DROPPED)]
    before = next((each.when for each in reversed(said) if each.when), None)
    if before and again.when and _other(before, again.when):
        return CommitmentSays.OTHER_DATE
    owner = next((each.who for each in reversed(said) if each.who), None)
    if owner and again.who and not same_person(owner, again.who):
        return CommitmentSays.OTHER_OWNER
    ended = next((each.says for each in reversed(known.later) if each.says in _ENDS), None)
    if ended in (CommitmentSays.DONE, CommitmentSays.DROPPED) or (ended is None and known.done_at_once):
        return CommitmentSays.OPEN_AGAIN
    return CommitmentSays.MENTIONED


def _status(commitment: Commitment, *, is_last: bool) -> CommitmentStatus:
    ended = next((_ENDS[each.says] for each in reversed(commitment.later) if each.says in _ENDS), None)
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


class _Match(NamedTuple):
    promise: Commitment
    by: MatchedBy


class _Promises:
    """The commitments so far, found by their terms and by their vectors."""

    def __init__(self, worth: Mapping[str, float], nearness: "Nearness | None") -> None:
        self.all: list[Commitment] = []
        self._worth = worth
        self._nearness = nearness
        self._by_term: dict[str, list[int]] = {}
        self._actions: list[int | None] = []
        self._near = nearness.nearest() if nearness is not None else {}

    def add(self, commitment: Commitment | None) -> None:
        """Add the promise that an action makes; None for an action that speaks of one made before."""
        self._actions.append(None if commitment is None else len(self.all))
        if commitment is not None:
            for term in commitment.said.terms:
                self._by_term.setdefault(term, []).append(len(self.all))
            self.all.append(commitment)

    def like(self, said: Said) -> _Match | None:
        """Return the promise that a statement speaks of: the one most alike, of equals the latest."""
        best, found = 0.0, None
        near = self._nearest(said)
        for place in sorted({*near, *self._alike_most(said)}):
            candidate = self.all[place]
            if place not in near and not is_contained(candidate.said, said):
                continue
            cosine = self._nearness.cosine(said.text, candidate.said.text) if self._nearness is not None else None
            by = same_matter(candidate.said, said, self._worth, cosine)
            if by is not None:
                value = cosine if cosine is not None else alike(said.terms, candidate.said.terms, self._worth)
                if value >= best:
                    best, found = value, _Match(candidate, by)
        return found

    def _alike_most(self, said: Said) -> Sequence[int]:
        """Return the places of the promises that share most of the rarest terms."""
        rarest = sorted(said.terms, key=lambda term: (-self._worth.get(term, 0.0), term))[:_RAREST]
        shared: dict[int, float] = {}
        for term in rarest:
            places = self._by_term.get(term, ())
            if len(places) <= _COMMON:
                worth = self._worth.get(term, 1.0)
                for place in places:
                    shared[place] = shared.get(place, 0.0) + worth
        return heapq.nlargest(_CANDIDATES, shared, key=lambda place: shared[place])

    def _nearest(self, said: Said) -> frozenset[int]:
        """Return the places of the nearest promises."""
        so_far = (self._actions[action] for action in self._near.get(said.text, ()) if action < len(self._actions))
        return frozenset(islice((place for place in so_far if place is not None), _NEAREST))
