"""Excerpts: the part of a chunk that shows why it was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from almanac.text.tokenize import Token, occurrences

PROSE_LENGTH = 320
CODE_LENGTH = 640
_SNAP = 40
_TELLING = 0.2
"""A term below this share of the query's most telling one ("the", "is") is not highlighted."""


@dataclass(frozen=True)
class Excerpt:
    """`text` is a slice of the chunk; `highlights` are ranges of its code points, apart and in order.

    `first_line` and `last_line` count from 0, from the chunk's first line.
    """

    text: str
    highlights: list[tuple[int, int]]
    first_line: int
    last_line: int


def excerpt(text: str, weights: Mapping[str, float], *, code: bool = False) -> Excerpt:
    """Cut the window that shows the most weight of distinct query terms, the earliest one among equals.

    Code is cut at line ends and prose at white space, where one is near.
    """
    least = _TELLING * max(weights.values(), default=0)
    weights = {term: weight for term, weight in weights.items() if weight >= least}
    found = occurrences(text, weights)
    length = CODE_LENGTH if code else PROSE_LENGTH
    start = _best_start(found, weights, length) if len(text) > length else 0
    start, end = (_whole_lines if code else _whole_words)(text, start, length)
    spans = [(max(token.start, start) - start, min(token.end, end) - start) for token in found]
    before = text.count("\n", 0, start)
    return Excerpt(
        text[start:end],
        _apart([span for span in spans if span[0] < span[1]]),
        before,
        before + text.count("\n", start, end),
    )


def _best_start(found: Sequence[Token], weights: Mapping[str, float], length: int) -> int:
    """Slide a window over the matches; return where to begin, with a little room before the first of them."""
    room = length // 8
    best, best_start, inside, weight, first = 0.0, 0, dict.fromkeys(weights, 0), 0.0, 0
    for token in found:
        inside[token.term] += 1
        while found[first].start < token.end - (length - 2 * room):
            inside[found[first].term] -= 1
            first += 1
        weight = sum(weights[term] for term, count in inside.items() if count)
        if weight > best:
            best, best_start = weight, max(0, found[first].start - room)
    return best_start


def _whole_lines(text: str, start: int, length: int) -> tuple[int, int]:
    line_start = text.rfind("\n", 0, start) + 1
    start = line_start if start - line_start <= 2 * _SNAP else start
    if len(text) - start <= length:
        return start, len(text)
    line_end = text.rfind("\n", start + length // 2, start + length)
    return start, line_end if line_end != -1 else start + length


def _whole_words(text: str, start: int, length: int) -> tuple[int, int]:
    if start > 0:
        space = text.rfind(" ", max(0, start - _SNAP), start)
        start = space + 1 if space != -1 else start
    if len(text) - start <= length:
        return start, len(text)
    space = text.rfind(" ", start + length - _SNAP, start + length)
    return start, space if space != -1 else start + length


def _apart(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Merge ranges that overlap; those of an identifier lie within each other."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
