"""Sheets: every value can be looked up at the cell that is cited."""

import datetime
import io
import re

import openpyxl
from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.text.cells import cells, column_name
from documents.reading.model import Limits
from documents.reading.tables import Row, pieces
from documents.reading.units import Budget, Unit
from tests.unit.reading import files
from tests.unit.reading.world import opened, refusal


def workbook(**sheets: dict[str, object]) -> bytes:
    file = openpyxl.Workbook()
    file.remove(file.active)
    for name, values in sheets.items():
        sheet = file.create_sheet(name)
        for cell, value in values.items():
            sheet[cell] = value
    out = io.BytesIO()
    file.save(out)
    return out.getvalue()


def test_a_table_keeps_the_place_at_which_it_stands() -> None:
    content = workbook(
        Costs={"B3": "Item", "C3": "Price", "D3": "When", "B4": "a|b", "C4": 7.5, "D4": datetime.date(2026, 1, 4)}
        | {f"B{row}": f"item {row}" for row in range(5, 10)}
    )
    (page,) = opened(content)[1].pages
    assert page.place.label == "sheet Costs"
    assert page.text.split("\n")[:3] == [
        "| Item | Price | When |",
        "| --- | --- | --- |",
        "| a\\|b | 7.5 | 2026-01-04 |",
    ]
    assert cells(page.place, 3, 8) == "B4:D9"


def test_pieces_of_a_long_sheet_repeat_the_header_and_know_their_rows() -> None:
    content = workbook(Costs={f"A{row}": f"row {row}" for row in range(1, 251)})
    pages = opened(content)[1].pages
    assert [page.place.label for page in pages] == [
        "sheet Costs",
        "sheet Costs, rows 102-201",
        "sheet Costs, rows 202-250",
    ]
    assert all(page.text.startswith("| row 1 |\n| --- |\n") for page in pages)
    assert cells(pages[1].place, 3, 3) == "A102"
    assert cells(pages[2].place, 51, 51) == "A250"


def test_numbers_moments_and_truths_read_as_people_write_them() -> None:
    values = {
        "A1": 0.1 + 0.2,
        "A2": 1e20,
        "A3": True,
        "A4": datetime.datetime(2026, 5, 1, 13, 30),  # noqa: DTZ001 - sheets know no zones
        "A5": datetime.time(9, 15),
        "A6": "  two\nlines ",
    }
    (page,) = opened(workbook(Values=values))[1].pages
    shown = [line.strip("| ") for line in page.text.split("\n")]
    assert shown == ["0.3", "---", "1e+20", "TRUE", "2026-05-01 13:30:00", "09:15:00", "two lines"]


def test_a_far_table_on_the_same_sheet_has_its_own_header() -> None:
    content = workbook(Costs={"A1": "Item", "A2": "pen", "F10": "Who", "F11": "Ada"})
    first, second = opened(content)[1].pages
    assert (first.text, cells(first.place, 3, 3)) == ("| Item |\n| --- |\n| pen |", "A2")
    assert (second.text, cells(second.place, 1, 3)) == ("| Who |\n| --- |\n| Ada |", "F10:F11")


def test_a_damaged_sheet_is_named_and_the_others_are_read() -> None:
    content = workbook(Good={"A1": "kept"}, Bad={"A1": "lost"}, Last={"A1": "kept too"})
    broken = files.rewritten(content, "xl/worksheets/sheet2.xml", lambda xml: xml[: len(xml) // 2])
    reading = opened(broken)[1]
    assert [bad.label for bad in reading.bad] == ["sheet Bad"]
    assert [page.place.sheet for page in reading.pages if "kept" in page.text] == ["Good", "Last"]


def test_open_document_sheets_repeat_cells_and_rows_in_few_words() -> None:
    cell = '<table:table-cell table:number-columns-repeated="2"><text:p>x</text:p></table:table-cell>'
    gap = '<table:table-cell table:number-columns-repeated="3"/>'
    rows = f'<table:table-row table:number-rows-repeated="2">{gap}{cell}</table:table-row>'
    empty = '<table:table-row table:number-rows-repeated="1048574"><table:table-cell/></table:table-row>'
    (page,) = opened(files.opendocument("spreadsheet", f'<table:table table:name="S">{rows}{empty}</table:table>'))[
        1
    ].pages
    assert page.text == "| x | x |\n| --- | --- |\n| x | x |"
    assert cells(page.place, 1, 3) == "D1:E2"


def test_what_separates_the_cells_of_a_csv_file_is_found_out() -> None:
    for separator in (",", ";", "\t"):
        content = "\n".join(separator.join(row) for row in (["name", "price"], ['"a, b"', "1"], ["c", "2"]))
        (page,) = opened(content.encode(), "costs.csv")[1].pages
        assert page.text == "| name | price |\n| --- | --- |\n| a, b | 1 |\n| c | 2 |"
        assert cells(page.place, 3, 4) == "A2:B3"


def test_more_cells_than_allowed_are_refused() -> None:
    rows = "".join(f'<row r="{row}">{"<c><v>1</v></c>" * 100}</row>' for row in range(1, 200))
    assert refusal(files.xlsx(rows), limits=Limits(cells=10_000)) == "too_large"


ROWS = st.dictionaries(
    st.integers(1, 400),
    st.dictionaries(st.integers(1, 30), st.text("abc|\n ", min_size=1, max_size=8).filter(str.strip), min_size=1),
    min_size=1,
    max_size=150,
)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_every_value_stands_in_the_cells_that_its_line_is_cited_by(sheet: dict[int, dict[int, str]]) -> None:
    found: dict[str, str] = {}
    for unit in pieces([Row(number, sheet[number]) for number in sorted(sheet)], Budget({"cells": 10**9})):
        assert isinstance(unit, Unit)
        found |= looked_up(unit)
    assert found == {
        f"{column_name(column)}{number}": " ".join(text.split())
        for number, row in sheet.items()
        for column, text in row.items()
    }


def looked_up(unit: Unit) -> dict[str, str]:
    """Return the values of a piece by the cells that citing their lines would name."""
    table = unit.table
    found: dict[str, str] = {}
    for line, text in enumerate(unit.text.split("\n")):
        if line == 1:
            continue
        row = table["first_row"] if line == 0 else table["data_row"] + line - 2
        for column, value in enumerate(re.split(r"(?<!\\)\|", text)[1:-1], table["first_column"]):
            if value.strip():
                found[f"{column_name(column)}{row}"] = value.strip().replace("\\|", "|")
    return found
