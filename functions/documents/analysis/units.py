"""The pages of a document, and the pieces of them that say one thing: sentences, list items, rows of tables.

A unit is `text[start:end]` of its page, so that whatever is found in it can be found there again.
"""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from documents.analysis.model import TextSpan
from documents.analysis.sections import Section, section_of

MAX_UNIT = 1200
"""Longer pieces are cut: no one thing is said at such length."""
MAX_ROW = 8000

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_VISIBLE = re.compile(r"\S")
_LINE = re.compile(r"[^\n]*\n?")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})")
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]+(?P<title>.*?)[ \t#]*$")
_CAPITALS = re.compile(r"[^\W\d_a-zа-яё][^a-zа-яё.!?:]{2,59}")
_UNMARKED = 7
"""The level of headings without marks: below all others."""
_LISTS = frozenset({Section.ACTIONS, Section.DECISIONS, Section.RISKS, Section.QUESTIONS})
_ITEM = re.compile(
    r"[ \t]*(?:[-*+•–▪◦·]|\(?\d{1,3}(?:\.\d{1,3})*[.)]|\d{1,2}(?:\.\d{1,2})+(?=[ \t]+[^\W\d_a-zа-яё])|"
    r"\(?[a-zа-я]\))[ \t]+(?:\[(?P<box>[ xX✓✔])\][ \t]*)?"
)
_ROW = re.compile(r"[ \t]*\|")
# The likelihood and impact of a risk are told in sentences of their own.
_GRADE = re.compile(
    r"[\s*_]*(?:likelihood|probability|impact|severity|mitigation|owner|вероятность|влияние|воздействие|ущерб|меры|"
    r"владелец|ответственный|последствия)\b[\w *]*[:=]",
    re.IGNORECASE,
)
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-{2,}:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_CELL = re.compile(r"(?:[^|\\]|\\.)*")
_LABEL = re.compile(r"[ \t]*[*_]{0,3}(?:[^\W_a-zа-яё][\w()#№-]*(?: [\w()#№-]+){0,3}[*_]{0,3}:|@\w|>)")
_MORE = re.compile(r"[ \t]+\S|[a-zа-яё(]")
_END = re.compile(r"[.!?…]+[\"'”’»)\]*_]*(?=\s+[\"'“‘«(\[*_@]*[^\W_a-zа-яё]|\s*$)|[。！？]")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|no|fig|al|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Inc|Ltd|Co|Corp|т\.е|т\.д|т\.п|т\.к|г|"
    r"гг|см|рис|стр|им|пр|ул|тыс|млн|млрд)|\b[^\W\d_a-zа-яё]|(?:^|\s)\d{1,3})\.$"
)
# These end sentences as well: what follows tells.
_ENDS_TOO = re.compile(r"(?:\b(?:Inc|Ltd|Co|Corp|etc)|\d{4} г)\.$")
_BEGINS = re.compile(
    r"\s+(?:The|Our|We|It|In|On|I|He|She|They|This|That|These|If|There|Please|As|At|For|You|Their|His|Her|An?|"
    r"[А-ЯЁ][а-яё]+)\s"
)


@dataclass(frozen=True)
class Page:
    """One source of a document: its number from 1, what readers know it by, and its text without what is hidden."""

    number: int
    label: str
    text: str

    @classmethod
    def of(cls, number: int, label: str, text: str) -> "Page":
        """Return a page; what its Markdown hides (comments) becomes blank, so that all else keeps its place."""
        if "<!--" in text:
            text = _COMMENT.sub(lambda found: _VISIBLE.sub(" ", found[0]), text)
        return cls(number, label, text)

    def span(self, start: int, end: int) -> TextSpan:
        """Return a span without the blank space at its ends."""
        piece = self.text[start:end]
        start += len(piece) - len(piece.lstrip())
        quote = piece.strip()
        return TextSpan(page=self.number, label=self.label, start=start, end=start + len(quote), quote=quote)


@dataclass(frozen=True)
class Cell:
    """A cell of a row: the header above it, and its text at `[start:end]` of the page."""

    header: str
    text: str


@dataclass(frozen=True)
class Unit:
    """One piece. `section` is what the heading above says of it; `ticked` is None where there is no box to tick."""

    page: Page = field(repr=False)
    start: int
    end: int
    form: str
    section: Section | None = None
    heading: str = ""
    ticked: bool | None = None
    cells: tuple[Cell, ...] = ()
    quoted_from: int | None = None

    @cached_property
    def text(self) -> str:
        """The piece on one line: every character keeps its place."""
        return self.page.text[self.start : self.end].replace("\n", " ").replace("\t", " ")

    @property
    def span(self) -> TextSpan:
        return self.page.span(self.start if self.quoted_from is None else self.quoted_from, self.end)


@dataclass
class Reading:
    """Where the reading of a document is. A section goes on over the ends of pages."""

    section: Section | None = None
    heading: str = ""
    level: int = 0
    headers: tuple[str, ...] = ()


