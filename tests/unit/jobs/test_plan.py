from hypothesis import given
from hypothesis import strategies as st

from documents.jobs import progress


@given(st.integers(1, 12_000), st.booleans())
def test_parts_hold_each_page_once_and_in_order(pages: int, ocr: bool) -> None:
    parts = progress.plan(pages, ocr=ocr)
    assert [page for part in parts for page in range(part.first, part.last + 1)] == list(range(1, pages + 1))
    assert [part.part for part in parts] == list(range(1, len(parts) + 1))
    assert all(part.offset == part.first - 1 for part in parts)


def test_the_first_part_is_small_and_those_beyond_the_first_window_are_large() -> None:
    sizes = [part.last - part.first + 1 for part in progress.plan(1000)]
    assert sizes == [5, *[20] * 7, *[40] * 21, 15]


def test_parts_whose_pictures_are_read_stay_small() -> None:
    assert max(part.last - part.first + 1 for part in progress.plan(1000, ocr=True)) == 20
