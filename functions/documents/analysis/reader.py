"""A language model reads the passages that say most, and its findings are added to those of the rules.

What it says is believed only as far as it stands in the text: a quote must be in the passage that it is said to be
from, each field in the quote, and a date is read from the quote by our own rules. It takes nothing away: a document
that tells the model to find nothing loses nothing. Passages that openly speak to a model are not shown to it at all;
nothing depends on knowing them.
"""

import asyncio
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from time import monotonic
from typing import Any

from almanac.errors import RetryableError, TerminalError
from almanac.llm.base import LanguageModel
from almanac.observability import emit, log
from documents.analysis import cues, prompts
from documents.analysis.checks import flat
from documents.analysis.dates import dates, full
from documents.analysis.model import (
    ActionItem,
    Decision,
    Findings,
    Milestone,
    OpenQuestion,
    Risk,
    SummarySentence,
    TextSpan,
    WrittenDate,
)
from documents.analysis.prompts import Claim
from documents.analysis.reading import Reading
from documents.analysis.summary import SENTENCES, Nearness
from documents.analysis.units import Page

REQUESTS = 8
AT_ONCE = 2
PASSAGE_CHARACTERS = 1800
REQUEST_PASSAGES = 6
"""At most 8 x 6 x 1,800 characters of a document are read by a model: some 25,000 tokens."""
CALL_SECONDS = 40.0

_BREAK = re.compile(r"\n[ \t]*\n|\n(?=[ \t]{0,3}#)")
_CUE = re.compile(
    r"\b(?:action|will|shall|must|agreed|decided|risk|due|deadline|owner|milestone|question|TBD|responsible|by (?:the|"
    r"\d))\b|(?<!\w)(?:решил|задач|поруч|риск|срок|ответствен|вопрос|должен|должн|обязу|этап|до \d)",
    re.IGNORECASE,
)
_LISTS = {
    "action": "actions",
    "decision": "decisions",
    "risk": "risks",
    "milestone": "milestones",
    "question": "questions",
}


@dataclass(frozen=True)
class Passage:
    """A piece of a page, [start, end)."""

    page: Page
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.page.text[self.start : self.end]


class _Unusable(Exception):
    """The model gave nothing to go by; the text is a stable code."""


@dataclass(frozen=True)
class ModelReader:
    """Adds what a language model finds."""

    model: LanguageModel

    async def add(self, reading: Reading, pages: Sequence[Page], nearness: Nearness, seconds: float) -> Reading:
        """See `documents.analysis.reading.Reader`."""
        asked = await asyncio.to_thread(selected, pages, nearness)
        ends = monotonic() + seconds
        slots = asyncio.Semaphore(AT_ONCE)
        groups = [asked[start : start + REQUEST_PASSAGES] for start in range(0, len(asked), REQUEST_PASSAGES)]
        answers = await asyncio.gather(*(self._ask(group, ends, slots) for group in groups))
        failures = [answer for answer in answers if isinstance(answer, str)]
        if len(failures) == len(groups):
            return replace(reading, fallback=failures[0]) if failures else reading
        claims = [claim for answer in answers if not isinstance(answer, str) for claim in answer]
        findings, dropped = await asyncio.to_thread(merged, reading.findings, claims, full(reading.document_date))
        by_model = any(sentence.found_by == "model" for sentence in findings.summary)
        return replace(
            reading,
            findings=findings,
            method=self.model.name,
            ranked_by=self.model.name if by_model else reading.ranked_by,
            fallback=failures[0] if failures else None,
            dropped=reading.dropped + dropped,
        )

    async def _ask(
        self, passages: Sequence[Passage], ends: float, slots: asyncio.Semaphore
    ) -> "list[tuple[Claim, Passage | None]] | str":
        """Return what the model says of passages, with the passage that each claim is said to be from; else why not."""
        async with slots:
            try:
                claims = await self._complete(prompts.ask([passage.text for passage in passages]), ends)
            except _Unusable as error:
                log("warning", "passages not read by a model", model=self.model.name, reason=str(error))
                return str(error)
        return [(claim, passages[claim.n - 1] if 1 <= claim.n <= len(passages) else None) for claim in claims]

    async def _complete(self, request: Any, ends: float) -> list[Claim]:
        try:
            async with asyncio.timeout(max(0.0, min(CALL_SECONDS, ends - monotonic()))):
                reply = await self.model.complete(request)
        except (RetryableError, TimeoutError):
            raise _Unusable("model_unavailable") from None
        except TerminalError as error:
            raise _Unusable(error.code) from None
        except Exception as error:  # noqa: BLE001 - the rules' findings are there already
            raise _Unusable(f"model_failed_{type(error).__name__}") from None
        emit({"TokensIn": (reply.tokens_in, "Count"), "TokensOut": (reply.tokens_out, "Count")}, how=self.model.name)
        if reply.stopped == "refused":
            raise _Unusable("model_refused")
        try:
            return await asyncio.to_thread(prompts.read, reply.text)
        except prompts.Unreadable:
            raise _Unusable("model_answer_unreadable") from None


