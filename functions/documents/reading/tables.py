"""Rows of a sheet into pieces: Markdown tables of at most a hundred rows, each under the sheet's own header row."""

from collections.abc import Iterable
from typing import NamedTuple

from documents.reading.units import Budget, Unit, Units

MAX_ROWS = 100
MAX_TEXT = 12_000
_MOST_BLANK_ROWS = 3
"""So many blank rows are part of a table; more of them end it."""


class Row(NamedTuple):
    """A row that is not blank: its number in the sheet and the texts of its cells by column, both from 1."""

    number: int
    cells: dict[int, str]


class _Piece:
    def __init__(self, header: Row) -> None:
        self.header = header
        self.rows: list[Row] = []
        self.size = 0

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self.size += sum(map(len, row.cells.values())) + 3 * len(row.cells)

    @property
    def is_full(self) -> bool:
        return bool(self.rows) and (self.rows[-1].number - self.rows[0].number >= MAX_ROWS - 1 or self.size > MAX_TEXT)

    def unit(self, sheet: str, label: str) -> Unit:
        columns = [column for row in (self.header, *self.rows) for column in row.cells]
        first, last = min(columns), max(columns)
        lines = [_line(self.header.cells, first, last), "|" + " --- |" * (last - first + 1)]
        data_row = self.rows[0].number if self.rows else self.header.number + 1
        following = data_row
        for row in self.rows:
            lines.extend([_line({}, first, last)] * (row.number - following))
            lines.append(_line(row.cells, first, last))
            following = row.number + 1
        place = {"first_row": self.header.number, "first_column": first, "columns": last - first + 1}
        table = {**({"sheet": sheet} if sheet else {}), **place, "data_row": data_row}
        return Unit("sheet", label, "\n".join(lines), table=table)


def pieces(rows: Iterable[Row], budget: Budget, sheet: str = "") -> Units:
    """Yield a sheet's pieces. A row behind many blank ones is the header of another table."""
    piece: _Piece | None = None
    last = 0
    is_first = True
    for row in rows:
        budget.count_cells(len(row.cells))
        if piece is None or row.number - last - 1 > _MOST_BLANK_ROWS:
            if piece is not None:
                yield piece.unit(sheet, _label(sheet, piece, is_first=is_first))
                is_first = False
            piece = _Piece(row)
        else:
            if piece.is_full:
                yield piece.unit(sheet, _label(sheet, piece, is_first=is_first))
                is_first = False
                piece = _Piece(piece.header)
            piece.add(row)
        last = row.number
    if piece is not None:
        yield piece.unit(sheet, _label(sheet, piece, is_first=is_first))


def _label(sheet: str, piece: _Piece, *, is_first: bool) -> str:
    first, last = (piece.rows[0].number, piece.rows[-1].number) if piece.rows else (piece.header.number,) * 2
    if is_first and sheet:
        return f"sheet {sheet}"
    rows = f"rows {piece.header.number if is_first else first}-{last}"
    return f"sheet {sheet}, {rows}" if sheet else rows


def _line(cells: dict[int, str], first: int, last: int) -> str:
    texts = (_plain(cells.get(column, "")) for column in range(first, last + 1))
    return "| " + " | ".join(texts) + " |"


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
