"""Whether a text denies something, and whether that is what another is about."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re

from almanac.text.tokenize import terms
from search.asking.questions import content_terms

_CLAUSE = re.compile(r"[.;:,!?()\n]+|\s[-–—]\s")
_NEGATION = re.compile(
    r"\b(?:not|never|no|none|nothing|nobody|neither|nor|cannot|without|"
    r"не|нет|ни|никогда|никто|ничто|нельзя|без)\b|n['’]t\b",
    re.IGNORECASE,
)


def is_negated(text: str) -> bool:
    return _NEGATION.search(text) is not None


def denies(text: str, sentence: str) -> bool:
    """Tell whether a text denies where it speaks of what a sentence says."""
    return is_negated(_nearest_clauses(sentence, text))


def _nearest_clauses(sentence: str, text: str) -> str:
    """Return the clauses of a text that share most words with a sentence: the rest may deny something else."""
    said = frozenset(content_terms(sentence))
    clauses = [clause for clause in _CLAUSE.split(text) if clause.strip()]
    shared = [len(said.intersection(terms(clause))) for clause in clauses]
    most = max(shared, default=0)
    return " , ".join(clause for clause, count in zip(clauses, shared, strict=True) if count and 2 * count >= most)