def units(page: Page, reading: Reading) -> Iterator[Unit]:
    """Yield the units of a page in order. Pages are read one after another, each where the one before ended."""
    block: list[tuple[int, int]] = []
    fence = ""
    reading.headers = ()
    for match in _LINE.finditer(page.text):
        line, start, end = match[0].rstrip("\n"), match.start(), match.end()
        if fence or _FENCE.match(line):
            yield from _flush(page, block, reading)
            fence = _fenced(fence, line)
            continue
        if _ROW.match(line):
            yield from _flush(page, block, reading)
            yield from _row(page, line, start, reading)
            continue
        reading.headers = ()
        if not line.strip():
            yield from _flush(page, block, reading)
        elif (title := _title(line, reading)) is not None:
            yield from _flush(page, block, reading)
            reading.section, reading.heading = title
        else:
            if _ITEM.match(line) or _is_labelled(line) or (block and _is_apart(page, block, line)):
                yield from _flush(page, block, reading)
            block.append((start, end))
    yield from _flush(page, block, reading)


def _is_labelled(line: str) -> bool:
    return _LABEL.match(line) is not None and _GRADE.match(line) is None


def _with_grades(text: str, found: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Put sentences that grade a risk together with the one that tells it."""
    begin, end = 0, 0
    for first, last in found:
        if end and (_GRADE.match(text, first) is None or last - begin > MAX_UNIT):
            yield begin, end
            begin = first
        begin, end = (begin if end else first), last
    if end:
        yield begin, end


def _is_apart(page: Page, block: list[tuple[int, int]], line: str) -> bool:
    """Tell whether a line goes on with nothing: the item above it has come to its end."""
    return _ITEM.match(page.text, *block[0]) is not None and _MORE.match(line) is None


def _fenced(fence: str, line: str) -> str:
    """Return the fence that is open after a line."""
    mark = _FENCE.match(line)
    if not fence:
        return mark[1] if mark else ""
    return "" if mark and mark[1].startswith(fence) else fence


def _title(line: str, reading: Reading) -> tuple[Section | None, str] | None:
    """Return the section and title that a line begins, if it is a heading.

    A line without marks, as PDFs have them, is one only if its words are those of a section.
    """
    marked = _HEADING.match(line)
    if marked:
        level = len(line) - len(line.lstrip(" #"))
        found = section_of(marked["title"])
        # A deeper heading below, "Infrastructure" under "Risks", leaves the section as it is.
        if found is None and reading.section is not None and level > reading.level:
            return reading.section, marked["title"]
        reading.level = level
        return found, marked["title"]
    found = section_of(line) if len(line) < 80 else None
    if found is None:
        return (None, line.strip()) if reading.level == _UNMARKED and _CAPITALS.fullmatch(line.strip()) else None
    reading.level = _UNMARKED
    return found, line.strip(" *_:#")


def _flush(page: Page, block: list[tuple[int, int]], reading: Reading) -> Iterator[Unit]:
    """Yield what a paragraph or a list item says, and begin anew."""
    if not block:
        return
    start, end = block[0][0], block[-1][1]
    block.clear()
    item = _ITEM.match(page.text, start, end)
    if item is None:
        # Below a heading without marks, as PDFs have them, nothing marks the items either.
        form = "item" if reading.level == _UNMARKED and reading.section in _LISTS else "sentence"
        for first, last in _with_grades(page.text, sentences(page.text, start, end)):
            yield Unit(page, first, last, form, reading.section, reading.heading)
        return
    box = item["box"]
    ticked = None if box is None else box != " "
    # A box is part of what is quoted: it says whether the thing is done.
    begin = item.end() if box is None else item.start("box") - 1
    stop = min(end, begin + MAX_UNIT)
    yield Unit(page, item.end(), stop, "item", reading.section, reading.heading, ticked, quoted_from=begin)


def sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where the sentences of a paragraph stand."""
    begin = start
    for match in _END.finditer(text, start, end):
        if match.end() < end and _is_abbreviated(text, begin, match.end()):
            continue
        yield from _cut(begin, match.end())
        begin = match.end()
    if text[begin:end].strip():
        yield from _cut(begin, end)


def _is_abbreviated(text: str, begin: int, end: int) -> bool:
    """Tell whether the point that ends here is an abbreviation's alone."""
    begin = max(begin, end - 12)
    ends_too = _ENDS_TOO.search(text, begin, end) is not None and _BEGINS.match(text, end) is not None
    return _ABBREVIATION.search(text, begin, end) is not None and not ends_too


def _cut(start: int, end: int) -> Iterator[tuple[int, int]]:
    for first in range(start, end, MAX_UNIT):
        yield first, min(end, first + MAX_UNIT)


def _row(page: Page, line: str, start: int, reading: Reading) -> Iterator[Unit]:
    """Yield a row under its header; the header itself and the rule below it say nothing."""
    if _RULE.match(line) or len(line) > MAX_ROW:
        return
    inner = line.strip()
    inner = inner.removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    texts = [cell.strip() for cell in _cells(inner)]
    if not reading.headers:
        reading.headers = tuple(texts)
        return
    headers = reading.headers
    cells = tuple(Cell(headers[place] if place < len(headers) else "", text) for place, text in enumerate(texts))
    if any(cell.text for cell in cells):
        yield Unit(page, start, start + len(line), "row", reading.section, reading.heading, cells=cells)


def _cells(inner: str) -> list[str]:
    cells, position = [], 0
    while position <= len(inner):
        match = _CELL.match(inner, position)
        stop = match.end() if match else position
        cells.append(inner[position:stop])
        # A lone backslash at the end belongs to no cell; what follows any cell is its bar.
        position = stop + 1
    return cells
