"""Paged and unpaged files: what was written on a page comes back as that page."""

import io

import docx
import pytest

from tests.unit.reading import files
from tests.unit.reading.world import opened, texts


def test_pages_of_a_pdf_are_read_by_number() -> None:
    content = files.pdf([f"This is page {number}." for number in range(1, 31)])
    found, reading = opened(content, "plan.pdf", pages=(21, 30))
    assert (found.media_type, found.unit, found.pages) == ("application/pdf", "page", 30)
    assert [(page.number, page.place.label, page.text) for page in reading.pages] == [
        (number, f"page {number}", f"This is page {number}.") for number in range(21, 31)
    ]
    assert not reading.bad


def test_sections_of_a_word_file_are_known_by_their_headings() -> None:
    file = docx.Document()
    for heading, level in (("Scope", 1), ("Costs", 1), ("Staff", 2)):
        file.add_heading(heading, level)
        file.add_paragraph(f"About {heading}. " * 120)
    table = file.add_table(2, 2)
    table.cell(1, 1).text = "forty"
    saved = io.BytesIO()
    file.save(saved)
    found, reading = opened(saved.getvalue(), "plan.bin")
    assert found.pages is None
    assert [page.place.label for page in reading.pages] == ["Scope", "Costs", "Costs > Staff"]
    assert "|  | forty |" in reading.pages[2].text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "cp1251", "koi8-r"])
def test_text_is_read_in_any_encoding(encoding: str) -> None:
    written = "Мы обещали заказчику закончить перенос данных до конца ноября, и это ещё не сделано.\n" * 20
    assert texts(written.encode(encoding), "письмо.txt") == {"lines 1-20": written.strip()}