def selected(pages: Sequence[Page], nearness: Nearness) -> list[Passage]:
    """Return the passages to be read, in order: those with the most words that mark findings, then the most central."""
    ranked: list[tuple[float, int, Passage]] = []
    for page in pages:
        for passage in _passages(page):
            text = passage.text
            if cues.TO_MODELS.search(" ".join(text.split())):
                continue
            marks = len(_CUE.findall(text))
            near = max(
                (
                    value
                    for start, end, value in nearness.get(page.number, ())
                    if start < passage.end and passage.start < end
                ),
                default=0.0,
            )
            ranked.append((marks + near, -len(ranked), passage))
    ranked.sort(key=lambda each: each[:2], reverse=True)
    chosen = ranked[: REQUESTS * REQUEST_PASSAGES]
    return [passage for *_, passage in sorted(chosen, key=lambda each: -each[1])]


def _passages(page: Page) -> Iterable[Passage]:
    """Yield a page in pieces of whole paragraphs, where these are not too long."""
    edges = [*(match.start() for match in _BREAK.finditer(page.text)), len(page.text)]
    begin = 0
    last = 0
    for edge in edges:
        while edge - begin > PASSAGE_CHARACTERS:
            stop = last if last > begin else begin + PASSAGE_CHARACTERS
            yield from _said(page, begin, stop)
            begin = stop
        last = edge
    yield from _said(page, begin, len(page.text))


def _said(page: Page, start: int, end: int) -> Iterable[Passage]:
    if sum(map(str.isalnum, page.text[start:end])) >= 20:
        yield Passage(page, start, end)


def merged(
    findings: Findings, claims: Sequence[tuple[Claim, Passage | None]], today: date | None
) -> tuple[Findings, int]:
    """Return findings with what of the claims holds and was not found before, and how many did not hold. Blocks."""
    lists: dict[str, list[Any]] = {name: list(getattr(findings, name)) for name in (*_LISTS.values(), "summary")}
    told: list[SummarySentence] = []
    dropped = 0
    for claim, passage in claims:
        item = believed(claim, passage, today)
        if item is None:
            dropped += 1
        elif isinstance(item, SummarySentence):
            told.append(item)
        elif not _is_known(item, lists[_LISTS[claim.kind]]):
            lists[_LISTS[claim.kind]].append(item)
    # Of several parts of a document each named its own sentences: those are kept that the words speak for as well.
    if told:
        both = [each for each in told if any(_overlap(each.span, other.span) for other in findings.summary)]
        chosen = (both + [each for each in told if each not in both])[:SENTENCES]
        lists["summary"] = sorted(chosen, key=lambda each: (each.span.page, each.span.start))
    return findings.model_copy(update=lists), dropped


def believed(claim: Claim, passage: Passage | None, today: date | None) -> Any:
    """Return what a claim comes to as far as it stands in its passage; None when it does not."""
    span = _located(claim.quote, passage) if passage else None
    if span is None:
        return None
    quote = flat(span.quote)
    if not flat(claim.what) or flat(claim.what) not in quote:
        return None
    who, likelihood, impact = (_within(field, quote) for field in (claim.who, claim.likelihood, claim.impact))
    when = _when(claim.when, span.quote, today)
    what = " ".join(claim.what.split())
    common: dict[str, Any] = {"what": what, "spans": [span], "found_by": "model"}
    match claim.kind:
        case "summary":
            return SummarySentence(text=" ".join(span.quote.split()), span=span, found_by="model")
        case "action":
            return ActionItem(who=who, when=when, **common)
        case "decision":
            return Decision(who=who, when=when, **common)
        case "risk":
            return Risk(likelihood=likelihood, impact=impact, who=who, **common)
        case "question":
            return OpenQuestion(who=who, **common)
        case "milestone":
            return Milestone(when=when, kind="milestone", **common) if when else None


def _located(quote: str, passage: Passage) -> TextSpan | None:
    """Return where a quote stands in a passage, blank space aside."""
    words = quote.split()
    if not words:
        return None
    place = re.compile(r"\s+".join(map(re.escape, words))).search(passage.page.text, passage.start, passage.end)
    return passage.page.span(*place.span()) if place else None


def _within(field: str | None, quote: str) -> str | None:
    return " ".join(field.split()) if field and flat(field) and flat(field) in quote else None


def _when(field: str | None, quote: str, today: date | None) -> WrittenDate | None:
    if field is None or _within(field, flat(quote)) is None:
        return None
    written = " ".join(field.split())
    found = dates(f"by {written}", today)
    return WrittenDate(written=written, date=found[0].when.date if len(found) == 1 else None)


def _is_known(item: Any, others: Sequence[Any]) -> bool:
    return any(_overlap(item.spans[0], span) for other in others for span in other.spans)


def _overlap(one: TextSpan, other: TextSpan) -> bool:
    return one.page == other.page and one.start < other.end and other.start < one.end
