"""One score out of two: a convex combination of normalised word and meaning scores.

Both sides are normalised over the rows that pass the query's filters: words by the best of them (a row without a
query word has exactly 0), meaning over the `CLOSEST` nearest rows (anything farther has exactly 0). The nearest rows'
spread does not depend on the size of the corpus, the whole corpus's does.
Figures: docs/decisions/words-and-meaning-are-fused-by-score.md.
"""

import re
import unicodedata
from collections import Counter

import numpy as np
from numpy.typing import NDArray

MEANING_WEIGHT = 0.7
FOREIGN_SCRIPT_WEIGHT = 0.1
FOREIGN_LANGUAGE_WEIGHT = 0.3
CLOSEST = 100

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
_WORD = re.compile(r"[^\W\d_]+")
LATIN_LANGUAGES = frozenset(_FUNCTION_WORDS)


def meaning_weight(text: str, languages: frozenset[str] | None) -> float:
    """Return how much meaning counts for a query, given the languages of the model (None: all of them).

    Where the model does not know the query's language, words lead and meaning only tells equals apart.
    """
    if languages is None:
        return MEANING_WEIGHT
    letters = [character for character in text if character.isalpha()]
    latin = sum(_is_latin(character) for character in letters)
    if 2 * latin < len(letters):
        return MEANING_WEIGHT if languages - LATIN_LANGUAGES else FOREIGN_SCRIPT_WEIGHT
    language = _latin_language(text)
    return MEANING_WEIGHT if language in languages or language is None else FOREIGN_LANGUAGE_WEIGHT


def combine(
    words: NDArray[np.float64], meaning: NDArray[np.float64] | None, weight: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what words and meaning contribute to each candidate's score, which is their sum, from 0 to 1.

    Without meaning (no vector for the query) words carry the whole score. A row without a vector has NaN.
    """
    if meaning is None:
        return _by_best(words), np.zeros_like(words)
    return (1 - weight) * _by_best(words), weight * _by_closest(meaning)


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


def _is_latin(character: str) -> bool:
    return character.isascii() or unicodedata.name(character, "").startswith("LATIN")
