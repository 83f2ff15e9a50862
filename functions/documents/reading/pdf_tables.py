"""Tables of a PDF page that are drawn with lines, as Markdown.

A table is believed only when the page loses no word by it: otherwise the page stays plain text.
"""

import ctypes
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import NamedTuple

import pypdfium2.raw as pdfium

_NEAR = 3.0
"""Points: lines that lie closer are one, and a line that ends so close to another meets it."""
_SHORTEST = 8.0
_MOST_OBJECTS = 4000
_MOST_SEGMENTS = 10_000
_MOST_LINES = 400
_MOST_CELLS = 2000
_WORD = re.compile(r"\w+")


class Line(NamedTuple):
    """A horizontal line at height `at`, or a vertical one, from `start` to `end`."""

    at: float
    start: float
    end: float


class Grid(NamedTuple):
    """The lines of a table: their places from left to right and from top to bottom, and the vertical ones."""

    xs: list[float]
    ys: list[float]
    uprights: list[Line]


def with_tables(page: pdfium.FPDF_PAGE, text_page: pdfium.FPDF_TEXTPAGE, text: str) -> str:
    """Return the page's text with its tables as Markdown, or as it was."""
    grids = _grids(page)
    if not grids:
        return text
    parts: list[str] = []
    top = 1e6
    for grid in grids:
        parts += [_within(text_page, -1e6, top, 1e6, grid.ys[0]), _markdown(text_page, grid)]
        top = grid.ys[-1]
    parts.append(_within(text_page, -1e6, top, 1e6, -1e6))
    found = "\n\n".join(filter(None, parts))
    return found if Counter(_WORD.findall(found)) == Counter(_WORD.findall(text)) else text


def _grids(page: pdfium.FPDF_PAGE) -> list[Grid]:
    """Return the page's tables from top to bottom; none where two stand side by side."""
    levels, uprights = _lines(page)
    if not 3 <= len(levels) <= _MOST_LINES or not 3 <= len(uprights) <= _MOST_LINES:
        return []
    grids = []
    for rows, columns in _joined(levels, uprights):
        xs, ys = _places(line.at for line in columns), _places(line.at for line in rows)[::-1]
        if len(xs) > 2 and len(ys) > 2 and len(xs) * len(ys) <= _MOST_CELLS:
            grids.append(Grid(xs, ys, columns))
    grids.sort(key=lambda grid: -grid.ys[0])
    is_stacked = all(above.ys[-1] >= below.ys[0] for above, below in pairwise(grids))
    return grids if is_stacked else []


def _lines(page: pdfium.FPDF_PAGE) -> tuple[list[Line], list[Line]]:
    """Return the horizontal and the vertical lines; what is beyond `_MOST_SEGMENTS` is a drawing and no table."""
    levels: list[Line] = []
    uprights: list[Line] = []
    for (x, y), (to_x, to_y) in islice(_segments(page), _MOST_SEGMENTS):
        if abs(y - to_y) < 1 and abs(x - to_x) > _SHORTEST:
            levels.append(Line((y + to_y) / 2, min(x, to_x), max(x, to_x)))
        elif abs(x - to_x) < 1 and abs(y - to_y) > _SHORTEST:
            uprights.append(Line((x + to_x) / 2, min(y, to_y), max(y, to_y)))
    return levels, uprights


Point = tuple[float, float]


def _segments(page: pdfium.FPDF_PAGE) -> Iterator[tuple[Point, Point]]:
    for index in range(min(pdfium.FPDFPage_CountObjects(page), _MOST_OBJECTS)):
        drawn = pdfium.FPDFPage_GetObject(page, index)
        if pdfium.FPDFPageObj_GetType(drawn) == pdfium.FPDF_PAGEOBJ_PATH:
            yield from _strokes(drawn)


def _strokes(drawn: pdfium.FPDF_PAGEOBJECT) -> Iterator[tuple[Point, Point]]:
    """Yield the straight lines of a path in the page's own measure."""
    matrix = pdfium.FS_MATRIX()
    pdfium.FPDFPageObj_GetMatrix(drawn, ctypes.byref(matrix))
    x, y = ctypes.c_float(), ctypes.c_float()
    start = last = (0.0, 0.0)
    for index in range(min(pdfium.FPDFPath_CountSegments(drawn), _MOST_SEGMENTS)):
        segment = pdfium.FPDFPath_GetPathSegment(drawn, index)
        pdfium.FPDFPathSegment_GetPoint(segment, ctypes.byref(x), ctypes.byref(y))
        point = (
            matrix.a * x.value + matrix.c * y.value + matrix.e,
            matrix.b * x.value + matrix.d * y.value + matrix.f,
        )
        kind = pdfium.FPDFPathSegment_GetType(segment)
        if kind == pdfium.FPDF_SEGMENT_MOVETO:
            start = point
        elif kind == pdfium.FPDF_SEGMENT_LINETO:
            yield last, point
            if pdfium.FPDFPathSegment_GetClose(segment):
                yield point, start
        else:
            yield point, point
        last = point


def _joined(levels: list[Line], uprights: list[Line]) -> Iterator[tuple[list[Line], list[Line]]]:
    """Yield the lines that hang together by crossing each other."""
    free_levels, free_uprights = set(levels), set(uprights)
    while free_levels:
        waiting, rows, columns = [free_levels.pop()], [], []
        while waiting:
            level = waiting.pop()
            rows.append(level)
            for upright in [line for line in free_uprights if _cross(level, line)]:
                free_uprights.remove(upright)
                columns.append(upright)
                more = [line for line in free_levels if _cross(line, upright)]
                free_levels.difference_update(more)
                waiting += more
        yield rows, columns


def _cross(level: Line, upright: Line) -> bool:
    return (
        level.start - _NEAR <= upright.at <= level.end + _NEAR
        and upright.start - _NEAR <= level.at <= upright.end + _NEAR
    )


def _places(values: Iterator[float]) -> list[float]:
    places: list[float] = []
    for value in sorted(values):
        if not places or value - places[-1] > _NEAR:
            places.append(value)
    return places


def _markdown(text_page: pdfium.FPDF_TEXTPAGE, grid: Grid) -> str:
    """Return a table as Markdown; a cell over several columns stands in the first of them."""
    lines = []
    for top, bottom in pairwise(grid.ys):
        middle = (top + bottom) / 2
        walls = [line.at for line in grid.uprights if line.start <= middle <= line.end]
        edges = [x for x in grid.xs if any(abs(wall - x) <= _NEAR for wall in walls)]
        cells = {left: _within(text_page, left, top, right, bottom) for left, right in pairwise(edges)}
        texts = (" ".join(cells.get(x, "").split()).replace("|", "\\|") for x in grid.xs[:-1])
        lines.append("| " + " | ".join(texts) + " |")
    lines.insert(1, "|" + " --- |" * (len(grid.xs) - 1))
    return "\n".join(lines)


def _within(text_page: pdfium.FPDF_TEXTPAGE, left: float, top: float, right: float, bottom: float) -> str:
    size = pdfium.FPDFText_GetBoundedText(text_page, left, top, right, bottom, None, 0)
    if size <= 0:
        return ""
    buffer = (ctypes.c_ushort * size)()
    pdfium.FPDFText_GetBoundedText(text_page, left, top, right, bottom, buffer, size)
    text = bytes(buffer).decode("utf-16-le", "replace").replace("\0", "")
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
