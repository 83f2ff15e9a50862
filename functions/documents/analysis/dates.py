"""Dates in English and Russian text, as written and as ISO 8601.

What is ambiguous stays open: 03/04/2026 is April to one reader and March to another.
"""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from documents.analysis.model import WrittenDate

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan января январь январе янв",
            "february feb февраля февраль феврале фев",
            "march mar марта март марте мар",
            "april apr апреля апрель апреле апр",
            "may мая май мае",
            "june jun июня июнь июне июн",
            "july jul июля июль июле июл",
            "august aug августа август августе авг",
            "september sept sep сентября сентябрь сентябре сен сент",
            "october oct октября октябрь октябре окт",
            "november nov ноября ноябрь ноябре ноя нояб",
            "december dec декабря декабрь декабре дек",
        ),
        1,
    )
    for name in names.split()
}
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        (
            "monday mon понедельник понедельника понедельнику",
            "tuesday tue вторник вторника вторнику",
            "wednesday wed среду среды среде",
            "thursday thu четверг четверга четвергу",
            "friday fri пятницу пятницы пятнице",
            "saturday sat субботу субботы субботе",
            "sunday sun воскресенье воскресенья воскресенью",
        )
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_WEEKDAY = "|".join(sorted(_WEEKDAYS, key=len, reverse=True))
_YEAR = r"(?:19|20)\d\d"
_DATE = re.compile(
    rf"(?<![\w./-])(?:(?P<iso>(?P<y1>{_YEAR})-(?P<m1>\d\d)-(?P<d1>\d\d))(?![\w-])|"
    rf"(?P<d2>\d{{1,2}})\.(?P<m2>\d{{1,2}})\.(?P<y2>{_YEAR}|\d\d)(?![\w.]*\d)|"
    rf"(?P<s1>\d{{1,2}})/(?P<s2>\d{{1,2}})/(?P<y3>{_YEAR}|\d\d)(?![\w/])|(?P<d4>\d{{1,2}})(?:st|nd|rd|"
    rf"th)?[ -](?:of )?(?P<m4>{_MONTH})\b(?:\.?,?[ -]?(?P<y4>{_YEAR})\b)?|(?P<m5>{_MONTH})\.? (?P<d5>\d{{1,2}})(?:st|"
    rf"nd|rd|th)?(?![\w:])(?:,? (?P<y5>{_YEAR})\b)?|(?P<m6>{_MONTH})\.?,? (?P<y6>{_YEAR})\b|(?P<quarter>(?:Q[1-4]|"
    rf"[1-4]Q|(?:[IV]{{1,3}}|[1-4])(?:-?й|-?го)? (?:квартал\w*|кв\.?))(?:[ ,]+{_YEAR})?)\b)",
    re.IGNORECASE,
)
# What is a date only after a word such as "by".
_LOOSE = re.compile(
    rf"(?:(?:the )?(?:end of|close of|EOD|EOW|EOM|COB)\b(?: (?:the |this |next )?(?:day|week|month|quarter|year|"
    rf"business|play|sprint|{_MONTH})\b)?|(?:(?:this|next|coming) )?(?P<weekday>{_WEEKDAY})\b|(?:the )?\d{{1,2}}(?:st|"
    rf"nd|rd|th)\b|(?P<tomorrow>tomorrow|завтра)\b|(?:ASAP|as soon as possible|срочно|как можно скорее)\b|(?:today|"
    rf"tonight|сегодня)\b|(?:this|next) (?:week|month|quarter|sprint|release|meeting)\b|mid[- ](?:{_MONTH})\b|"
    rf"\d{{1,3}} (?:calendar |business |working )?(?:days?|weeks?|months?)\b(?: (?:of|after|from) [^,.;]{{3,60}})?|"
    rf"(?:конца|концу|середины|начала) (?:\w+ )?(?:дня|недели|месяца|квартала|года|спринта|{_MONTH})\b|(?:следующ\w+|"
    rf"эт\w+|ближайш\w+) (?:недел\w+|месяц\w*|встреч\w+|спринт\w*|{_WEEKDAY})\b|\d{{1,3}} (?:календарных |"
    rf"рабочих )?(?:дн\w+|недел\w+|месяц\w*)\b(?: (?:с|со|после) [^,.;]{{3,60}})?)",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"(?<!\w)(?P<cue>(?:due(?: date)?(?: on| by)?|deadline(?: is)?|no later than|not later than|by|until|till|before|"
    r"within|не позднее(?: чем)?|в срок до|срок(?: исполнения)?(?: до)?|в течение|до|к)\s*[:\-–—]?\s*(?:the )?)$",
    re.IGNORECASE,
)
_ON = re.compile(r"(?<!\w)(?:on|for|in|from|at|на|в|с|со)\s+(?:the )?$", re.IGNORECASE)
_CUE = re.compile(
    r"(?<!\w)(?:due(?: date)?(?: on| by)?|deadline(?: is)?|no later than|not later than|by|until|till|before|within|"
    r"on|не позднее|в срок до|срок(?: исполнения)?(?: до)?|в течение|до|к|в|на)\s*[:\-–—]?\s*(?:the )?",
    re.IGNORECASE,
)
_AFTER_DATE = re.compile(r"\s*(?:г\.|года?\b)")


