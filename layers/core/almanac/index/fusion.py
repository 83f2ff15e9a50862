"""One score out of two: a convex combination of normalised word and meaning scores, weighed for each query.

Both sides are normalised over the candidates: words by the best of them (a row without a query word has exactly 0),
meaning over the `CLOSEST` nearest rows (anything farther has exactly 0). The nearest rows' spread does not depend on
the size of the corpus, the whole corpus's does.

How much meaning counts is a logistic model in two steps. The query's text gives a first share (`meaning_weight`): a
sentence asks for meaning, an identifier for itself. The scores then move it (`share`): towards words where one row has
nearly all of the query's words, towards meaning where the closest row stands out. The coefficients were learned
(bench/quality_tune.py); figures: docs/decisions/words-and-meaning-are-fused-by-score.md.
"""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

CLOSEST = 100
STANDING_OUT = 10
FOREIGN_SCRIPT_WEIGHT = 0.1
FOREIGN_LANGUAGE_WEIGHT = 0.15

# What each trait of a text adds to the log-odds of meaning's share, for a query whose scores are nothing special.
TEXT: Mapping[str, float] = MappingProxyType(
    {"constant": -0.65, "sentence": 1.45, "length": -0.18, "lookup": 1.02, "composed": -1.19, "coded": -2.33}
)
# What each trait of the scores adds: its coefficient, and the value at which it says nothing.
SCORES: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"coverage": (-4.0, 0.4), "spread": (5.72, 0.43), "peak": (0.32, 0.54)}
)
_LONGEST = 16

# Function words of one language that are neither words of another here, nor English, nor usual names in code.
_FUNCTION_WORDS = {
    "en": "the of and to is are was what which who how where when does did with from for that this by has have been",
    "de": "der das und ist nicht ein eine einen dem wie wer wurde werden welche welcher wann mit für auf zu von wird",
    "fr": "les des une est dans pour avec qui sur quel quelle quand où été comment sont aux cette",
    "es": "el los las una y cuál qué quién cómo dónde cuándo está fue por del que se para",
    "it": "il gli che è della dei delle nel quale quando dove sono stato stata perché",
    "pt": "os uma não são foi do da dos das qual onde pelo pela quem",
    "nl": "het een van niet wat wie werd zijn voor hoe waar wanneer naar ook deze",
    "tr": "ve bir için hangi nedir olarak ile kaç neden kim bu",
    "vi": "là của và những được không người các nào gì khi bao nhiêu",
    "ro": "și este în care cu pentru ce nu sunt fost câte unde când din",
    "pl": "jest nie na się że jak czy który która kiedy gdzie przez",
}
_LANGUAGE_OF = {word: language for language, words in reversed(_FUNCTION_WORDS.items()) for word in words.split()}
_WORDS_OF = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
_WORD = re.compile(r"[^\W\d_]+")
LATIN_LANGUAGES = frozenset(_FUNCTION_WORDS)
# These say "sentence" but not which language.
_SHARED = "a an in on as it be can do if or not at i my we you should"
_SHARED_FUNCTION_WORDS = frozenset(_SHARED.split())
_ANY_WORD = re.compile(r"\w+")
_COMPOSED = re.compile(r"[a-z][A-Z]|[^\W_]_[^\W_]")
_LEAST = 0.02
_MOST = 30.0  # log-odds beyond which a share is all or nothing; exp() overflows at 710
_SENTENCE_WORDS = 4
_SENTENCE_CHARACTERS = 10  # of a script without spaces


def meaning_weight(text: str, languages: frozenset[str] | None) -> float:
    """Return how much meaning counts by the query's text alone, given the languages of the model (None: all of them).

    Where the model does not know the query's language, words lead and meaning tells near equals apart.
    """
    if not knows(text, languages):
        return FOREIGN_SCRIPT_WEIGHT if _foreign_script(text) else FOREIGN_LANGUAGE_WEIGHT
    return _logistic(sum(TEXT[name] * value for name, value in text_traits(text, languages).items()))


def knows(text: str, languages: frozenset[str] | None) -> bool:
    """Tell whether a model of these languages (None: all) understands a text, as far as its words give that away."""
    if languages is None:
        return True
    if _foreign_script(text):
        return bool(languages - LATIN_LANGUAGES)
    language = _latin_language(text)
    return language is None or language in languages


def is_lookup(text: str) -> bool:
    """Tell whether a query is one word or identifier: it may ask for the place that defines it, or for any mention."""
    return len(text.split()) == 1 and not _foreign_script(text)


def text_traits(text: str, languages: frozenset[str] | None) -> dict[str, float]:
    """Return the traits that `TEXT` weighs."""
    words = _ANY_WORD.findall(text)
    lookup = is_lookup(text)
    return {
        "constant": 1.0,
        "sentence": float(_is_sentence(words, languages)),
        "length": math.log1p(min(_LONGEST, len(set(words)))),
        "lookup": float(lookup),
        "composed": float(lookup and bool(_COMPOSED.search(text))),
        "coded": float(lookup and ("." in text or any(character.isdigit() for character in text))),
    }


