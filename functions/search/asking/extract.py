"""The answer without a language model: the quotes that speak of the question, chosen and put in order.

Each quote is scored by the part of the question's words that it covers and by how much nearer it is in meaning than
text about anything else. The second does not depend on a model's habit of finding everything similar, and it is left
out where the model does not know the question's language. Figures: docs/ask.md.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from almanac.embeddings.base import Embedder
from almanac.errors import RetryableError, TerminalError
from almanac.index.fusion import knows
from almanac.observability import log
from almanac.text.tokenize import terms
from search.asking.passages import Draft, Passage, Quote
from search.asking.questions import content_terms, coverage, rarities
from search.asking.spans import Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from almanac.embeddings.base import QueryCode

    Vectors = NDArray[np.float32]

MOST_QUOTES = 24
"""How many quotes of the passages found are compared in meaning: some milliseconds each."""
LEAST_MEANING = 0.25
LEAST_SCORE = 0.5
LEAST_WORDS = 0.5
"""What the best quote must reach: nearness and score with meaning, coverage by words alone."""
_WORDS_SHARE = 0.5
_KEPT = 0.8
_ALIKE = 0.7
_KNOWN = 4096
_EMBEDDING_SECONDS = 8
_WORTH = {Form.SENTENCE: 1.0, Form.SIGNATURE: 0.85, Form.LINE: 0.75}

# About nothing that a project is about, in many ways: what is no nearer than these is not near.
_ELSEWHERE = (
    "The cat sat on the warm window sill and watched the rain.",
    "She bought fresh bread and cheese at the market on Saturday.",
    "The team won the final match after extra time.",
    "Our train to the mountains leaves early in the morning.",
    "A good night's sleep is important for your health.",
    "The company reported higher profits in the third quarter.",
    "He plays the violin in a small orchestra.",
    "Water boils at a lower temperature at high altitude.",
    "The museum shows paintings of the nineteenth century.",
    "Add two eggs and a cup of flour, then stir well.",
    "The election result was announced late in the evening.",
    "Please restart the computer and install the latest update.",
)


def _never(_: Quote, __: Quote) -> bool:
    return False


@dataclass(frozen=True)
class Scored:
    """A quote and what speaks for it; `meaning` is None where it was not compared."""

    quote: Quote
    words: float
    meaning: float | None
    value: float

    @property
    def is_relevant(self) -> bool:
        """Tell whether the quote is about the question, rather than only the nearest of what there is."""
        if self.meaning is None:
            return self.words >= LEAST_WORDS
        return self.meaning >= LEAST_MEANING and _WORDS_SHARE * self.words + self.meaning >= LEAST_SCORE


class Meanings:
    """Vectors of short texts, kept for the life of the environment: a function of text and model, so of no tenant."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._known: OrderedDict[str, Vectors] = OrderedDict()

    async def nearness(self, question: str, texts: Sequence[str]) -> list[float] | None:
        """Return how much nearer each text is to a question than text about anything else, as cosines.

        None when the model does not know the question's language, or does not answer.
        """
        if not knows(question, self._embedder.languages):
            return None
        try:
            async with asyncio.timeout(_EMBEDDING_SECONDS):
                asked = _unit(await self._embedder.embed_query(question))
                elsewhere = await self._units(_ELSEWHERE) @ asked
                near = await self._units(texts) @ asked - elsewhere.mean()
        except (RetryableError, TerminalError, TimeoutError) as error:
            log(
                "error",
                "not compared in meaning",
                model=self._embedder.model,
                reason=f"{type(error).__name__}: {error}",
            )
            return None
        return [float(cosine) for cosine in near]

    async def _units(self, texts: Sequence[str]) -> "Vectors":
        import numpy as np

        missing = [text for text in dict.fromkeys(texts) if text not in self._known]
        if missing:
            for text, code in zip(missing, await self._embedder.embed_documents(missing), strict=True):
                self._known[text] = _unit(code)
        found = []
        for text in texts:
            self._known.move_to_end(text)
            found.append(self._known[text])
        while len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return np.array(found, np.float32).reshape(len(texts), self._embedder.dimensions)