@dataclass(frozen=True)
class Dated:
    """A date at `[start:end]` of a text. `begin` is where the words before it begin ("by"); `due`: there are such."""

    begin: int
    start: int
    end: int
    due: bool
    when: WrittenDate


def dates(text: str, today: date | None = None) -> list[Dated]:
    """Return the dates of a text in order. `today` is the document's own date, if it gives one."""
    found = [_exact(text, match, today) for match in _DATE.finditer(text)]
    kept = [each for each in found if each is not None]
    taken = [(each.start, each.end) for each in kept]
    for each in _loose(text, today):
        if not any(start < each.end and each.start < end for start, end in taken):
            kept.append(each)
    return sorted(kept, key=lambda each: each.start)


def full(when: WrittenDate | None) -> date | None:
    """Return a date that is known to the day."""
    if when is None or when.date is None or len(when.date) != 10:
        return None
    return date.fromisoformat(when.date)


def _exact(text: str, match: re.Match[str], today: date | None) -> Dated | None:
    resolved = _resolve(match, today)
    if resolved is False:
        return None
    end = match.end()
    if year := _AFTER_DATE.match(text, end):
        end = year.end()
    return _dated(text, match.start(), end, WrittenDate(written=text[match.start() : end], date=resolved or None))


def _resolve(match: re.Match[str], today: date | None) -> "str | Literal[False] | None":
    """Return the date, None where it is open, False where there is no such date."""
    part = match.groupdict()
    if part["quarter"]:
        return None
    if part["m6"]:
        return f"{part['y6']}-{_MONTHS[part['m6'].lower()]:02d}"
    if part["y3"]:
        return _slashes(int(part["s1"]), int(part["s2"]), _year(part["y3"]))
    if part["iso"]:
        return _day(int(part["y1"]), int(part["m1"]), int(part["d1"]))
    if part["y2"]:
        return _day(_year(part["y2"]), int(part["m2"]), int(part["d2"]))
    number = "4" if part["m4"] else "5"
    month, day, year = _MONTHS[part[f"m{number}"].lower()], int(part[f"d{number}"]), part[f"y{number}"]
    if year:
        return _day(int(year), month, day)
    if today is None:
        return None if _day(2024, month, day) else False
    near = _day(today.year, month, day)
    # In December, "10 January" is of the year that comes.
    if near and date.fromisoformat(near) < today - timedelta(days=180):
        near = _day(today.year + 1, month, day)
    return near


def _slashes(one: int, other: int, year: int) -> "str | Literal[False] | None":
    if one > 12:
        return _day(year, other, one)
    if other > 12 or one == other:
        return _day(year, one, other)
    return None


def _year(digits: str) -> int:
    return int(digits) if len(digits) == 4 else 2000 + int(digits)


def _day(year: int, month: int, day: int) -> "str | Literal[False]":
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return False


def _loose(text: str, today: date | None) -> Iterator[Dated]:
    for cue in _CUE.finditer(text):
        match = _LOOSE.match(text, cue.end())
        if match is None:
            continue
        day: date | None = None
        written = match[0]
        if today and match["weekday"] and written == match["weekday"]:
            ahead = (_WEEKDAYS[match["weekday"].lower()] - today.weekday()) % 7
            # On a Friday, "by Friday" may be this one or the next.
            day = today + timedelta(days=ahead) if ahead else None
        elif today and match["tomorrow"]:
            day = today + timedelta(days=1)
        yield _dated(
            text, match.start(), match.end(), WrittenDate(written=written, date=day.isoformat() if day else None)
        )


def _dated(text: str, start: int, end: int, when: WrittenDate) -> Dated:
    before = text[max(0, start - 40) : start]
    due = _BEFORE.search(before)
    at = due or _ON.search(before)
    return Dated(start - len(at[0]) if at else start, start, end, due is not None, when)
