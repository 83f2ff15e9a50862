"""Rows of tables whose headers say what they hold: actions, risks, decisions, milestones, questions, people."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re
from datetime import date
from enum import StrEnum

from documents.analysis.dates import dates
from documents.analysis.model import ActionItem, Decision, Milestone, OpenQuestion, Risk, WrittenDate
from documents.analysis.sections import Section
from documents.analysis.units import Unit


class Column(StrEnum):
    """What a column holds."""

    ACTION = "action"
    RISK = "risk"
    DECISION = "decision"
    QUESTION = "question"
    MILESTONE = "milestone"
    WHAT = "what"
    WHO = "who"
    WHEN = "when"
    STATE = "state"
    LIKELIHOOD = "likelihood"
    IMPACT = "impact"
    MITIGATION = "mitigation"
    PERSON = "person"


_HEADERS = {
    column: re.compile(words, re.IGNORECASE)
    for column, words in {
        Column.ACTION: r"action(?: item)?s?|tasks?|to-?dos?|commitment|follow-?up|задач[аи]|поручени[ея]|действи[ея]|"
        r"мероприяти[ея]|что сделать",
        Column.RISK: r"risks?(?: description| event)?|описание риска|риски?",
        Column.DECISION: r"decisions?|resolutions?|решени[ея]",
        Column.QUESTION: r"(?:open )?questions?|open (?:issue|point)s?|(?:открытые )?вопросы?",
        Column.MILESTONE: r"milestones?|phase|stage|key dates?|event|вех[аи]|этапы?|событи[ея]|контрольн\w+ точк\w+",
        Column.WHAT: r"descriptions?|item|what|deliverables?|activity|work|details|summary|subject|описание|что|"
        r"содержание|результат|наименование|работы",
        Column.WHO: r"owners?|assignees?|assigned(?: to)?|responsible(?: party| person)?|who|lead|by whom|decided by|"
        r"ответственн\w+|исполнител\w+|кто|владелец",
        Column.WHEN: r"due(?: date| by)?|deadline|dates?|when|by when|target(?: date)?|eta|planned(?: date)?|"
        r"срок\w*(?: исполнения)?|дат[аы]|когда|дедлайн|плановая дата",
        Column.STATE: r"status|state|progress|статус|состояние|выполнение",
        Column.LIKELIHOOD: r"likelihood|probability|chance|вероятность",
        Column.IMPACT: r"impact|severity|consequences?|влияние|воздействие|последствия|ущерб",
        Column.MITIGATION: r"mitigations?(?: plan| actions?)?|response|contingency|меры(?: \w+)?|реагирование|"
        r"план реагирования|снижение",
        Column.PERSON: r"names?|attendees?|participants?|имя|фио|участники?|ф\. ?и\. ?о\.",
    }.items()
}
_NOTHING = re.compile(r"[\s\-–—./?*]*|n/?a|none|tb[dca]|нет|уточняется", re.IGNORECASE)
_MARKS = re.compile(r"^[*_`\s]+|[*_`\s]+$")

Row = ActionItem | Decision | Risk | Milestone | OpenQuestion


def column_of(header: str) -> Column | None:
    """Return what a header says of its column."""
    words = " ".join(header.strip(" *_`:").split())
    return next((column for column, pattern in _HEADERS.items() if pattern.fullmatch(words)), None)


def read(unit: Unit) -> dict[Column, str]:
    """Return the cells that say something, by what they hold; of two columns of one kind the first."""
    found: dict[Column, str] = {}
    for cell in unit.cells:
        column, text = column_of(cell.header), _MARKS.sub("", cell.text)
        if column is not None and not _NOTHING.fullmatch(text):
            found.setdefault(column, text)
    return found


def item_in(unit: Unit, today: date | None) -> Row | None:
    """Return what a row states."""
    cells = read(unit)
    headers = {column_of(cell.header) for cell in unit.cells}
    kind = _kind(headers, unit.section)
    if kind is None:
        return None
    what = cells.get(kind) or cells.get(Column.WHAT) or (cells.get(Column.MILESTONE) if kind is Column.ACTION else None)
    if what is None:
        return None
    return _item(kind, what, cells, unit, today)


def _kind(headers: "set[Column | None]", section: Section | None) -> Column | None:
    if Column.RISK in headers or {Column.LIKELIHOOD, Column.IMPACT} <= headers or section is Section.RISKS:
        return Column.RISK
    if Column.DECISION in headers or section is Section.DECISIONS:
        return Column.DECISION
    if Column.QUESTION in headers or section is Section.QUESTIONS:
        return Column.QUESTION
    if Column.ACTION in headers or section is Section.ACTIONS:
        return Column.ACTION
    if Column.WHEN in headers and (Column.MILESTONE in headers or section is Section.MILESTONES):
        return Column.MILESTONE
    if Column.WHAT in headers and Column.WHO in headers and headers & {Column.WHEN, Column.STATE}:
        return Column.ACTION
    return None


def _item(kind: Column, what: str, cells: dict[Column, str], unit: Unit, today: date | None) -> Row | None:
    spans, who, when = [unit.span], cells.get(Column.WHO), _when(cells.get(Column.WHEN), today)
    match kind:
        case Column.RISK:
            grades = {name: cells.get(Column(name)) for name in ("likelihood", "impact", "mitigation")}
            return Risk(what=what, who=who, spans=spans, **grades)
        case Column.DECISION:
            return Decision(what=what, who=who, when=when, spans=spans)
        case Column.QUESTION:
            return OpenQuestion(what=what, who=who, spans=spans)
        case Column.MILESTONE:
            return Milestone(what=what, when=when, kind="milestone", spans=spans) if when else None
        case _:
            return ActionItem(what=what, who=who, when=when, state=cells.get(Column.STATE), spans=spans)


def _when(cell: str | None, today: date | None) -> WrittenDate | None:
    """Return the date of a cell; what is no date ("ASAP", "week 12") stays as it is written."""
    if cell is None:
        return None
    prefix = "by "
    found = dates(prefix + cell, today)
    return WrittenDate(written=cell, date=found[0].when.date if len(found) == 1 else None)
