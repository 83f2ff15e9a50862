"""An answer: passages found, sentences written or chosen, and each one's quotes read again before the reply."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from almanac.errors import RetryableError, TerminalError
from almanac.llm.base import Completion, LanguageModel, Reply
from almanac.observability import emit, log
from search.asking import contradictions, followups, prompts
from search.asking.citations import still_there, supported
from search.asking.contradictions import Contradiction
from search.asking.extract import Meanings, Question, extract, judged
from search.asking.followups import Said
from search.asking.passages import Draft, Passage, Quote, Retrieved, Sources

PASSAGES = 10
SUGGESTIONS = 3
MODEL_SECONDS = 14
MODEL_AGAIN_SECONDS = 5
REWRITE_SECONDS = 4
"""All of them together leave time for a search and an answer of quotes before the API gives up, after 30 seconds."""
REWRITE_TURNS = 3
EXTRACTIVE = "extractive"
NOT_FOUND = "Not in the sources."


@dataclass(frozen=True)
class Cited:
    """A quote under its number in the answer."""

    n: int
    quote: Quote


@dataclass(frozen=True)
class Sentence:
    text: str
    citations: tuple[int, ...]


@dataclass(frozen=True)
class Disagreement:
    """What the sources contradict each other about: `statements` of different ones, each with its citation."""

    about: str
    differs: tuple[str, ...]
    statements: tuple[Sentence, ...]


@dataclass(frozen=True)
class Answer:
    """`how` names who made it: `extractive`, or a language model. `fallback` tells why it was not the model.

    Without an answer `nearest` are the passages that come nearest to the question.
    """

    question: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Cited, ...]
    how: str
    found: Retrieved
    fallback: str | None = None
    nearest: tuple[Passage, ...] = ()
    contradictions: tuple[Disagreement, ...] = ()

    @property
    def answered(self) -> bool:
        return bool(self.sentences)

    @property
    def text(self) -> str:
        if not self.sentences:
            return NOT_FOUND
        marked = (f"{said.text} {''.join(f'[{n}]' for n in said.citations)}" for said in self.sentences)
        return ("\n" if self.how == EXTRACTIVE else " ").join(marked)


@dataclass(frozen=True)
class _Made:
    """An answer before its quotes are read again."""

    drafts: Sequence[Draft]
    contradictions: Sequence[Contradiction]
    how: str
    fallback: str | None = None


class _Unusable(Exception):
    """The language model gave nothing to go by; the text is a stable code."""


@dataclass(frozen=True)
class Asker:
    """Answers questions. Without a language model, or when it fails, the answer is made of quotes.

    `meanings_of` an embedding model compares short texts by it.
    """

    meanings_of: Callable[[str], Meanings]
    model: LanguageModel | None = None

    async def resolve(self, question: str, turns: Sequence[Said]) -> str:
        """Return the question as it stands alone, given the turns before it, the oldest first."""
        if not turns:
            return question
        if self.model is not None:
            recent = list(turns[-REWRITE_TURNS:])
            try:
                request = prompts.rewrite(question, [(turn.question, turn.answer) for turn in recent])
                rewritten = prompts.read_question((await self._complete(request, REWRITE_SECONDS)).text)
            except (_Unusable, prompts.Unreadable) as error:
                log("warning", "question not rewritten", model=self.model.name, reason=str(error))
            else:
                if followups.is_faithful(rewritten, question, recent):
                    return rewritten
        return followups.by_words(question, turns)

    async def ask(self, question: str, sources: Sources, limit: int) -> Answer:
        """Answer a question that stands alone, in at most `limit` sentences. Raises what `sources` raises."""
        found = await sources.find(question, PASSAGES)
        made = await self._made(question, found, limit)
        drafts, disputed = list(made.drafts), list(made.contradictions)
        if drafts:
            said = [*drafts, *(draft for each in disputed for draft in each.statements)]
            cited = {quote.passage.key: quote.passage for draft in said for quote in draft.quotes}
            now = await sources.again(list(cited.values()))
            drafts, held = still_there(drafts, now), still_there(said[len(drafts) :], now)
            disputed = contradictions.standing(disputed, held) if drafts else []
        emit({"Questions": (1, "Count"), "Answered": (int(bool(drafts)), "Count")}, how=made.how)
        return _answer(question, found, made, drafts, disputed)

    async def _made(self, text: str, found: Retrieved, limit: int) -> _Made:
        passages = found.passages
        question = Question(text, passages, self.meanings_of(found.model))
        scored = await judged(question, passages)
        disputed = contradictions.found_in(question, scored)
        fallback = None
        if self.model is not None and passages:
            try:
                drafts, more = await self._written(self.model, question, passages, limit)
            except _Unusable as error:
                fallback = str(error)
                log("warning", "answered by quotes", model=self.model.name, reason=fallback)
            else:
                named = contradictions.claimed(question, more)
                return _Made(drafts[:limit], contradictions.joined([*disputed, *named]), self.model.name)
        drafts = extract(scored, limit, contradictions.contradict)
        return _Made(drafts, disputed if drafts else (), EXTRACTIVE, fallback)

    async def _written(
        self, model: LanguageModel, question: Question, passages: Sequence[Passage], limit: int
    ) -> tuple[list[Draft], list[list[Draft]]]:
        """Return what a model wrote, and what contradicts what in its view, of both what holds; raises `_Unusable`."""
        request = prompts.answer(question.text, passages, limit)
        reply = await self._complete(request, MODEL_SECONDS)
        try:
            written = prompts.read_answer(reply.text)
        except prompts.Unreadable:
            reply = await self._complete(prompts.once_more(request, reply.text), MODEL_AGAIN_SECONDS)
            try:
                written = prompts.read_answer(reply.text)
            except prompts.Unreadable:
                raise _Unusable("model_answer_unreadable") from None
        drafts = await supported(written.claims, question, passages)
        emit({"SentencesDropped": (len(written.claims) - len(drafts), "Count")}, how=model.name)
        disputed = [await supported(claims, question, passages) for claims in written.contradictions]
        return drafts, disputed

    async def _complete(self, request: Completion, seconds: float) -> Reply:
        assert self.model is not None  # noqa: S101 - narrows the type
        try:
            async with asyncio.timeout(seconds):
                reply = await self.model.complete(request)
        except (RetryableError, TimeoutError) as error:
            log("error", "language model unavailable", model=self.model.name, reason=f"{type(error).__name__}: {error}")
            raise _Unusable("model_unavailable") from error
        except TerminalError as error:
            log("error", "language model refused", model=self.model.name, reason=error.cause)
            raise _Unusable("model_refused") from error
        emit({"TokensIn": (reply.tokens_in, "Count"), "TokensOut": (reply.tokens_out, "Count")}, how=self.model.name)
        if reply.stopped == "refused":
            raise _Unusable("model_refused")
        return reply


def _answer(
    question: str, found: Retrieved, made: _Made, drafts: Sequence[Draft], disputed: Sequence[Contradiction]
) -> Answer:
    numbers: dict[tuple[object, ...], Cited] = {}
    sentences = _numbered(drafts, numbers)
    disagreements = tuple(
        Disagreement(each.about, each.differs, _numbered(each.statements, numbers)) for each in disputed
    )
    nearest = () if sentences else found.passages[:SUGGESTIONS]
    citations = tuple(numbers.values())
    return Answer(question, sentences, citations, made.how, found, made.fallback, nearest, disagreements)


def _numbered(drafts: Sequence[Draft], numbers: dict[tuple[object, ...], Cited]) -> tuple[Sentence, ...]:
    """Give each distinct quote that has none a number, in order of its first use."""
    sentences = []
    for draft in drafts:
        cited = []
        for quote in draft.quotes:
            key = (quote.passage.key, quote.start, quote.end)
            cited.append(numbers.setdefault(key, Cited(len(numbers) + 1, quote)).n)
        sentences.append(Sentence(draft.text, tuple(dict.fromkeys(cited))))
    return tuple(sentences)
