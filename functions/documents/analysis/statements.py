"""Decisions, risks, dates, open questions and news of earlier promises, each from one sentence or list item."""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re
from datetime import date

from documents.analysis import cues
from documents.analysis.dates import dates
from documents.analysis.model import Decision, Milestone, OpenQuestion, ProgressNote, Risk
from documents.analysis.sections import Section
from documents.analysis.units import Unit

_TRIM = " \t,;:–—-*_"
_FIRST_OWNER = re.compile(
    rf"[\s,;(\[–—-]*\b(?i:owner|raised by|ответственный|владелец)\s*[:=–—-]\s*(?P<n>{cues.NAMES})"
)
_GRADES = re.compile(r"[\s,;.(\[–—-]+$")
_OWN_DATE = re.compile(r"[\s*_#|>-]*(?:(?:\w+ )?date|dated|held on|as of|дата(?: \w+)?|от)?[\s*_:.–—-]*", re.IGNORECASE)
# The date of another text, or the head of a quoted one.
_SPEAKS_OF = re.compile(
    r"\bminutes of \d|\bwrote:\s*$|(?<!\w)писал[аи]?:\s*$|\bversion \d[\d.]* of \d|(?<!\w)версия \d", re.IGNORECASE
)
_LEAST_ASKED = 5
_TO_READER = re.compile(
    r"\b(?:you|your|everyone okay|anyone)\b|(?<!\w)(?:вы|вас|вам|ты|тебе|ваш\w*)(?!\w)", re.IGNORECASE
)
_WE = frozenset({"we", "мы"})


def _labelled(unit: Unit, section: Section) -> "tuple[int, str | None] | None":
    """Return where what a label introduces begins, and who the label names; items of a section need no label."""
    label = cues.LABELS[section].match(unit.text)
    if label:
        return label.end(), label["who"]
    if unit.section is section and unit.form == "item":
        return 0, None
    return None


def decision_in(unit: Unit, today: date | None) -> Decision | None:
    """Return the decision that a unit states."""
    text = unit.text
    found = _labelled(unit, Section.DECISIONS)
    said = cues.DECIDED.search(text) or cues.DECIDED_RU.search(text)
    if found is None and (said is None or cues.UNDECIDED.search(text)):
        return None
    begin, who = found or (0, None)
    if said and who is None and (named := said.groupdict().get("who")) and named.casefold() not in _WE:
        who = named
    # A date in a decision is mostly about what was decided: only one that stands beside the verb says when.
    when = next((each.when for each in dates(text, today) if said and 0 <= each.begin - said.end() <= 1), None)
    what = text[begin:].strip(_TRIM)
    return Decision(what=what, who=who, when=when, spans=[unit.span]) if _says(what) else None


def risk_in(unit: Unit) -> Risk | None:
    """Return the risk that a unit states, graded as written."""
    text = unit.text
    found = _labelled(unit, Section.RISKS)
    if found is None and not cues.RISKY.search(text):
        return None
    begin = found[0] if found else 0
    grades, ends = {}, [len(text)]
    patterns = {"likelihood": cues.LIKELIHOOD, "impact": cues.IMPACT, "mitigation": cues.MITIGATION}
    for name, pattern in patterns.items():
        match = pattern.search(text, begin)
        if match:
            grades[name] = next(filter(None, match.groups())).strip(_TRIM + ".")
            ends.append(match.start())
    owner = _FIRST_OWNER.search(text, begin)
    who = re.match(cues.NAMES, owner["n"]) if owner else None
    ends += [owner.start()] if owner else []
    # Grades come after what is graded; where one stands first, the whole says what the risk is.
    end = min(ends)
    end = end if end - begin >= 12 else len(text)
    what = _GRADES.sub("", text[begin:end]).strip(_TRIM)
    return Risk(what=what, who=who[0] if who else None, spans=[unit.span], **grades) if _says(what) else None


def milestone_in(unit: Unit, today: date | None) -> Milestone | None:
    """Return the date that a unit gives, and what is on it."""
    text = unit.text
    found = _labelled(unit, Section.MILESTONES)
    given = dates(text, today)
    if _SPEAKS_OF.search(text):
        return None
    given = given if found else [each for each in given if each.when.date or _has_digits(each.when.written)]
    if not given:
        return None
    is_milestone = found is not None or cues.MILESTONE.search(text) is not None
    begin = found[0] if found else 0
    first = given[0]
    what = text[begin:].strip(_TRIM)
    if found:
        # "12 March 2026 - pilot starts", "Pilot starts: 12 March 2026"
        before, after = text[begin : first.begin].strip(_TRIM + "(."), text[first.end :].strip(_TRIM + ").")
        what = before if _says(before) else after if _says(after) else what
    kind = "milestone" if is_milestone else "date"
    rest = text[: first.start] + text[first.end :]
    # The document's own date, on a line that says no more.
    own = today and not is_milestone and first.when.date == today.isoformat() and not re.search(r"[.!?]\s*$", rest)
    says = _says(what) and not own and not _OWN_DATE.fullmatch(rest)
    return Milestone(what=what, when=first.when, kind=kind, spans=[unit.span]) if says else None


def question_in(unit: Unit) -> OpenQuestion | None:
    """Return what a unit leaves open."""
    text = unit.text
    found = _labelled(unit, Section.QUESTIONS)
    asked = text.rstrip(' *_"”»').endswith("?") and (unit.section is Section.QUESTIONS or _is_open(text))
    if found is None and not asked and not cues.OPEN.search(text):
        return None
    begin, who = found or (0, None)
    what = text[begin:].strip(_TRIM)
    if owner := _FIRST_OWNER.search(what):
        named = re.match(cues.NAMES, owner["n"])
        who, what = who or (named[0] if named else None), what[: owner.start()].strip(_TRIM)
    return OpenQuestion(what=what, who=who, spans=[unit.span]) if _says(what) else None


def _is_open(text: str) -> bool:
    """Tell whether a question is one of substance, and not one that asks the reader for something."""
    return len(text.split()) >= _LEAST_ASKED and _TO_READER.search(text) is None


def update_in(unit: Unit) -> ProgressNote | None:
    """Return what a unit says of something that was to be done: it is done, or will not be."""
    text = unit.text
    found = _labelled(unit, Section.DONE)
    begin = found[0] if found else 0
    what = text[begin:].strip(_TRIM)
    if not _says(what):
        return None
    if cues.DROPPED.search(text) and found is None:
        return ProgressNote(what=what, says="dropped", spans=[unit.span])
    done = cues.DONE.search(text)
    if found is None and (done is None or cues.NOT_DONE.search(text)):
        return None
    who = re.match(rf"(?P<who>{cues.NAMES})\s", text)
    named = who["who"] if who and done and done.start() <= who.end() and not cues.is_nobody(who["who"]) else None
    return ProgressNote(what=what, says="done", who=named, spans=[unit.span])


def _has_digits(written: str) -> bool:
    return (
        any(map(str.isdigit, written))
        and re.match(r"\d{1,3} (?:\w+ )?(?:day|week|month|дн|недел|месяц)", written) is None
    )


def _says(text: str) -> bool:
    return sum(map(str.isalnum, text)) >= 3
