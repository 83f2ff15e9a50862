"""The sentences that say most of what a document says: its own, chosen by its words and by the index's vectors.

A sentence is worth what its words are worth in the whole document, a sentence whose passage lies near the middle of all
passages' meaning more. No two of those chosen say the same.
"""

import math
from collections.abc import Mapping, Sequence

from documents.analysis.model import SummarySentence
from documents.analysis.names import lists_names
from documents.analysis.sections import Section
from documents.analysis.terms import content
from documents.analysis.units import Unit

SENTENCES = 5
SHORTEST, LONGEST = 30, 400
MOST_CANDIDATES = 20_000
_ALIKE = 0.6
_EARLY, _TITLED, _MEANT, _LISTED = 0.15, 0.6, 0.6, -0.2

Nearness = Mapping[int, Sequence[tuple[int, int, float]]]
"""By page: the passages [start, end) and how near each is to the middle of the document, 0 to 1."""


def may_be_chosen(unit: Unit) -> bool:
    """Tell whether a unit can stand in a summary."""
    if unit.form == "row" or unit.section is Section.PEOPLE or not SHORTEST <= unit.end - unit.start <= LONGEST:
        return False
    text = unit.text
    return sum(map(str.isalpha, text)) * 2 > len(text) and not text.rstrip().endswith(":") and not lists_names(text)


def choose(units: Sequence[Unit], nearness: Nearness) -> list[SummarySentence]:
    """Return the summary in the order of the text. Blocks."""
    bags = [content(unit.text) for unit in units]
    counts: dict[str, int] = {}
    for bag in bags:
        for term in bag:
            counts[term] = counts.get(term, 0) + 1
    ranked = sorted(
        (
            (_worth(unit, bag, counts, place / len(units), nearness), place)
            for place, (unit, bag) in enumerate(zip(units, bags, strict=True))
        ),
        key=lambda each: (-each[0], each[1]),
    )
    chosen: list[int] = []
    for worth, place in ranked:
        if len(chosen) == SENTENCES or worth <= 0:
            break
        if not any(_share(bags[place], bags[other]) > _ALIKE for other in chosen):
            chosen.append(place)
    spans = [units[place].span for place in sorted(chosen)]
    return [SummarySentence(text=" ".join(span.quote.split()), span=span) for span in spans]


def _worth(unit: Unit, bag: frozenset[str], counts: Mapping[str, int], depth: float, nearness: Nearness) -> float:
    if len(bag) < 3:
        return 0.0
    # Words that come once say little of the whole; long sentences do not win by their length alone.
    words = sum(math.log(counts[term]) for term in bag) / math.pow(len(bag), 0.6)
    early = _EARLY * max(0.0, 1 - 5 * depth)
    titled = _TITLED if unit.section is Section.SUMMARY else 0.0
    listed = _LISTED if unit.form == "item" else 0.0
    return (words + 0.1) * (1 + early + titled + listed + _MEANT * _near(unit, nearness))


def _near(unit: Unit, nearness: Nearness) -> float:
    passages = nearness.get(unit.page.number, ())
    return next((value for start, end, value in passages if start <= unit.start < end), 0.0)


def _share(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, min(len(one), len(other)))
