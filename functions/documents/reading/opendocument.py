"""OpenDocument spreadsheets and presentations. Texts are read by `office`."""

from collections.abc import Iterator

from documents.reading import tables, zips
from documents.reading.markup import Event, attribute, events
from documents.reading.tables import Row
from documents.reading.units import Task, Trouble, Unit, Units

_CELLS = frozenset({"table-cell", "covered-table-cell"})
_MOST_ROWS = 1_048_576


def _content(task: Task) -> Iterator[Event]:
    with zips.opened(task.path) as archive:
        try:
            with archive.open("content.xml") as file:
                yield from events(iter(lambda: file.read(65_536), b""))
        except (KeyError, RuntimeError, *zips.BROKEN):
            raise Trouble("corrupt") from None


def sheets(task: Task) -> Units:
    zips.check(task)
    content = _content(task)
    for name, value in content:
        if name == "table" and isinstance(value, dict):
            sheet = attribute(value, "name") or ""
            yield from tables.pieces(_Table(task, content).rows(), task.budget, sheet)


class _Table:
    """A table that has begun, row by row up to its end."""

    def __init__(self, task: Task, content: Iterator[Event]) -> None:
        self._task, self._content = task, content
        self._number = self._column = self._times = self._span = 1
        self._cells: dict[int, str] = {}
        self._texts: list[str] = []
        self._is_text = False

    def rows(self) -> Iterator[Row]:
        depth = 1
        for name, value in self._content:
            if name == "table":
                depth += 1 if value is not None else -1
                if depth == 0:
                    return
            elif name == "table-row" and value is None:
                yield from (Row(self._number + more, self._cells) for more in range(self._times if self._cells else 0))
                self._number = min(self._number + self._times, _MOST_ROWS + 1)
            elif name in ("", "p"):
                self._text(name, value)
            elif isinstance(value, dict):
                self._start(name, value)
            elif name in _CELLS:
                self._end_of_cell()

    def _text(self, name: str, value: object) -> None:
        if name == "p":
            self._is_text = value is not None
            if self._is_text:
                self._texts.append("")
        elif self._is_text and self._texts:
            self._texts[-1] += str(value)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "table-row":
            self._times, self._column, self._cells = _times(attributes, "number-rows-repeated"), 1, {}
        elif name in _CELLS:
            self._span = _times(attributes, "number-columns-repeated")
            self._texts.clear()

    def _end_of_cell(self) -> None:
        if text := " ".join(self._texts).strip():
            self._task.budget.count_cells(self._span)
            self._cells |= dict.fromkeys(range(self._column, self._column + self._span), text)
        self._column += self._span


def _times(attributes: dict[str, str], name: str) -> int:
    given = attribute(attributes, name) or "1"
    return min(int(given), _MOST_ROWS) if given.isdigit() else 1


def slides(task: Task) -> Units:
    zips.check(task)
    number = 0
    paragraphs: list[str] = []
    is_text = is_title = False
    for name, value in _content(task):
        if name == "page":
            if value is None:
                yield Unit("slide", f"slide {number}", "\n\n".join(filter(None, paragraphs)), number)
            else:
                number, paragraphs = number + 1, []
        elif name == "frame" and isinstance(value, dict):
            is_title = attribute(value, "class") == "title"
        elif name == "notes" and value is not None:
            paragraphs.append("Notes:")
        elif name in ("p", "h"):
            is_text = value is not None
            if is_text:
                paragraphs.append("# " if is_title else "")
        elif name == "" and is_text and paragraphs:
            paragraphs[-1] += str(value)
