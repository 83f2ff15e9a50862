"""Where a text may be cut, and what encloses each part of it: the common form of every kind of structure.

A cut is a position with a level. The lower the level, the earlier the text is cut there: between two classes before
between two methods, between two paragraphs before between two sentences.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

# Levels of syntax and headings lie below these; see almanac.text.syntax and `markdown`.
PARAGRAPH = 60
ITEM = 65
SENTENCE = 70
LINE_OF_PROSE = 80
BLANK_LINE = 95
LINE = 100
CLOSING_LINE = 110
WORD = 200

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*\r?\n?\Z")
_UNDERLINE = re.compile(r" {0,3}(=+|-{3,})[ \t]*\r?\n?\Z")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]")
# An abbreviation or an initial ends no sentence, nor does a stop before a small letter.
_ABBREVIATION = "".join(rf"(?<!\b{text})" for text in ("[A-Z]", "Mr", "Mrs", "Dr", "vs", r"e\.g", r"i\.e"))
_CLOSING_QUOTE = "[\"'\u201d\u2019)\\]]*"
_SENTENCE_END = re.compile(
    rf"(?<![.!?\u2026]){_ABBREVIATION}[.!?\u2026]+{_CLOSING_QUOTE}[ \t]+(?=[^\sa-z])"
    "|[\u3002\uff01\uff1f]+[\u300d\u300f\uff09]*"
)
_ENDS_SENTENCE = re.compile(rf"[.!?\u2026\u3002\uff01\uff1f:]{_CLOSING_QUOTE}\Z")
_CLOSERS = (")", "]", "}", "</", "end")
_MAX_INDENT = 24
_MAX_HEADING = 1000


class Scope(NamedTuple):
    """A named part of the text: `text[start:end]` is the section or the definition `name`."""

    start: int
    end: int
    name: str


class Outline(NamedTuple):
    """Levels by position, and scopes ordered by start. Line starts that are no cut of their own have level `LINE`."""

    cuts: dict[int, int]
    scopes: list[Scope]


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """Yield each line with its offset; a line ends with its line feed, as git and editors count."""
    start = 0
    while start < len(text):
        end = text.find("\n", start) + 1 or len(text)
        yield start, text[start:end]
        start = end


def plain(text: str) -> Outline:
    """Outline text of unknown structure: cut at blank lines first, at little indentation before much."""
    cuts = {}
    after_blank = False
    for start, line in lines_of(text):
        content = line.lstrip()
        if content:
            indent = min(len(line) - len(content), _MAX_INDENT)
            cuts[start] = CLOSING_LINE if content.startswith(_CLOSERS) else 2 * indent + (not after_blank)
        after_blank = not content
    return Outline(cuts, [])


def prose(text: str) -> Outline:
    """Outline prose: cut between paragraphs, then list items, then sentences."""
    cuts: dict[int, int] = {}
    level = PARAGRAPH
    for start, line in lines_of(text):
        level = _prose_line(cuts, start, line, level)
    return Outline(cuts, [])


def markdown(text: str) -> Outline:
    """Outline Markdown: cut at headings, the highest first, then as prose; in fenced code at blank lines."""
    cuts: dict[int, int] = {}
    headings: list[tuple[int, int, str]] = []
    fence = ""
    level = PARAGRAPH
    previous = (0, "")
    for start, line in lines_of(text):
        mark = _FENCE.match(line)
        if fence:
            cuts[start] = level
            level = LINE if line.strip() else BLANK_LINE
            if mark and mark[1].startswith(fence) and not line[mark.end() :].strip():
                fence, level = "", LINE_OF_PROSE
        elif mark:
            cuts[start] = level
            fence, level = mark[1], CLOSING_LINE
        else:
            level = _prose_line(cuts, start, line, level)
            heading = _heading(start, line, previous)
            if heading:
                headings.append(heading)
                cuts[start] = level = CLOSING_LINE
                cuts[heading[0]] = heading[1] - 1
        previous = (start, line)
    return Outline(cuts, _sections(headings, len(text)))


def _prose_line(cuts: dict[int, int], start: int, line: str, level: int) -> int:
    """Add the cuts of one line, whose own start has `level`; return the level of the next line's start."""
    content = line.strip()
    if not content:
        return level if level == CLOSING_LINE else PARAGRAPH
    cuts[start] = min(level, ITEM) if _LIST_ITEM.match(line) else level
    last = len(line.rstrip())
    for match in _SENTENCE_END.finditer(line):
        if match.end() < last:
            cuts[start + match.end()] = SENTENCE
    return SENTENCE if _ENDS_SENTENCE.search(content[-8:]) else LINE_OF_PROSE


def _heading(start: int, line: str, previous: tuple[int, str]) -> tuple[int, int, str] | None:
    """Return (position, level from 1, title) when the line makes a heading of itself or of the line before it."""
    before, title = previous
    if len(line) + len(title) > _MAX_HEADING:
        return None
    match = _HEADING.match(line)
    if match:
        return start, len(match[1]), (match[2] or "").strip()
    match = _UNDERLINE.match(line) if title.strip() else None
    if match and not title.lstrip().startswith(("#", "|", "-", "=", ">")) and not _LIST_ITEM.match(title):
        return before, 1 if match[1].startswith("=") else 2, title.strip()
    return None


def _sections(headings: list[tuple[int, int, str]], length: int) -> list[Scope]:
    ends: list[int] = []
    open_at: list[tuple[int, int]] = []  # (level, position of the next section at that level or above), innermost last
    for start, level, _ in reversed(headings):
        while open_at and open_at[-1][0] > level:
            open_at.pop()
        ends.append(open_at[-1][1] if open_at else length)
        open_at.append((level, start))
    return [Scope(start, end, title) for (start, _, title), end in zip(headings, reversed(ends), strict=True)]
