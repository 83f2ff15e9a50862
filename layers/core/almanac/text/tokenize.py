"""Words for word search: one analysis for indexed text and for queries.

A word becomes its stem. An identifier of several parts becomes itself without case and underscores, and the stem of
each part: `parseHTTPHeader` and `parse_http_header` both become `parsehttpheader`, `pars`, `http`, `header`. Scripts
that are written without spaces become overlapping pairs of characters.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator
from functools import lru_cache
from string import ascii_lowercase, ascii_uppercase, digits
from typing import NamedTuple

import Stemmer

MAX_WORD = 256
"""A longer word (a key, encoded data) gives one term, of its first `MAX_TERM` characters."""
MAX_TERM = 64

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Myanmar, Khmer
    "\u2e80-\u2fdf\u3005\u3007\u3040-\u30ff\u3130-\u318f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\uff66-\uffdc\U00020000-\U0003ffff"
)
# Marks that `\w` leaves out although they belong to the word: accents, and vowel signs of Hebrew, Arabic and India.
_MARKS = "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_LETTER = rf"[^\W{_UNSPACED}]"
_WORD = re.compile(rf"{_LETTER}+(?:[{_MARKS}]+{_LETTER}*)*|[{_UNSPACED}]+")
_SPACED = re.compile(rf"[^{_UNSPACED}]")
_CYRILLIC = re.compile(r"[\u0400-\u052f]")

# Over a word's shape (A upper, a other letter, s the plural's own, 9 digit): acronyms in the plural, acronyms, words,
# numbers. `IDs` stays whole, `HTTPHeader` parts before its last capital.
_PART = re.compile(r"AA+s(?![as])|A+(?![as])|A?[as]+|9+")
_ASCII_SHAPE = str.maketrans(ascii_uppercase + ascii_lowercase + digits, "A" * 26 + "a" * 18 + "s" + "a" * 7 + "9" * 10)
_ENGLISH = Stemmer.Stemmer("english", 0)
_RUSSIAN = Stemmer.Stemmer("russian", 0)


class Token(NamedTuple):
    """A search term, and where the text that it stands for lies: `text[start:end]`."""

    term: str
    start: int
    end: int


def analyze(text: str) -> list[Token]:
    """Return the tokens of any string in order of their start; those of one word overlap."""
    tokens = []
    for match in _WORD.finditer(text):
        offset = match.start()
        tokens += [Token(term, offset + start, offset + end) for term, start, end in _analyze_word(match[0])]
    return tokens


def terms(text: str) -> list[str]:
    """Return the terms of `analyze(text)` in the same order, faster."""
    return [term for word in _WORD.findall(text) for term, _, _ in _analyze_word(word)]


def occurrences(text: str, wanted: Collection[str]) -> list[Token]:
    """Return those of `analyze(text)` whose term is wanted, faster where few are."""
    tokens: list[Token] = []
    known: dict[str, tuple[Token, ...]] = {}
    words = _words_like(frozenset(wanted)) if text.isascii() and wanted else _WORD
    for match in words.finditer(text):
        word = match[0]
        found = known.get(word)
        if found is None:
            found = known[word] = tuple([token for token in _analyze_word(word) if token[0] in wanted])
        if found:
            offset = match.start()
            tokens += [Token(term, offset + start, offset + end) for term, start, end in found]
    return tokens


@lru_cache(maxsize=64)
def _words_like(wanted: frozenset[str]) -> re.Pattern[str]:
    """Return an expression for the ASCII words that may have one of the terms: those with its first two letters.

    Stemming keeps them, but for the three words below; underscores are left out of terms.
    """
    starts = {term[: 1 if term in _IRREGULAR else 2] for term in wanted}
    pieces = "|".join("_*".join(map(re.escape, start)) for start in sorted(starts))
    return re.compile(rf"(?<!\w)\w*?(?:{pieces})\w*", re.IGNORECASE | re.ASCII)


_IRREGULAR = frozenset({"die", "lie", "tie"})
"""The stems of dying, lying and tying."""


def whole_words(text: str) -> list[str]:
    """Return the words of a text as terms, one for each, in order: what phrases are compared by.

    Of an identifier that is its whole; scripts without spaces have pairs of characters for words.
    """
    found = ((word, _analyze_word(word)) for word in _WORD.findall(text))
    return [term for word, tokens in found for term, _, _ in (tokens[:1] if _SPACED.match(word) else tokens)]


def _analyze_word(word: str) -> tuple[Token, ...]:
    return _analyze_short(word) if len(word) <= MAX_WORD else tuple(_analyze_long(word))


def _analyze_long(word: str) -> Iterator[Token]:
    if _SPACED.match(word):
        yield Token(_fold(word[:MAX_TERM]), 0, len(word))
    else:
        yield from _pairs(word)


@lru_cache(maxsize=1 << 16)
def _analyze_short(word: str) -> tuple[Token, ...]:
    if not _SPACED.match(word):
        return tuple(_pairs(word))
    normal = word if word.isascii() else unicodedata.normalize("NFKC", word)
    parts = [match.span() for match in _PART.finditer(_shape(normal))]
    if not parts:
        return ()
    whole = _fold("".join(normal[start:end] for start, end in parts))[:MAX_TERM]
    if len(parts) == 1:
        return (Token(_stem(whole), 0, len(word)),)
    # Positions inside the word are known only where normalising kept every character in its place.
    places = parts if normal == word else [(0, len(word))] * len(parts)
    tokens = [Token(whole, 0, len(word))]
    for (start, end), place in zip(parts, places, strict=True):
        part = normal[start:end]
        if len(part) > 1 or part.isdecimal():
            tokens.append(Token(_stem(_fold(part)[:MAX_TERM]), *place))
    return tuple(tokens)


def _shape(word: str) -> str:
    if word.isascii():
        return word.translate(_ASCII_SHAPE)
    return "".join(map(_shape_of, word))


def _shape_of(character: str) -> str:
    if character.isupper():
        return "A"
    if character.isdecimal():
        return "9"
    if character == "s":
        return "s"
    return "a" if character.isalnum() or unicodedata.category(character).startswith("M") else "_"


def _pairs(run: str) -> Iterator[Token]:
    if len(run) == 1:
        yield Token(_fold(run), 0, 1)
    for start in range(len(run) - 1):
        yield Token(_fold(run[start : start + 2]), start, start + 2)


def _fold(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text.casefold())


def _stem(term: str) -> str:
    if term.isascii():
        return _ENGLISH.stemWord(term) if term.isalpha() else term
    return _RUSSIAN.stemWord(term) if _CYRILLIC.match(term) else term
