"""What stands beside a text, which kreuzberg passes over: notes, comments, text boxes, running headers and footers.

Each kind is a section of its own behind the text; paragraphs that are in the text already are not told again.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from documents.reading import sections, zips
from documents.reading.markup import Event, attribute
from documents.reading.units import Task, Trouble, Units

_NOTES = ("word/footnotes.xml", "word/endnotes.xml")
_COMMENTS = "word/comments.xml"
_RUNNING = re.compile(r"word/(?:header|footer)\d*\.xml")
_MOST_RUNNING = 200
_WORDS, _OPEN_DOCUMENTS = "t", "p"
"""Within which elements text is, in Word's files and in those of OpenDocument."""
_PARAGRAPHS = frozenset({"p", "h"})
_SPACES = frozenset({"tab", "br", "cr", "line-break", "s"})
_NO_LETTERS = re.compile(r"\W|_")
_LONGEST_QUOTE = 120
_MOST_QUOTES = 50
"""So many comments may be about the same words."""


def of_word(task: Task, text: str) -> Units:
    """Yield what stands beside the text of a Word file."""
    body = _Body()
    for event in _events(task.path, "word/document.xml"):
        body.take(*event)
    notes = [paragraph for part in _NOTES for paragraph in _paragraphs(_events(task.path, part), _WORDS)]
    comments = _comments(_events(task.path, _COMMENTS), "comment", _WORDS, body.quotes)
    yield from _section("footnotes", notes, text)
    yield from _section("comments", comments, text)
    yield from _section("text boxes", body.boxes, text)
    yield from _section("headers and footers", _running(task.path), text)


def of_open_document(task: Task, text: str) -> Units:
    """Yield what stands beside an OpenDocument text."""
    comments = _comments(_events(task.path, "content.xml"), "annotation", _OPEN_DOCUMENTS, {})
    running = _paragraphs(_events(task.path, "styles.xml"), _OPEN_DOCUMENTS, frozenset({"header", "footer"}))
    yield from _section("comments", comments, text)
    yield from _section("headers and footers", running, text)


def _events(path: Path, part: str) -> Iterator[Event]:
    """Yield the events of a part, up to where it is damaged."""
    try:
        with zips.opened(path) as archive:
            yield from zips.events(archive, part)
    except Trouble as trouble:
        if trouble.code != "corrupt":
            raise


def _running(path: Path) -> list[str]:
    with zips.opened(path) as archive:
        parts = sorted(filter(_RUNNING.fullmatch, archive.namelist()))
    return [paragraph for part in parts[:_MOST_RUNNING] for paragraph in _paragraphs(_events(path, part), _WORDS)]


def _section(label: str, paragraphs: Iterable[str], text: str) -> Units:
    """Yield the paragraphs, each once: a header is there again for first pages, for even ones, and in every section."""
    told = {"", *map(_letters, text.splitlines())}
    clean = dict.fromkeys(" ".join(paragraph.split()) for paragraph in paragraphs)
    yield from sections.section(label, "\n\n".join(each for each in clean if _letters(each) not in told))


def _letters(line: str) -> str:
    """Return a line without what marks it up, nothing of one without words."""
    return _NO_LETTERS.sub("", line)


class _Paragraphs:
    """The paragraphs that are heard of. Their text is within elements `text_element`."""

    def __init__(self, text_element: str) -> None:
        self.found: list[str] = []
        self._text_element = text_element
        self._is_text = False

    def take(self, name: str, value: dict[str, str] | str | None) -> None:
        if name in _PARAGRAPHS and value is not None:
            self.found.append("")
        if name == self._text_element:
            self._is_text = value is not None
        elif name in _SPACES and value is not None and self.found:
            self.found[-1] += " "
        elif name == "" and self._is_text and self.found:
            self.found[-1] += str(value)


def _paragraphs(events: Iterable[Event], text_element: str, inside: frozenset[str] = frozenset()) -> list[str]:
    """Return the paragraphs, only those within elements of these names where any are given."""
    paragraphs, depth = _Paragraphs(text_element), 0
    for name, value in events:
        if name in inside:
            depth += 1 if value is not None else -1
        elif depth or not inside:
            paragraphs.take(name, value)
    return paragraphs.found


class _Comment:
    """A comment that has begun: who made it, and what it is about and says."""

    def __init__(self, who: str, about: str, text_element: str) -> None:
        self._who, self._about = who, about
        self._said = _Paragraphs(text_element)
        self._is_creator = False

    def take(self, name: str, value: dict[str, str] | str | None) -> None:
        if name == "creator":
            self._is_creator = value is not None
        elif self._is_creator and name == "":
            self._who += str(value)
        else:
            self._said.take(name, value)

    def __str__(self) -> str:
        about = f" on “{self._about}”" if self._about else ""
        return f"{self._who or 'Comment'}{about}: {' '.join(self._said.found)}"


def _comments(events: Iterable[Event], element: str, text_element: str, quotes: Mapping[str, str]) -> Iterator[str]:
    """Yield what elements of this name say; `quotes` are the words that comments are about, by their ids."""
    comment: _Comment | None = None
    for name, value in events:
        if name == element and isinstance(value, dict):
            about = quotes.get(attribute(value, "id") or "", "")
            comment = _Comment(attribute(value, "author") or "", about, text_element)
        elif name == element and comment is not None:
            yield str(comment)
            comment = None
        elif comment is not None:
            comment.take(name, value)


class _Body:
    """The text boxes of a Word file, of which a copy for older programs is passed over, and what comments are about."""

    def __init__(self) -> None:
        self.quotes: dict[str, str] = {}
        self._open: dict[str, str] = {}
        self._in_boxes = _Paragraphs(_WORDS)
        self._boxes = self._copies = 0
        self._is_text = False

    @property
    def boxes(self) -> list[str]:
        return self._in_boxes.found

    def take(self, name: str, value: dict[str, str] | str | None) -> None:
        step = 1 if value is not None else -1
        if name == "txbxContent":
            self._boxes += step
        elif name == "Fallback":
            self._copies += step
        elif self._boxes and not self._copies:
            self._in_boxes.take(name, value)
        if isinstance(value, dict) and name in ("commentRangeStart", "commentRangeEnd"):
            self._range(name, attribute(value, "id") or "")
        elif name == "t":
            self._is_text = value is not None
        elif name == "" and self._is_text and self._open:
            for number, quote in self._open.items():
                self._open[number] = (quote + str(value))[:_LONGEST_QUOTE]

    def _range(self, name: str, number: str) -> None:
        if name == "commentRangeStart" and len(self._open) < _MOST_QUOTES:
            self._open[number] = ""
        elif number in self._open:
            self.quotes[number] = " ".join(self._open.pop(number).split())
