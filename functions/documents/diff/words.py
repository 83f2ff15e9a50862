"""Two forms of a paragraph, word by word."""

import re
from collections import Counter
from dataclasses import dataclass
from difflib import SequenceMatcher

_TOKEN = re.compile(r"\d+(?:[.,:/-]\d+)*|\w+|[^\w\s]")
_MOST_COMPARED = 640_000
"""So many pairs of words are compared at most; what is longer is compared by its two ends."""

Range = tuple[int, int]


@dataclass(frozen=True)
class Replaced:
    """Words that stand in the place of others; one of the two may be empty."""

    before: Range
    after: Range


@dataclass(frozen=True)
class _Word:
    text: str
    start: int
    end: int


def bag(text: str) -> Counter[str]:
    """Return the words of a text, counted."""
    return Counter(_TOKEN.findall(text.casefold()))


def likeness(one: Counter[str], other: Counter[str], least: float = 0.0) -> float:
    """Return which share of their words two texts have in common, however ordered: 0 to 1; 0 for less than `least`."""
    mine, theirs = one.total(), other.total()
    if not mine or not theirs or 2 * min(mine, theirs) < least * (mine + theirs):
        return 0.0
    few, many = (one, other) if len(one) < len(other) else (other, one)
    shared = sum(min(count, many[word]) for word, count in few.items() if word in many)
    alike = 2 * shared / (mine + theirs)
    return alike if alike >= least else 0.0


def replaced(before: str, after: str) -> list[Replaced]:
    """Return what to replace in a text to have another, in order, as ranges of both."""
    mine, theirs = _words(before), _words(after)
    found = []
    for i1, i2, j1, j2 in _differing([w.text for w in mine], [w.text for w in theirs]):
        found.append(Replaced(_range(mine, i1, i2), _range(theirs, j1, j2)))
    return found


def _differing(one: list[str], other: list[str]) -> list[tuple[int, int, int, int]]:
    head = 0
    while head < min(len(one), len(other)) and one[head] == other[head]:
        head += 1
    tail = 0
    while tail < min(len(one), len(other)) - head and one[-1 - tail] == other[-1 - tail]:
        tail += 1
    mine, theirs = one[head : len(one) - tail], other[head : len(other) - tail]
    if not mine and not theirs:
        return []
    if len(mine) * len(theirs) > _MOST_COMPARED:
        return [(head, len(one) - tail, head, len(other) - tail)]
    codes = SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes()
    return [(i1 + head, i2 + head, j1 + head, j2 + head) for tag, i1, i2, j1, j2 in codes if tag != "equal"]


def _words(text: str) -> list[_Word]:
    return [_Word(match[0], match.start(), match.end()) for match in _TOKEN.finditer(text)]


def _range(words: list[_Word], first: int, last: int) -> Range:
    """Return where some words stand; none stand where the one before them ends."""
    if first < last:
        return words[first].start, words[last - 1].end
    place = words[first - 1].end if first else 0
    return place, place