class Question:
    """A question, with what its words are worth among the passages that were found for it."""

    def __init__(self, text: str, passages: Sequence[Passage], meanings: Meanings) -> None:
        self.text = text
        self.terms = content_terms(text) or list(dict.fromkeys(terms(text)))
        self.weights: Mapping[str, float] = rarities(self.terms, [passage.bag for passage in passages])
        self.meanings = meanings

    async def score(self, quotes: Sequence[Quote]) -> list[Scored]:
        """Score quotes, in their order."""
        words = [self.covered(quote) for quote in quotes]
        meanings = await self.meanings.nearness(self.text, [_in_context(quote) for quote in quotes])
        scored = []
        for place, quote in enumerate(quotes):
            meaning = None if meanings is None else meanings[place]
            value = words[place] if meaning is None else _WORDS_SHARE * words[place] + meaning
            scored.append(Scored(quote, words[place], meaning, value * self._worth(quote)))
        return scored

    def covered(self, quote: Quote) -> float:
        return coverage(self.weights, terms(quote.text), quote.passage.around)

    def covered_by(self, text: str) -> float:
        return coverage(self.weights, terms(text))

    def _worth(self, quote: Quote) -> float:
        """Return how much a quote can tell: a sentence most, a line of code less, an echo of the question least."""
        told = len(frozenset(content_terms(quote.plain)).difference(self.terms))
        leads_over = quote.plain.endswith(":")
        return _WORTH[quote.form] * (0.7 + 0.3 * min(told, 4) / 4) * (0.7 if leads_over else 1.0)


async def judged(question: Question, passages: Sequence[Passage]) -> list[Scored]:
    """Return what of the passages is worth a comparison, scored, the best first."""
    scored = await question.score(candidates(question, passages))
    return sorted(scored, key=lambda found: -found.value)


def extract(scored: Sequence[Scored], limit: int, apart: Callable[[Quote, Quote], bool] = _never) -> list[Draft]:
    """Return the sentences of an answer, each a quote; none when nothing found is about the question.

    Of sentences that are alike only the first is said, unless they are `apart` all the same.
    """
    if not any(found.is_relevant for found in scored):
        return []
    least = _KEPT * next(found.value for found in scored if found.is_relevant)
    chosen: list[Scored] = []
    for found in scored:
        if len(chosen) == limit or found.value < least:
            break
        if found.is_relevant and not any(_repeats(found.quote, other.quote, apart) for other in chosen):
            chosen.append(found)
    return [Draft(found.quote.plain, (found.quote,)) for found in _ordered(chosen)]


def candidates(question: Question, passages: Sequence[Passage]) -> list[Quote]:
    """Return the quotes that are worth a comparison in meaning: with the question's words, and of the best hits."""
    ranked = [
        (question.covered(quote) - 0.03 * rank, quote)
        for rank, passage in enumerate(passages)
        for quote in passage.quotes
    ]
    ranked.sort(key=lambda entry: -entry[0])
    return [quote for _, quote in ranked[:MOST_QUOTES]]


def _repeats(quote: Quote, other: Quote, apart: Callable[[Quote, Quote], bool]) -> bool:
    return alike(quote.plain, other.plain) and not apart(quote, other)


def alike(one: str, other: str) -> bool:
    """Tell whether two sentences say the same in nearly the same words."""
    a, b = frozenset(terms(one)), frozenset(terms(other))
    return len(a & b) >= _ALIKE * max(1, min(len(a), len(b)))


def _ordered(chosen: Sequence[Scored]) -> list[Scored]:
    """Put quotes of one source together in its order, the source of the best quote first."""
    first: dict[str, int] = {}
    for rank, found in enumerate(chosen):
        first.setdefault(found.quote.passage.source_id, rank)
    return sorted(
        chosen,
        key=lambda found: (
            first[found.quote.passage.source_id],
            found.quote.passage.ordinal,
            found.quote.start,
        ),
    )


def _in_context(quote: Quote) -> str:
    return f"{quote.passage.context}\n{quote.plain}" if quote.passage.context else quote.plain


def _unit(code: "QueryCode") -> "Vectors":
    import numpy as np

    values = code.astype(np.float32)
    return values / np.float32(max(float(np.linalg.norm(values)), 1e-9))
