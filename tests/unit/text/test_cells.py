"""Cells: what a reader looks up in the sheet is what the lines show."""

import pytest

from almanac.index.sources import Place
from almanac.text.cells import cells, column_name

COSTS = Place(
    unit="sheet", number=1, label="sheet Costs", sheet="Costs", first_row=3, first_column=2, columns=3, data_row=4
)
LATER = COSTS.model_copy(update={"data_row": 104})


@pytest.mark.parametrize(
    ("place", "lines", "expected"),
    [
        (COSTS, (3, 8), "B4:D9"),
        (COSTS, (1, 8), "B3:D9"),
        (COSTS, (1, 2), "B3:D3"),
        (COSTS, (4, 4), "B5:D5"),
        (LATER, (1, 5), "B104:D106"),
        (LATER, (1, 1), "B3:D3"),
        (LATER, (5, 6), "B106:D107"),
        (COSTS.model_copy(update={"columns": 1}), (3, 3), "B4"),
        (COSTS.model_copy(update={"data_row": None}), (3, 3), "B4:D4"),
    ],
)
def test_lines_of_a_table_are_cells_of_its_sheet(place: Place, lines: tuple[int, int], expected: str) -> None:
    assert cells(place, *lines) == expected


def test_what_is_no_sheet_has_no_cells() -> None:
    assert cells(Place(unit="page", number=12, label="page 12"), 1, 9) is None


@pytest.mark.parametrize(("number", "name"), [(1, "A"), (26, "Z"), (27, "AA"), (28, "AB"), (702, "ZZ"), (703, "AAA")])
def test_columns_are_named_as_spreadsheets_do(number: int, name: str) -> None:
    assert column_name(number) == name
