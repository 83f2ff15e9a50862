"""What a sentence states that another can contradict: quantities, dates, denials and who is in charge.

Read by rules, from English words and from figures in any language. What the rules do not see is no fact.
"""
# ruff: noqa: RUF001 - dashes and quotes are meant as they are

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from almanac.text.tokenize import terms
from search.asking.negation import denies
from search.asking.questions import content_terms

Date = tuple[int | None, int | None, int | None]
"""Year, month and day; what is not said is None."""

_UNITS = {
    "second": ("seconds", 1), "sec": ("seconds", 1), "minute": ("seconds", 60), "min": ("seconds", 60),
    "hour": ("seconds", 3600), "day": ("seconds", 86_400), "week": ("seconds", 604_800),
    "fortnight": ("seconds", 1_209_600), "month": ("months", 1), "quarter": ("months", 3), "year": ("months", 12),
    "percent": ("%", 1), "%": ("%", 1), "percentage": ("%", 1),
    "euro": ("€", 1), "eur": ("€", 1), "€": ("€", 1), "dollar": ("$", 1), "usd": ("$", 1), "$": ("$", 1),
    "pound": ("£", 1), "gbp": ("£", 1), "£": ("£", 1),
}  # fmt: skip
_SCALES = {"k": 10**3, "thousand": 10**3, "m": 10**6, "million": 10**6, "bn": 10**9, "billion": 10**9}
_WORDS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70,
    "eighty": 80, "ninety": 90, "hundred": 100, "once": 1, "twice": 2,
}  # fmt: skip
_LABELS = frozenset(
    {"page", "pages", "section", "clause", "article", "chapter", "paragraph", "version", "step", "figure", "table"}
    | {"annex", "appendix", "item", "phase", "part", "level", "no", "number"}
)
"""A number behind one of these names something: it measures nothing."""
_MONTHS = {
    name: number
    for number, names in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul", "august aug",
         "september sep sept", "october oct", "november nov", "december dec"), 1)
    for name in names.split()
}  # fmt: skip
_WEEKDAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
MEASURES = frozenset(stem for word in (*_UNITS, *_SCALES, *_WORDS, *_MONTHS, *_WEEKDAYS) for stem in terms(word)) - {
    "no",
    "second",
}
"""The stems of words that say how much or when, and not of what."""
_DATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\b(?P<y>\d{4})-(?P<m>\d{2})-(?P<d>\d{2})\b",
        r"\b(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})\b",
        rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<name>{_MONTH})\b\.?,?(?:\s+(?P<y>\d{{4}}))?",
        rf"\b(?P<name>{_MONTH})\.?\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?!\s*[%:])(?:,?\s+(?P<y>\d{{4}}))?",
        rf"\b(?P<name>{_MONTH})\.?,?\s+(?P<y>\d{{4}})\b",
        rf"\b(?:in|by|until|till|before|after|since|of|from|end of|early|late|mid)\s+(?P<name>{_MONTH})\b",
    )
)
_WEEKDAY = re.compile(rf"\b({'|'.join(_WEEKDAYS)})s?\b", re.IGNORECASE)
_QUANTITY = re.compile(
    r"(?P<sign>[€$£])?\s?(?<![\w.,])(?P<figure>\d+(?:[.,]\d+)*)(?![\w]*[-/]\d)\s?(?P<after>%|[€$£]|[^\W\d_]+)?"
    rf"|\b(?P<word>{'|'.join(sorted(_WORDS, key=len, reverse=True))})\b(?:[\s-](?P<then>[^\W\d_]+))?",
    re.IGNORECASE,
)
_LAST_WORD = re.compile(r"([^\W\d_]+)\W*$")
_NAME = r"(?P<{}>[A-Z][\w'’-]+(?:\s+(?:van|von|de|der|den|al)\b)*(?:\s+[A-Z][\w'’-]+){{0,2}})"
_OWNERS = tuple(
    re.compile(pattern)
    for pattern in (
        r"\b(?i:owner|lead|manager|contact|responsible|approver|assignee|accountable)(?:\s+(?i:person|party))?"
        r"(?:\s+(?i:of|for)\s+[^.:;]{1,60}?)?\s*(?:\s(?i:is|are)\s|:|-|–|·)\s*" + _NAME.format("a"),
        r"\b(?i:owned|led|managed|approved|reviewed|assigned|signed|maintained|run)(?:\s+off)?\s+(?i:by|to)\s+"
        r"(?:(?i:the)\s+)?" + _NAME.format("b"),
        _NAME.format("c") + r"\s+(?:is|are|will\s+be|remains)\s+(?:the\s+)?"
        r"(?:responsible|accountable|owner|lead|manager|in\s+charge)\b",
        _NAME.format("d") + r"\s+(?:owns|leads|manages|approves|maintains|signs)\b",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """`quantities` are values by what they count: a unit, or the stem of the word beside them.

    `labels` are the numbers that only name something, by what it is: phase 2.
    """

    sentence: str
    quantities: Mapping[str, frozenset[Decimal]] = field(default_factory=dict)
    dates: frozenset[Date] = frozenset()
    weekdays: frozenset[str] = frozenset()
    owners: frozenset[str] = frozenset()
    labels: Mapping[str, frozenset[Decimal]] = field(default_factory=dict)


def facts_of(sentence: str) -> Facts:
    """Return what a sentence states."""
    dates, rest = _dates(sentence)
    quantities: dict[str, set[Decimal]] = {}
    labels: dict[str, set[Decimal]] = {}
    for name, value, is_label in _quantities(rest):
        (labels if is_label else quantities).setdefault(name, set()).add(value)
    return Facts(
        sentence,
        {name: frozenset(values) for name, values in quantities.items()},
        frozenset(dates),
        frozenset(match[1].lower() for match in _WEEKDAY.finditer(sentence)),
        frozenset(_owners(sentence)),
        {name: frozenset(values) for name, values in labels.items()},
    )


def differing(one: Facts, other: Facts) -> list[str]:
    """Return in which ways two sentences about the same thing cannot both be right; none, if its number is another."""
    if _differ(one.labels, other.labels):
        return []
    found = {
        "number": _differ(one.quantities, other.quantities),
        "date": _apart(one.dates, other.dates) or _disjoint(one.weekdays, other.weekdays),
        "denial": denies(one.sentence, other.sentence) != denies(other.sentence, one.sentence),
        "owner": _disjoint(one.owners, other.owners),
    }
    return [name for name, differs in found.items() if differs]


def _differ(one: Mapping[str, frozenset[Decimal]], other: Mapping[str, frozenset[Decimal]]) -> bool:
    return any(one[name].isdisjoint(other[name]) for name in one.keys() & other.keys())


def _disjoint(one: frozenset[str], other: frozenset[str]) -> bool:
    return bool(one and other) and one.isdisjoint(other)


def _apart(one: frozenset[Date], other: frozenset[Date]) -> bool:
    """Tell whether no date of either may be one of the other's: what is not said of a date may be anything."""
    return bool(one and other) and not any(_may_be(first, second) for first in one for second in other)


def _may_be(one: Date, other: Date) -> bool:
    return all(a is None or b is None or a == b for a, b in zip(one, other, strict=True))


def _dates(sentence: str) -> tuple[list[Date], str]:
    """Return the dates of a sentence, and the sentence without them."""
    found: list[Date] = []
    for pattern in _DATES:
        for match in pattern.finditer(sentence):
            groups = match.groupdict()
            month = _MONTHS[groups["name"].lower()] if groups.get("name") else int(groups["m"])
            year, day = (int(groups[name]) if groups.get(name) else None for name in ("y", "d"))
            if 1 <= month <= 12 and (day is None or 1 <= day <= 31):
                found.append((year, month, day))
        sentence = pattern.sub(" ; ", sentence)
    return found, sentence


def _quantities(sentence: str) -> Iterator[tuple[str, Decimal, bool]]:
    """Yield what is counted, how much of it, and whether that only names it."""
    for match in _QUANTITY.finditer(sentence):
        before = _LAST_WORD.search(sentence[: match.start()])
        lead = before[1].lower() if before else ""
        if match["word"]:
            value, after = Decimal(_WORDS[match["word"].lower()]), (match["then"] or "").lower()
        else:
            value, after = _value(match["figure"]), (match["after"] or "").lower()
        if lead in _LABELS and not match["sign"]:
            yield terms(lead)[0], value, True
            continue
        if match["word"] and not after:
            continue
        if after in _SCALES:
            value, after = value * _SCALES[after], ""
        unit = match["sign"] or after
        name, scale = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s")) or ("", 1)
        if name:
            yield name, value * scale, False
        elif stems := content_terms(after) or content_terms(lead):
            yield stems[0], value, False


def _value(figure: str) -> Decimal:
    """Read a figure: a comma before three digits parts thousands, as do several points; else it is a fraction's."""
    plain = re.sub(r",(?=\d{3}(?:\D|$))", "", figure)
    plain = plain.replace(".", "") if plain.count(".") > 1 else plain
    try:
        return Decimal(plain.replace(",", "."))
    except InvalidOperation:
        return Decimal(re.sub(r"\D", "", figure) or 0)


def _owners(sentence: str) -> Iterator[str]:
    for pattern in _OWNERS:
        for match in pattern.finditer(sentence):
            (name,) = match.groupdict().values()
            yield " ".join(name.casefold().split())
