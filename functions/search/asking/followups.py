"""Questions that lean on the turns before them: "and where is it tested?"."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re
from collections.abc import Sequence
from dataclasses import dataclass

from almanac.text.tokenize import terms
from search.asking.questions import content_terms, content_words

MOST_CARRIED = 8
MOST_CHARACTERS = 1000
_LEAST_KNOWN = 0.8
_FEW = 2
_SOME = 4

_LEADS_ON = re.compile(
    r"\s*(?:and|but|also|so|or|then|ok(?:ay)?|(?:and\s+)?(?:what|how)\s+about|what\s+else|why\s+(?:not|so)|"
    r"а|и|но|тогда|так|ещё|еще|а\s+как|а\s+что)\b[\s,:]*",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(
    r"\b(?:it|its|itself|they|them|their|theirs|he|she|him|his|her|hers|former|latter|он|она|оно|они|его|её|ее|их|ему|ей|"
    r"им|ней|нём|нем|них)\b",
    re.IGNORECASE,
)
# These may also stand before what they name, or for nothing: "that" of a clause, "are there".
_MAY_POINT_BACK = re.compile(
    r"\b(?:this|that|these|those|one|ones|same|above|previous|(?<!is )(?<!are )there|"
    r"этот|эта|это|эти|этого|этом|этих|там|тот|та|те|такой|такие)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Said:
    """A turn before: the question as it was resolved, the answer, and the titles of what the answer cites."""

    question: str
    answer: str
    titles: tuple[str, ...] = ()


def leans(question: str) -> bool:
    """Tell whether a question needs what was said before: it leads on, points back, or names nearly nothing."""
    named = len(content_terms(question))
    if named == 0 or len(question.split()) < _FEW:
        return True
    if _POINTS_BACK.search(question):
        return named <= _SOME
    return named <= _FEW and bool(_LEADS_ON.match(question) or _MAY_POINT_BACK.search(question))


def by_words(question: str, turns: Sequence[Said]) -> str:
    """Return a question that stands alone: with the words that carried the last one, and its answer's first names.

    A question that does not lean on anything stays as it is.
    """
    if not turns or not leans(question):
        return question
    rest = _LEADS_ON.sub("", question, count=1).strip() or question.strip()
    known = set(terms(rest))
    # What was carried into the last question is in it, so a subject outlives any number of turns.
    carried = [word for term, word in content_words(turns[-1].question).items() if term not in known]
    carried = carried[:MOST_CARRIED]
    if not carried:
        carried = [title for title in turns[-1].titles[:1] if not known.issuperset(terms(title))]
    resolved = f"{rest} ({' '.join(carried)})" if carried else question
    return resolved if len(resolved) <= MOST_CHARACTERS else question


def is_faithful(rewritten: str, question: str, turns: Sequence[Said]) -> bool:
    """Tell whether a model's rewriting keeps what was asked and brings in nothing that nobody said."""
    if not rewritten or len(rewritten) > MOST_CHARACTERS:
        return False
    said = frozenset(terms(" ".join([question, *(f"{turn.question} {turn.answer}" for turn in turns)])))
    named = content_terms(rewritten)
    asked = content_terms(question)
    kept = sum(term in named for term in asked) / len(asked) if asked else 1.0
    known = sum(term in said for term in named) / len(named) if named else 0.0
    return known >= _LEAST_KNOWN and kept >= 0.5
