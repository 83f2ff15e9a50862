"""The analysis without a language model: what the words, lists and tables of the pages say by themselves."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

from documents.analysis import statements, tables
from documents.analysis.actions import action_in, is_labelled
from documents.analysis.dates import dates, full
from documents.analysis.model import (
    ActionItem,
    Decision,
    Findings,
    Milestone,
    OpenQuestion,
    ProgressNote,
    Risk,
    WrittenDate,
)
from documents.analysis.names import Names
from documents.analysis.sections import Section
from documents.analysis.summary import MOST_CANDIDATES, may_be_chosen
from documents.analysis.units import Page, Reading, Unit, units

MOST_ITEMS = 500
"""Of each kind: a document that holds more is a register, and search finds its rows."""

_DATE_LABEL = re.compile(
    r"^[\s*_#|>-]*(?:(?:meeting |report |issue |document |effective )?date|dated|held on|as of|дата(?: \w+)?|"
    r"от)[*_]*\s*[:|–—]?[*_]*\s*(?P<rest>.{6,40})",
    re.IGNORECASE,
)
_HEAD_LINES = 15


@dataclass
class _Found:
    actions: list[ActionItem] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    risks: list[Risk] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    questions: list[OpenQuestion] = field(default_factory=list)
    updates: list[ProgressNote] = field(default_factory=list)


def document_date(pages: Sequence[Page]) -> WrittenDate | None:
    """Return the document's own date: behind a label, or the only one in its first lines."""
    if not pages:
        return None
    lines = [line for line in pages[0].text.splitlines() if line.strip()][:_HEAD_LINES]
    for line in lines:
        if label := _DATE_LABEL.match(line):
            found = [each for each in dates(label["rest"]) if full(each.when)]
            if found and found[0].start < 4:
                return found[0].when
    for first in (lines[:2], lines[:4]):
        head = {each.when.date: each.when for line in first for each in dates(line) if full(each.when) and not each.due}
        if len(head) == 1:
            return next(iter(head.values()))
    return None


@dataclass(frozen=True)
class Read:
    """What rules found in the first `pages` pages, and the sentences that a summary can be made of."""

    findings: Findings
    sentences: list[Unit]
    pages: int


def find(pages: Sequence[Page], today: date | None, is_late: Callable[[], bool] = lambda: False) -> Read:
    """Return what rules find in pages; no page is begun when it `is_late`. Blocks.

    `today` is the document's own date.
    """
    found, names, told = _Found(), Names(), list[Unit]()
    reading, done = Reading(), 0
    for page in pages:
        if is_late():
            break
        for unit in units(page, reading):
            _take(unit, found, names, today)
            if len(told) < MOST_CANDIDATES and may_be_chosen(unit):
                told.append(unit)
        done += 1
    findings = Findings(
        actions=found.actions,
        decisions=found.decisions,
        risks=found.risks,
        milestones=found.milestones,
        questions=found.questions,
        updates=found.updates,
        names=names.found(pages[:done]),
    )
    return Read(findings, told, done)


def _take(unit: Unit, found: _Found, names: Names, today: date | None) -> None:
    """Take in what a unit says."""
    names.meet(unit)
    item = tables.item_in(unit, today) if unit.form == "row" else None
    if item is not None:
        _keep(found, item)
    else:
        _sentence(unit, found, names, today)
    if found.actions and found.actions[-1].spans[0] == unit.span:
        names.owner(found.actions[-1])


def _sentence(unit: Unit, found: _Found, names: Names, today: date | None) -> None:
    """Take in what a sentence or list item states: a date only where it states nothing else."""
    if unit.form == "row" or unit.section is Section.PEOPLE:
        question = statements.question_in(unit) if unit.form == "row" else None
        if question is not None:
            _keep(found, question)
        return
    update = statements.update_in(unit) if unit.ticked is None else None
    if update is not None:
        _keep(found, update)
        if update.says == "done":
            _date(unit, found, today)
            return
    risk = statements.risk_in(unit)
    decision = None if risk else statements.decision_in(unit, today)
    question = statements.question_in(unit)
    action = None
    elsewhere = unit.section in (Section.QUESTIONS, Section.DECISIONS) and not is_labelled(unit)
    if not (risk or decision or elsewhere):
        action = action_in(unit, names.known, today)
    states = [each for each in (risk, decision, action, question) if each is not None]
    for each in states:
        _keep(found, each)
    if not states or (unit.section is Section.MILESTONES and action is None):
        _date(unit, found, today)


def _date(unit: Unit, found: _Found, today: date | None) -> None:
    milestone = statements.milestone_in(unit, today)
    if milestone is not None:
        _keep(found, milestone)


def _keep(found: _Found, item: "ActionItem | Decision | Risk | Milestone | OpenQuestion | ProgressNote") -> None:
    kinds: dict[type, list] = {  # type: ignore[type-arg]
        ActionItem: found.actions,
        Decision: found.decisions,
        Risk: found.risks,
        Milestone: found.milestones,
        OpenQuestion: found.questions,
        ProgressNote: found.updates,
    }
    kept = kinds[type(item)]
    if len(kept) < MOST_ITEMS:
        kept.append(item)
