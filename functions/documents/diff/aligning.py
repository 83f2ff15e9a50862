"""Which paragraphs of two versions stand for each other. Pure, and bounded: time grows with length, not its square.

What stands once in both and in the same order holds the two together; between such anchors the common ones are found
by comparing all with all where that is little, and what is left over stands against each other. Of that, what is alike
in its words was changed, and what stands word by word elsewhere was moved.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from documents.diff.paragraphs import Paragraph
from documents.diff.words import likeness

LEAST_ALIKE = 0.5
LEAST_ALIKE_ELSEWHERE = 0.7
"""From here on a paragraph is another's new form, rather than another: in its place, or in any place."""
_MOST_COMPARED = 250_000
_MOST_ELSEWHERE = 4_000
_LOOKED_AT, _LOOKS = 24, 100_000
"""How many paragraphs one is compared with in its place; of a long text fewer, so that the sum is bounded."""
_LEAST_MOVED = 24
"""Shorter paragraphs stand anywhere by chance."""

Kind = Literal["added", "removed", "changed", "moved"]


@dataclass(frozen=True)
class Change:
    """A paragraph that is not what or where it was."""

    kind: Kind
    before: Paragraph | None = None
    after: Paragraph | None = None


@dataclass(frozen=True)
class _Gap:
    """What stands against each other: `[start, end)` of either side."""

    before: range
    after: range


def changes(before: Sequence[Paragraph], after: Sequence[Paragraph]) -> list[Change]:
    """Return what changed, in the order of the later version; what was removed comes where it stood."""
    one, other = [each.key for each in before], [each.key for each in after]
    looked_at = max(2, min(_LOOKED_AT, _LOOKS // max(1, len(one))))
    found = [change for gap in _gaps(one, other) for change in _within(before, after, gap, looked_at)]
    return _reworded(_moved(found))


def _gaps(one: Sequence[str], other: Sequence[str]) -> Iterator[_Gap]:
    """Yield the ranges between the paragraphs that both have in the same order."""
    done_one = done_other = 0
    for here, there in [*_anchors(one, other), (len(one), len(other))]:
        yield from _compared(one, other, range(done_one, here), range(done_other, there))
        done_one, done_other = here + 1, there + 1


def _anchors(one: Sequence[str], other: Sequence[str]) -> list[tuple[int, int]]:
    """Return the longest rising sequence of pairs of what occurs once in either."""
    counts, others = Counter(one), Counter(other)
    places = {key: place for place, key in enumerate(other) if others[key] == 1}
    pairs = [(here, places[key]) for here, key in enumerate(one) if counts[key] == 1 and key in places]
    return _rising(pairs)


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    tails: list[int] = []
    last: list[int] = []
    previous: list[int] = []
    for number, (_, there) in enumerate(pairs):
        length = bisect_left(tails, there)
        previous.append(last[length - 1] if length else -1)
        tails[length : length + 1] = [there]
        last[length : length + 1] = [number]
    chosen = []
    number = last[-1] if last else -1
    while number >= 0:
        chosen.append(pairs[number])
        number = previous[number]
    return chosen[::-1]


def _compared(one: Sequence[str], other: Sequence[str], here: range, there: range) -> Iterator[_Gap]:
    """Yield what is left of two ranges without what both have."""
    if not here and not there:
        return
    if not here or not there or len(here) * len(there) > _MOST_COMPARED:
        yield _Gap(here, there)
        return
    mine, theirs = [one[place] for place in here], [other[place] for place in there]
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        if tag != "equal":
            yield _Gap(here[i1:i2], there[j1:j2])


def _within(before: Sequence[Paragraph], after: Sequence[Paragraph], gap: _Gap, looked_at: int) -> Iterator[Change]:
    """Yield the changes of a gap: each paragraph goes with the first that is alike enough and not passed yet."""
    begin, end = gap.after.start, gap.after.stop
    for here in gap.before:
        near = range(begin, min(end, begin + looked_at))
        found = next((there for there in near if _alike(before[here], after[there])), None)
        if found is None:
            yield Change("removed", before=before[here])
            continue
        for there in range(begin, found):
            yield Change("added", after=after[there])
        yield Change("changed", before[here], after[found])
        begin = found + 1
    for there in range(begin, end):
        yield Change("added", after=after[there])


def _alike(one: Paragraph, other: Paragraph) -> bool:
    return one.is_row == other.is_row and likeness(one.bag, other.bag, LEAST_ALIKE) > 0


def _moved(found: Sequence[Change]) -> list[Change]:
    """Return the changes with what was taken away here and stands there as one, where it stands now."""
    gone: dict[str, list[int]] = {}
    for number, change in enumerate(found):
        if change.kind == "removed" and change.before and len(change.before.key) >= _LEAST_MOVED:
            gone.setdefault(change.before.key, []).append(number)
    merged: dict[int, Change | None] = {}
    for number, change in enumerate(found):
        if change.kind == "added" and change.after and (places := gone.get(change.after.key)):
            origin = places.pop(0)
            merged[origin] = None
            merged[number] = Change("moved", found[origin].before, change.after)
    kept = (merged.get(number, change) for number, change in enumerate(found))
    return [change for change in kept if change is not None]


def _reworded(found: Sequence[Change]) -> list[Change]:
    """Return the changes with what stands elsewhere in nearly the same words as changed, where these are few."""
    gone = [n for n, change in enumerate(found) if change.kind == "removed"]
    come = [n for n, change in enumerate(found) if change.kind == "added"]
    if len(gone) * len(come) > _MOST_ELSEWHERE:
        return list(found)
    pairs = sorted(((_elsewhere(found[here], found[there]), here, there) for here in gone for there in come), key=_best)
    merged: dict[int, Change | None] = {}
    for alike, here, there in pairs:
        if alike >= LEAST_ALIKE_ELSEWHERE and here not in merged and there not in merged:
            merged[here] = None
            merged[there] = Change("changed", found[here].before, found[there].after)
    kept = (merged.get(number, change) for number, change in enumerate(found))
    return [change for change in kept if change is not None]


def _elsewhere(removed: Change, added: Change) -> float:
    one, other = removed.before, added.after
    if one is None or other is None or one.is_row != other.is_row or len(one.key) < _LEAST_MOVED:
        return 0.0
    return likeness(one.bag, other.bag, LEAST_ALIKE_ELSEWHERE)


def _best(pair: tuple[float, int, int]) -> tuple[float, int, int]:
    return -pair[0], pair[1], pair[2]
