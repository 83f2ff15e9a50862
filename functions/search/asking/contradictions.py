"""Where sources contradict each other about a question: both sides, side by side, neither preferred.

Two quotes contradict each other when they stand in different documents (or messages, or pages of prose in a
repository), answer the question by the same of its words, are about the same in their other words, and state different
quantities, dates, denials or people in charge. That is judged by rules: see `facts`. A language model may name further
pairs; each side of them is checked as its sentences are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

from almanac.index.sources import Kind
from search.asking.extract import Question, Scored
from search.asking.facts import MEASURES, Facts, differing, facts_of
from search.asking.passages import Draft, Quote
from search.asking.questions import content_terms, content_words
from search.asking.spans import Form

MOST = 3
MOST_STATEMENTS = 4
LEAST_ABOUT = 0.5
LEAST_ABOUT_DENIED = 0.6
"""Which share of their words two sentences must have in common: of the shorter one, and of the longer where the only
difference is a denial."""
LEAST_ASKED = 0.7
"""Which share of the question's words that either speaks of, both must."""
_NAMED = 6
_PROSE = frozenset({None, "markdown", "text"})
_OTHER = "other"


@dataclass(frozen=True)
class Contradiction:
    """`about` are the words that the statements share; `differs` says in what they cannot all be right."""

    about: str
    differs: tuple[str, ...]
    statements: tuple[Draft, ...]


@dataclass(frozen=True)
class _Statement:
    """A quote, and of which of the question's words it speaks."""

    quote: Quote
    asked: frozenset[str]

    @cached_property
    def facts(self) -> Facts:
        return facts_of(self.quote.plain)

    @cached_property
    def about(self) -> frozenset[str]:
        """The words that say what it is about; figures say what is said of it."""
        found = content_terms(self.quote.plain)
        return frozenset(term for term in found if term not in MEASURES and not any(map(str.isdigit, term)))

    @property
    def origin(self) -> str:
        return origin_of(self.quote)


def origin_of(quote: Quote) -> str:
    """Return what a quote is of: pages of one document cannot contradict another document twice."""
    info = quote.passage.info
    return (info.group_id if info is not None else None) or quote.passage.source_id


def found_in(question: Question, scored: Iterable[Scored]) -> list[Contradiction]:
    """Return the contradictions among the quotes that are relevant to a question, the most relevant first."""
    statements = [_statement(question, each.quote) for each in scored if each.is_relevant and _is_prose(each.quote)]
    pairs = [
        (one, other, ways)
        for one, other in combinations(statements, 2)
        if one.origin != other.origin and (ways := _ways(one, other))
    ]
    return [_contradiction(group, ways) for group, ways in _groups(pairs)][:MOST]


def claimed(question: Question, pairs: Iterable[Sequence[Draft]]) -> list[Contradiction]:
    """Return what a model named, given its statements after they were checked; those of one origin are none."""
    found = []
    for drafts in pairs:
        statements = [_statement(question, draft.quotes[0]) for draft in drafts[:MOST_STATEMENTS]]
        texts = {statement.quote.plain.casefold() for statement in statements}
        shared = frozenset.intersection(*(each.about for each in statements)) if statements else frozenset()
        if len({each.origin for each in statements}) < 2 or len(texts) < 2 or not shared:
            continue
        ways = sorted({way for one, other in combinations(statements, 2) for way in differing(one.facts, other.facts)})
        found.append(_contradiction(statements, ways or [_OTHER]))
    return found


def joined(several: Iterable[Contradiction]) -> list[Contradiction]:
    """Return contradictions without those whose quotes another one has as well, the first ones first."""
    kept: list[Contradiction] = []
    for each in several:
        mine = _keys(each)
        if not any(mine <= _keys(other) for other in kept):
            kept.append(each)
    return kept[:MOST]


def contradict(one: Quote, other: Quote) -> bool:
    """Tell whether two quotes that are alike in their words say different things, wherever they stand."""
    mine, theirs = (_Statement(quote, frozenset()) for quote in (one, other))
    return bool(differing(mine.facts, theirs.facts))


def standing(found: Iterable[Contradiction], drafts: Sequence[Draft]) -> list[Contradiction]:
    """Return what is left of contradictions when only these drafts hold."""
    held = {(draft.quotes[0].passage.key, draft.quotes[0].start): draft for draft in drafts}
    left = []
    for each in found:
        places = ((draft.quotes[0].passage.key, draft.quotes[0].start) for draft in each.statements)
        statements = tuple(held[place] for place in places if place in held)
        if len({origin_of(draft.quotes[0]) for draft in statements}) > 1:
            left.append(Contradiction(each.about, each.differs, statements))
    return left


def _ways(one: _Statement, other: _Statement) -> list[str]:
    either, both = one.asked | other.asked, one.asked & other.asked
    if not both or len(both) < LEAST_ASKED * len(either):
        return []
    shared = one.about & other.about
    shorter, longer = sorted((len(one.about), len(other.about)))
    if not shared or len(shared) < LEAST_ABOUT * shorter or (len(shared) == 1 and longer > 1):
        return []
    ways = differing(one.facts, other.facts)
    # Much is said and denied in passing: only of two sentences that are otherwise one is it a contradiction.
    if len(shared) < LEAST_ABOUT_DENIED * longer:
        ways = [way for way in ways if way != "denial"]
    return ways


def _groups(pairs: Sequence[tuple[_Statement, _Statement, list[str]]]) -> list[tuple[list[_Statement], list[str]]]:
    """Put together what contradicts the same statement. Each is named by its first, which is the most relevant."""
    groups: list[tuple[list[_Statement], set[str]]] = []
    for one, other, ways in pairs:
        group = next((group for group in groups if one in group[0] or other in group[0]), None)
        if group is None:
            group = ([one], set())
            groups.append(group)
        for each in (one, other):
            if each not in group[0] and len(group[0]) < MOST_STATEMENTS:
                group[0].append(each)
        group[1].update(ways)
    return [(statements, sorted(ways)) for statements, ways in groups]


def _contradiction(statements: Sequence[_Statement], ways: Sequence[str]) -> Contradiction:
    shared = frozenset.intersection(*(each.about for each in statements))
    words = content_words(statements[0].quote.plain)
    about = " ".join(word for term, word in words.items() if term in shared)
    named = about.split()[:_NAMED] or list(words.values())[:_NAMED]
    drafts = tuple(Draft(each.quote.plain, (each.quote,)) for each in statements)
    return Contradiction(" ".join(named), tuple(ways), drafts)


def _statement(question: Question, quote: Quote) -> _Statement:
    known = frozenset(content_terms(quote.text)) | quote.passage.around
    return _Statement(quote, frozenset(term for term in question.terms if term in known))


def _is_prose(quote: Quote) -> bool:
    passage = quote.passage
    prose = passage.kind in {Kind.DOCUMENT, Kind.MESSAGE} or (passage.kind is Kind.CODE and passage.language in _PROSE)
    return prose and quote.form is Form.SENTENCE


def _keys(found: Contradiction) -> set[object]:
    return {(draft.quotes[0].passage.key, draft.quotes[0].start) for draft in found.statements}
