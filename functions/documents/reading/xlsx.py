"""Excel workbooks: every sheet's used cells with the places they stand at.

Its own reader, since a citation needs the row and column of every value, which no extractor to text keeps.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from documents.reading import tables, zips
from documents.reading.markup import Depth, Event, attribute, events, parse
from documents.reading.tables import Row
from documents.reading.units import Bad, Task, Trouble, Units

_DATE_FORMATS = frozenset({*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)})
_DATE_LETTERS = re.compile(r"[ymdhs]", re.IGNORECASE)
_NOT_LETTERS = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.')
_MOST_STRINGS = 2_000_000


class _Named(NamedTuple):
    name: str
    part: str


class _Book:
    """What the sheets refer to."""

    def __init__(self, task: Task, archive: zipfile.ZipFile) -> None:
        self._task, self._archive = task, archive
        targets = {
            attributes.get("Id", ""): attributes.get("Target", "")
            for name, attributes in self._starts("xl/_rels/workbook.xml.rels")
            if name == "Relationship"
        }
        self.sheets: list[_Named] = []
        self.epoch = datetime(1899, 12, 30)  # noqa: DTZ001 - sheets know no zones
        for name, attributes in self._starts("xl/workbook.xml"):
            if name == "sheet":
                target = targets.get(attribute(attributes, "id") or "", "")
                part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
                self.sheets.append(_Named(attributes.get("name", ""), part))
            elif name == "workbookPr" and attributes.get("date1904") in ("1", "true"):
                self.epoch = datetime(1904, 1, 1)  # noqa: DTZ001
        self.dates = self._dates()
        self.strings = self._strings()

    def chunks(self, part: str) -> Iterator[bytes]:
        """Yield the bytes of a part, none of one that is missing; raises `Trouble`."""
        try:
            with self._archive.open(part) as file:
                while data := file.read(65_536):
                    yield data
        except KeyError:
            return
        except (*zips.BROKEN, RuntimeError, zlib.error):
            raise Trouble("corrupt") from None

    def events(self, part: str) -> Iterator[Event]:
        if part in self._archive.NameToInfo:
            yield from events(self.chunks(part))

    def _starts(self, part: str) -> Iterator[tuple[str, dict[str, str]]]:
        return ((name, value) for name, value in self.events(part) if isinstance(value, dict))

    def _dates(self) -> list[bool]:
        """Return for every cell style whether it shows a moment."""
        custom: dict[str, bool] = {}
        styles: list[bool] = []
        is_inside = False
        for name, value in self.events("xl/styles.xml"):
            if name == "cellXfs":
                is_inside = value is not None
            elif name == "numFmt" and isinstance(value, dict):
                code = _NOT_LETTERS.sub("", value.get("formatCode", ""))
                custom[value.get("numFmtId", "")] = bool(_DATE_LETTERS.search(code)) and "General" not in code
            elif name == "xf" and isinstance(value, dict) and is_inside:
                number = value.get("numFmtId", "0")
                styles.append(custom.get(number, number.isdigit() and int(number) in _DATE_FORMATS))
        return styles

    def _strings(self) -> list[str]:
        strings: list[str] = []
        parts: list[str] = []
        is_text = is_reading_aid = False
        for name, value in self.events("xl/sharedStrings.xml"):
            if name == "t":
                is_text = value is not None
            elif name == "rPh":
                is_reading_aid = value is not None
            elif name == "" and is_text and not is_reading_aid:
                parts.append(str(value))
            elif name == "si" and value is None:
                strings.append("".join(parts))
                parts.clear()
                if len(strings) > _MOST_STRINGS:
                    raise Trouble("too_large")
        return strings

    def text(self, raw: str, kind: str, style: str) -> str:
        """Return what a cell shows, nearly: numbers as they are kept, moments as ISO writes them."""
        if kind == "s":
            return self.strings[int(raw)] if raw.isdigit() and int(raw) < len(self.strings) else ""
        if kind == "b":
            return "TRUE" if raw == "1" else "FALSE"
        if kind in ("str", "inlineStr", "e", "d"):
            return raw
        is_date = style.isdigit() and int(style) < len(self.dates) and self.dates[int(style)]
        return self._moment(raw) if is_date else _number(raw)

    def _moment(self, raw: str) -> str:
        try:
            moment = self.epoch + timedelta(seconds=round(float(raw) * 86_400))
        except (ValueError, OverflowError):
            return raw
        if moment.time() == datetime.min.time():
            return moment.date().isoformat()
        return moment.time().isoformat() if float(raw) < 1 else moment.isoformat(" ")


def _number(raw: str) -> str:
    if len(raw) < 12 and "E" not in raw:
        return raw
    try:
        return f"{float(raw):.15g}"
    except ValueError:
        return raw


def read(task: Task) -> Units:
    zips.check(task)
    with zips.opened(task.path) as archive:
        book = _Book(task, archive)
        if not book.sheets:
            raise Trouble("corrupt")
        for sheet in book.sheets:
            try:
                yield from tables.pieces(_rows(book, sheet.part), task.budget, sheet.name)
            except Trouble as trouble:
                if trouble.code != "corrupt":
                    raise
                yield Bad(f"sheet {sheet.name}", "corrupt", f"The sheet {sheet.name} is damaged.")


class _Sheet(Depth):
    """The rows of a sheet that has been parsed so far. Heard of every cell, so it does little for each."""

    def __init__(self, book: _Book) -> None:
        super().__init__()
        self.rows: list[Row] = []
        self._book = book
        self._number = self._column = 0
        self._cells: dict[int, str] = {}
        self._cell: dict[str, str] = {}
        self._texts: list[str] = []
        self._is_value = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.enter()
        name = name.rpartition(":")[2]
        if name == "c":
            self._cell, self._texts = attributes, []
            self._column = _column(attributes.get("r", ""), self._column)
        elif name in ("v", "t"):
            self._is_value = True
        elif name == "row":
            given = attributes.get("r", "")
            self._number, self._column = max(self._number + 1, int(given) if given.isdigit() else 0), 0
            self._cells = {}

    def end(self, name: str) -> None:
        self.depth -= 1
        name = name.rpartition(":")[2]
        if name in ("v", "t"):
            self._is_value = False
        elif name == "c" and self._texts:
            text = self._book.text("".join(self._texts), self._cell.get("t", ""), self._cell.get("s", ""))
            if text and not text.isspace():
                self._cells[self._column] = text
        elif name == "row" and self._cells:
            self.rows.append(Row(self._number, self._cells))

    def text(self, text: str) -> None:
        if self._is_value:
            self._texts.append(text)


def _rows(book: _Book, part: str) -> Iterator[Row]:
    sheet = _Sheet(book)
    for _ in parse(book.chunks(part), sheet):
        yield from sheet.rows
        sheet.rows.clear()


def _column(reference: str, before: int) -> int:
    letters = reference.rstrip("0123456789")
    return _column_of(letters) or before + 1


@lru_cache(maxsize=20_000)
def _column_of(letters: str) -> int:
    """Return a column's number, 0 for what is no column of a sheet."""
    column = 0
    for letter in letters if len(letters) < 4 and letters.isascii() and letters.isupper() else "":
        column = column * 26 + ord(letter) - ord("A") + 1
    return column