def score_traits(
    words: NDArray[np.float64], similarity: NDArray[np.float64], ideal: float, *, lookup: bool
) -> dict[str, float]:
    """Return the traits that `SCORES` weighs, for candidates that have similarities."""
    nearest, tenth, floor = (_largest(similarity, place) for place in (1, STANDING_OUT, CLOSEST))
    coverage = min(1.0, _largest(words, 1) / ideal) if ideal > 0 else 0.0
    return {
        # Any row that has a single word has all of the query's words: for a lookup this says nothing.
        "coverage": SCORES["coverage"][1] if lookup else coverage,
        # How much of the way from the hundredth to a perfect match the closest has gone: models differ in how close
        # unrelated texts are to them, and this takes that out.
        "spread": min(1.0, (nearest - floor) / max(1 - floor, _LEAST)),
        "peak": (nearest - tenth) / (nearest - floor) if nearest > floor else 0.0,
    }


def share(
    words: NDArray[np.float64], similarity: NDArray[np.float64], weight: float, ideal: float, *, lookup: bool = False
) -> float:
    """Return how much meaning counts for these candidates: `weight`, moved by what their scores show."""
    near = similarity[~np.isnan(similarity)]
    if not len(near) or not 0 < weight < 1:
        return weight
    traits = score_traits(words, near, ideal, lookup=lookup)
    moved = sum(SCORES[name][0] * (value - SCORES[name][1]) for name, value in traits.items())
    return _logistic(math.log(weight / (1 - weight)) + moved)


def combine(
    words: NDArray[np.float64],
    similarity: NDArray[np.float64] | None,
    weight: float,
    ideal: float | None = None,
    *,
    lookup: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what words and meaning contribute to each candidate's score, which is their sum, from 0 to 1.

    The candidates are the best rows by words and the nearest by meaning: at least `CLOSEST` of either, where there are
    as many. `words` is BM25, exact for each; `similarity` the cosine, NaN for a row that has no vector yet: words carry
    all of such a row's score, so that it can lead. Without similarities (no vector for the query) that holds for all.

    `weight` is `meaning_weight` of the query. `ideal` is the BM25 that no row can exceed, (K1 + 1) times the inverse
    document frequencies of the query's distinct terms, those that occur nowhere included; `lookup` is `is_lookup` of
    the query. With them the scores move the weight (`share`); without `ideal` it stays as it is.

    Within one answer, a row that is at least as good as another by words and by similarity scores at least as high.
    """
    normal = _by_best(words)
    if similarity is None:
        return normal, np.zeros_like(normal)
    if ideal is not None:
        weight = share(words, similarity, weight, ideal, lookup=lookup)
    embedded = ~np.isnan(similarity)
    meaning = np.zeros_like(normal)
    meaning[embedded] = weight * _by_closest(similarity[embedded])
    return np.where(embedded, (1 - weight) * normal, normal), meaning


def _by_best(words: NDArray[np.float64]) -> NDArray[np.float64]:
    best = float(words.max(initial=0.0))
    return np.asarray(words / best) if best > 0 else words


def _by_closest(meaning: NDArray[np.float64]) -> NDArray[np.float64]:
    known = meaning[~np.isnan(meaning)]
    if not len(known):
        return np.zeros_like(meaning)
    floor = np.partition(known, -CLOSEST)[-CLOSEST] if len(known) > CLOSEST else known.min()
    spread = known.max() - floor
    # A row without a vector (NaN) is as far as can be.
    if spread <= 0:
        return np.where(meaning >= floor, 1.0, 0.0)
    normalised: NDArray[np.float64] = np.nan_to_num(np.clip((meaning - floor) / spread, 0, 1), nan=0.0)
    return normalised


def _latin_language(text: str) -> str | None:
    """Guess by distinct function words: a foreign query shows two, or one and an accent, and more than English ones."""
    words = {word.casefold() for word in _WORD.findall(text)}
    seen = Counter(_LANGUAGE_OF[word] for word in words if word in _LANGUAGE_OF)
    english = seen.pop("en", 0)
    if not seen:
        return "en" if english else None
    language, count = min(seen.items(), key=lambda item: (-item[1], item[0]))
    accented = any(not word.isascii() for word in words)
    return language if count > english and count + accented >= 2 else "en"


def _is_sentence(words: list[str], languages: frozenset[str] | None) -> bool:
    """Guess by a function word of a language that the model knows; in other scripts, by length."""
    known = _FUNCTION_WORDS.keys() if languages is None else languages
    for word in words:
        folded = word.casefold()
        if folded in _SHARED_FUNCTION_WORDS or any(folded in _WORDS_OF.get(language, ()) for language in known):
            return True
    foreign = [word for word in words if not _is_latin(word[0])]
    return len(foreign) >= _SENTENCE_WORDS or any(len(word) >= _SENTENCE_CHARACTERS for word in foreign)


def _foreign_script(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return 2 * sum(_is_latin(character) for character in letters) < len(letters)


def _largest(values: NDArray[np.float64], place: int) -> float:
    """Return the value at a place from the largest, 1 being it; the smallest where there are not as many."""
    place = min(place, len(values))
    return float(np.partition(values, -place)[-place]) if place else 0.0


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-_MOST, min(_MOST, value))))


def _is_latin(character: str) -> bool:
    return character.isascii() or unicodedata.name(character, "").startswith("LATIN")
