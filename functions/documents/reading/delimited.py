"""CSV files: what separates the cells is found out."""

import csv
import io
from collections.abc import Iterator

from documents.reading import tables
from documents.reading.decoding import decode
from documents.reading.tables import Row
from documents.reading.units import Task, Trouble, Units

_SEPARATORS = ",;\t|"
_SAMPLE_LINES = 50
_LONGEST_FIELD = 1_000_000


def read(task: Task, *, is_tabbed: bool) -> Units:
    text = decode(task.path.read_bytes())
    separator = "\t" if is_tabbed else _separator(text)
    try:
        yield from tables.pieces(_rows(text, separator), task.budget)
    except csv.Error:
        raise Trouble("corrupt") from None


def _separator(text: str) -> str:
    """Return the character that stands the same number of times on most of the first lines."""
    lines = [line for line in text[:65_536].split("\n")[:_SAMPLE_LINES] if line]

    def regularity(separator: str) -> tuple[int, int]:
        counts = [line.count(separator) for line in lines]
        usual = max(set(counts), key=counts.count, default=0)
        return (counts.count(usual) if usual else 0, usual)

    return max(_SEPARATORS, key=regularity)


def _rows(text: str, separator: str) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_FIELD)
    for number, fields in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator), 1):
        if cells := {column: field for column, field in enumerate(fields, 1) if field.strip()}:
            yield Row(number, cells)
