"""Which cells of a sheet some lines of its text stand for, as spreadsheets name them: `B4:D9`."""

from almanac.index.sources import Place

_HEADER_LINES = 2
"""A Markdown table begins with its header row and the rule below it."""


def cells(place: Place, start_line: int, end_line: int) -> str | None:
    """Return the cells that lines (from 1) of a sheet's Markdown table show; None where the place is no sheet.

    A header that is repeated from above counts only where nothing else is shown: its row stands elsewhere.
    """
    if place.first_row is None or place.first_column is None or not place.columns:
        return None
    data_row = place.data_row if place.data_row is not None else place.first_row + 1
    first, last = (data_row + line - _HEADER_LINES - 1 for line in (start_line, end_line))
    if end_line <= _HEADER_LINES:
        first = last = place.first_row
    elif start_line <= _HEADER_LINES:
        first = place.first_row if data_row == place.first_row + 1 else data_row
    left, right = column_name(place.first_column), column_name(place.first_column + place.columns - 1)
    return f"{left}{first}" if (left, first) == (right, last) else f"{left}{first}:{right}{last}"


def column_name(number: int) -> str:
    """Return a column's letters, counted from 1. Example: 28 is `AB`."""
    name = ""
    while number > 0:
        number, digit = divmod(number - 1, 26)
        name = chr(ord("A") + digit) + name
    return name
