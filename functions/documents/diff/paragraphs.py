"""A version's text as the paragraphs that are compared: blocks of prose, rows of tables."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from almanac.index.sources import Place
from almanac.text.cells import cells
from documents.diff.words import bag

_SPACE = re.compile(r"\s+")
_RULE = re.compile(r"[\s|:=\-*_~+#>`]*")
_BREAK = re.compile(r"[ \t]*(?:\||#{1,6}[ \t]|[-*+•][ \t]|\d{1,3}[.)][ \t])")
"""What begins a paragraph of its own without a blank line before it: a row, a heading, an item."""


@dataclass(frozen=True)
class Page:
    """A page of a version, numbered through its file from 1."""

    number: int
    place: Place | None
    text: str

    def label(self, first_line: int, last_line: int) -> str:
        """Return where lines of the page stand, as a reader of the file says it."""
        if self.place is None:
            return f"page {self.number}"
        shown = cells(self.place, first_line, last_line)
        return f"{self.place.label}, {shown}" if shown else self.place.label


@dataclass(frozen=True)
class Paragraph:
    """Lines of a page, from 1. Two that differ in blank space alone are the same."""

    page: Page
    first_line: int
    last_line: int
    text: str

    @cached_property
    def key(self) -> str:
        return _SPACE.sub(" ", self.text).strip()

    @cached_property
    def bag(self) -> Counter[str]:
        return bag(self.key)

    @property
    def label(self) -> str:
        return self.page.label(self.first_line, self.last_line)

    @property
    def is_row(self) -> bool:
        return self.text.lstrip().startswith("|")


def paragraphs(pages: Iterable[Page]) -> list[Paragraph]:
    """Return the paragraphs of pages in order; rules and blank lines are none."""
    return [found for page in pages for found in _of(page)]


def _of(page: Page) -> Iterator[Paragraph]:
    begun: list[str] = []
    first = 0
    for number, line in enumerate([*page.text.split("\n"), ""], 1):
        if begun and (not line.strip() or _BREAK.match(line)):
            yield from _kept(Paragraph(page, first, number - 1, "\n".join(begun)))
            begun = []
        if line.strip():
            first = number if not begun else first
            begun.append(line.rstrip())


def _kept(paragraph: Paragraph) -> Iterator[Paragraph]:
    if not _RULE.fullmatch(paragraph.text):
        yield paragraph
