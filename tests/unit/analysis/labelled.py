"""Short documents with what a person finds in them, and how much of that the rules find.

`HELD_BACK` were not looked at while the rules were written.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from documents.analysis import rules
from documents.analysis.checks import flat
from documents.analysis.dates import full
from documents.analysis.model import Findings
from documents.analysis.units import Page

DATA = Path(__file__).parent / "data"
HELD_BACK = frozenset({"en_email_update.md", "en_site_visit.md", "en_trustees.md", "ru_email.md"})
KINDS = ("actions", "decisions", "risks", "milestones", "names", "questions")
FIELDS = {"actions": ("who", "when"), "risks": ("likelihood", "impact"), "milestones": ("date",)}


@dataclass
class Score:
    """How many of the `labelled` were found among those `returned`, and how many of their fields are as labelled."""

    labelled: int = 0
    returned: int = 0
    found: int = 0
    fields: int = 0
    fields_right: int = 0

    def add(self, other: "Score") -> None:
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def precision(self) -> float:
        return self.found / self.returned if self.returned else 1.0

    @property
    def recall(self) -> float:
        return self.found / self.labelled if self.labelled else 1.0

    @property
    def fields_share(self) -> float:
        return self.fields_right / self.fields if self.fields else 1.0


@cache
def labels() -> Mapping[str, Mapping[str, Any]]:
    return dict(json.loads((DATA / "labels.json").read_text()))


def names() -> Iterator[str]:
    yield from sorted(labels())


@cache
def found_in(name: str) -> Findings:
    """Return what the rules find in a document."""
    pages = [Page.of(1, "page 1", (DATA / name).read_text())]
    return rules.find(pages, full(rules.document_date(pages))).findings


def score(name: str, kind: str) -> Score:
    """Hold what was found of one kind against the labels: each label and each finding counts once."""
    expected, found = list(labels()[name][kind]), list(getattr(found_in(name), kind))
    result = Score(len(expected), len(found))
    for label in expected:
        wanted = flat(label if isinstance(label, str) else label["quote"])
        match = next((each for each in found if _fits(wanted, each)), None)
        if match is None:
            continue
        found.remove(match)
        result.found += 1
        for field in FIELDS.get(kind, ()):
            result.fields += 1
            result.fields_right += _field(match, field) == _spelled(label[field])
    return result


def total(kinds: Iterable[str], *, held_back: bool) -> Score:
    """Return the sum over the documents that were held back, or over the others."""
    result = Score()
    for name in names():
        if (name in HELD_BACK) is held_back:
            for kind in kinds:
                result.add(score(name, kind))
    return result


def misses(name: str, kind: str) -> tuple[list[str], list[str]]:
    """Return labels that nothing found fits, and findings that fit no label."""
    found = list(getattr(found_in(name), kind))
    missing = []
    for label in labels()[name][kind]:
        wanted = label if isinstance(label, str) else label["quote"]
        match = next((each for each in found if _fits(flat(wanted), each)), None)
        if match is None:
            missing.append(wanted)
        else:
            found.remove(match)
    return missing, [getattr(each, "what", None) or each.name for each in found]


def _fits(wanted: str, item: Any) -> bool:
    if hasattr(item, "name"):
        return flat(item.name) == wanted
    return wanted in flat(item.what) or (flat(item.what) in wanted and len(flat(item.what)) > 5)


def _field(item: Any, field: str) -> str | None:
    if field == "date":
        return _spelled(item.when.date)
    value = getattr(item, field)
    if field == "when":
        value = (value.date or value.written) if value else None
    return _spelled(value)


def _spelled(value: str | None) -> str | None:
    return value.casefold().removeprefix("the ") if value else None
