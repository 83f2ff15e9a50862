"""Changes as they are shown: neighbours of one page together, long ones cut, changed words marked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from documents.diff.aligning import Change, Kind
from documents.diff.paragraphs import Paragraph
from documents.diff.words import Range, Replaced, replaced

MOST_SHOWN = 4000


@dataclass(frozen=True)
class Side:
    """Where a passage stands in one version, and what it says; `whole`: nothing was cut off."""

    page: int
    label: str
    text: str
    whole: bool = True


@dataclass(frozen=True)
class Passage:
    """One change. `replaced` are the words that differ, of a changed one, as ranges of either text."""

    kind: Kind
    before: Side | None
    after: Side | None
    replaced: tuple[Replaced, ...] = ()

    def marks(self, side: Side | None) -> list[Range]:
        """Return the ranges of a side's text that differ, in order."""
        if side is None:
            return []
        ranges = (each.before if side is self.before else each.after for each in self.replaced)
        return [place for place in ranges if place[0] < place[1]]


def passages(found: Sequence[Change]) -> list[Passage]:
    """Return the changes as passages, in order."""
    return [_passage(group) for group in _together(found)]


def _together(found: Sequence[Change]) -> Iterator[list[Change]]:
    """Yield neighbours that were added to, or removed from, the same page as one."""
    group: list[Change] = []
    length = 0
    for change in found:
        size = len((change.after or change.before).text)  # type: ignore[union-attr]
        if group and not (_joins(group[-1], change) and length + size <= MOST_SHOWN):
            yield group
            group, length = [], 0
        group.append(change)
        length += size
    if group:
        yield group


def _joins(last: Change, change: Change) -> bool:
    if last.kind != change.kind or change.kind not in {"added", "removed"}:
        return False
    one, other = last.after or last.before, change.after or change.before
    return one is not None and other is not None and one.page is other.page


def _passage(group: Sequence[Change]) -> Passage:
    kind = group[0].kind
    before = _side([change.before for change in group if change.before])
    after = _side([change.after for change in group if change.after])
    differing = tuple(replaced(before.text, after.text)) if kind == "changed" and before and after else ()
    return Passage(kind, before, after, differing)


def _side(several: Sequence[Paragraph]) -> Side | None:
    if not several:
        return None
    page, first, last = several[0].page, several[0].first_line, several[-1].last_line
    joint = "\n" if all(each.is_row for each in several) else "\n\n"
    text = joint.join(each.text for each in several)
    return Side(page.number, page.label(first, last), text[:MOST_SHOWN], len(text) <= MOST_SHOWN)
