"""What makes a sentence fit to be said: its quote stands in the sources now, and it says what the quote says.

Nothing here trusts whoever wrote the sentence. A language model may be wrong, and it may have been talked into
something by the very text that it was given.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from almanac.text.tokenize import terms
from search.asking.extract import Question
from search.asking.negation import denies, is_negated
from search.asking.passages import Draft, Passage, PassageKey, Quote
from search.asking.questions import content_terms
from search.asking.spans import Form, locate, plain

MOST_QUOTED = 600
LEAST_SHARED = 0.6
LEAST_SHARED_IF_NEAR = 0.3
LEAST_NEARNESS = 0.3
LEAST_ABOUT = 0.34
"""What a sentence and its quote must have of the question: half its weight in words and the rest in meaning."""

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_LINK = re.compile(r"[a-z][a-z0-9+.-]*://[^\s)>\]\"']+|!\[|\bwww\.[^\s)>\]\"']+", re.IGNORECASE)


@dataclass(frozen=True)
class Claim:
    """A sentence as a language model gives it: the numbers of the passages that it cites, and words quoted from one."""

    text: str
    citations: tuple[int, ...]
    quote: str


def still_there(drafts: Sequence[Draft], now: Mapping[PassageKey, Passage]) -> list[Draft]:
    """Return the drafts whose quotes stand, word by word, in the same version of a chunk that is visible now."""
    kept = []
    for draft in drafts:
        quotes = tuple(found for quote in draft.quotes if (found := _again(quote, now.get(quote.passage.key))))
        if quotes:
            kept.append(replace(draft, quotes=quotes))
    return kept


def _again(quote: Quote, passage: Passage | None) -> Quote | None:
    place = locate(quote.text, passage.text) if passage else None
    return replace(quote, passage=passage, start=place[0], end=place[1]) if passage and place else None


async def supported(claims: Sequence[Claim], question: Question, passages: Sequence[Passage]) -> list[Draft]:
    """Return the claims whose quote is where they say, that say no more than it, and that are about the question."""
    drafts = []
    for claim in claims:
        quote = quoted(claim, passages)
        if quote and await _follows(claim.text, quote, question) and await _is_about(claim, question):
            drafts.append(Draft(claim.text, (quote,)))
    return drafts


def quoted(claim: Claim, passages: Sequence[Passage]) -> Quote | None:
    """Return the quote of a claim in the first passage that it cites which holds it, widened to whole sentences."""
    for number in claim.citations:
        if 1 <= number <= len(passages):
            passage = passages[number - 1]
            if place := locate(claim.quote, passage.text):
                return _widened(passage, *place)
    return None


def _widened(passage: Passage, start: int, end: int) -> Quote:
    """Show a reader the whole sentences: what was left out at their ends could turn them round."""
    touched = [span for span in passage.quotes if span.start < end and start < span.end]
    first, last = min([start, *(span.start for span in touched)]), max([end, *(span.end for span in touched)])
    if last - first > MOST_QUOTED:
        first, last = start, end
    form = touched[0].form if touched else Form.SENTENCE
    return Quote(passage, first, last, form, plain(passage.text[first:last], form))


async def _follows(sentence: str, quote: Quote, question: Question) -> bool:
    if not _adds_nothing(sentence, quote, question):
        return False
    said = content_terms(sentence)
    known = frozenset(terms(quote.text)) | quote.passage.around
    shared = sum(term in known for term in said) / len(said) if said else 0.0
    if shared >= LEAST_SHARED:
        return True
    if shared < LEAST_SHARED_IF_NEAR:
        return False
    near = await question.meanings.nearness(sentence, [quote.plain])
    return near is not None and near[0] >= LEAST_NEARNESS


def _adds_nothing(sentence: str, quote: Quote, question: Question) -> bool:
    """Tell whether numbers, links and the sense of a sentence are those of its quote."""
    numbers = set(_NUMBER.findall(f"{quote.text} {quote.passage.title} {question.text}"))
    if set(_NUMBER.findall(sentence)) - numbers:
        return False
    if any(link not in quote.text for link in _LINK.findall(sentence)):
        return False
    return is_negated(sentence) == denies(quote.plain, sentence)


async def _is_about(claim: Claim, question: Question) -> bool:
    """Tell whether a sentence answers what was asked, or is there because a source asked for it.

    It is judged by what it says and quotes itself: the rest of the source may well be about the question.
    """
    said = f"{claim.text} {claim.quote}"
    words = question.covered_by(said)
    near = await question.meanings.nearness(question.text, [said])
    return (words if near is None else 0.5 * words + near[0]) >= LEAST_ABOUT
