"""Changes in words: sentences made by rules, that say no more than the passages show."""

import re
from collections import Counter
from collections.abc import Sequence

from documents.diff.passages import Passage
from documents.diff.words import Range, Replaced

MOST_QUOTED = 80
MOST_SAID = 3
_SHORT = 3
_SIGNS = re.compile(r"^[\s|#>*+\-•]+|[\s|]+$")
_SPACE = re.compile(r"\s+")
_WORD_BEFORE = re.compile(r"(\w+)\s+$")
_ADDED, _REMOVED, _CHANGED, _MOVED = "added", "removed", "changed", "moved"


def sentence(passage: Passage) -> str:
    """Return one change as a sentence. Example: `page 3: "net 30" became "net 45"`."""
    before, after = passage.before, passage.after
    if after is None and before is not None:
        return f"{before.label}: removed {quoted(before.text)}"
    if before is None and after is not None:
        return f"{after.label}: added {quoted(after.text)}"
    if before is None or after is None:
        return ""
    place = after.label if after.label == before.label else f"{after.label} ({before.label} before)"
    if passage.kind == _MOVED:
        return f"{after.label}: moved from {before.label}: {quoted(after.text)}"
    said = [_said(before.text, after.text, each) for each in passage.replaced] or [f"changed {quoted(after.text)}"]
    more = f"; and {len(said) - MOST_SAID} more" if len(said) > MOST_SAID else ""
    return f"{place}: {'; '.join(said[:MOST_SAID])}{more}"


def counted(passages: Sequence[Passage]) -> dict[str, int]:
    found = Counter(passage.kind for passage in passages)
    return {name: found[name] for name in (_ADDED, _REMOVED, _CHANGED, _MOVED)}  # type: ignore[index]


def overview(counts: dict[str, int]) -> str:
    """Return how much changed, in one sentence."""
    total = sum(counts.values())
    if not total:
        return "The text is the same."
    parts = [f"{count} {name}" for name, count in counts.items() if count]
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    return f"{total} passage{'s' if total > 1 else ''} differ{'' if total > 1 else 's'}: {listed}."


def quoted(text: str) -> str:
    """Return a text as a quote on one line, cut where it is long."""
    plain = _SPACE.sub(" ", _SIGNS.sub("", text)).strip()
    cut = plain if len(plain) <= MOST_QUOTED else plain[: MOST_QUOTED - 1].rstrip() + "…"
    return f'"{cut}"'


def _said(before: str, after: str, change: Replaced) -> str:
    old, new = _slice(before, change.before), _slice(after, change.after)
    if not old:
        return f"added {quoted(new)}"
    if not new:
        return f"removed {quoted(old)}"
    if len(old.split()) <= _SHORT and len(new.split()) <= _SHORT:
        # "30 became 45" says little: the word before tells what it is a number of.
        lead, same = (_WORD_BEFORE.search(text[: place[0]]) for text, place in _sides(before, after, change))
        if lead and same and lead[1] == same[1]:
            old, new = f"{lead[1]} {old}", f"{same[1]} {new}"
    return f"{quoted(old)} became {quoted(new)}"


def _sides(before: str, after: str, change: Replaced) -> list[tuple[str, Range]]:
    return [(before, change.before), (after, change.after)]


def _slice(text: str, place: Range) -> str:
    return text[place[0] : place[1]]
