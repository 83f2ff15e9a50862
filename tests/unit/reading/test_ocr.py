"""Text in pictures: off unless asked for, and then page by page, within the limits of every reading."""

import io
import re
from collections import Counter
from email.message import EmailMessage

import pypdf
import pytest

from documents.reading import ocr
from documents.reading.model import Limits, ReadingError
from tests.unit.reading import files
from tests.unit.reading.scans import LINES, noise, png_of, saved, scan
from tests.unit.reading.world import opened, refusal

ON = Limits(ocr="tesseract")
WORDS = Counter(" ".join(LINES).split())


def share_of_words(text: str) -> float:
    """Return how many of the words that were written are found."""
    return (Counter(re.findall(r"\w+", text)) & WORDS).total() / WORDS.total()


@pytest.mark.usefixtures("recognition")
@pytest.mark.parametrize("degrees", [0, 90, 180])
def test_a_scan_is_read_however_it_lies(degrees: int) -> None:
    _, reading = opened(saved([scan(degrees=degrees)], "PDF"), limits=ON)
    (page,) = reading.pages
    assert (page.number, page.place.label) == (1, "page 1")
    assert share_of_words(page.text) > 0.9
    assert any("recognition" in warning for warning in reading.warnings)


@pytest.mark.usefixtures("recognition")
def test_only_pages_without_text_are_recognised() -> None:
    _, reading = opened(files.scanned_pdf(["typed", "typed as well"]), limits=ON)
    assert [page.text for page in reading.pages] == ["typed", "typed as well"]
    assert not reading.warnings


def stamped_scan() -> bytes:
    """Return a PDF of one scanned page, on which a number is typed."""
    out = io.BytesIO()
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(saved([scan()], "PDF")))
    stamp = pypdf.PdfReader(io.BytesIO(files.pdf([b"BT /F1 11 Tf 30 20 Td (CASE-4711) Tj ET"]))).pages[0]
    writer.pages[0].merge_page(stamp)
    writer.write(out)
    return out.getvalue()


@pytest.mark.usefixtures("recognition")
def test_a_scan_under_a_stamp_is_read_with_it() -> None:
    (page,) = opened(stamped_scan(), limits=ON)[1].pages
    assert page.text.startswith("CASE-4711\n\n")
    assert share_of_words(page.text) > 0.9


def test_a_scan_under_a_stamp_is_told_of_where_recognition_is_off() -> None:
    reading = opened(stamped_scan())[1]
    assert [page.text for page in reading.pages] == ["CASE-4711"]
    assert any("recognition" in warning for warning in reading.warnings)


@pytest.mark.usefixtures("recognition")
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF"])
def test_a_picture_is_a_page(kind: str) -> None:
    found, reading = opened(saved([scan()], kind), limits=ON)
    assert (found.unit, found.pages) == ("page", 1)
    assert [page.place.label for page in reading.pages] == ["picture"]
    assert share_of_words(reading.pages[0].text) > 0.9


@pytest.mark.usefixtures("recognition")
def test_the_pictures_in_a_tiff_are_its_pages_from_any_of_them() -> None:
    content = saved([scan([line]) for line in LINES], "TIFF")
    found, reading = opened(content, pages=(2, 3), limits=ON)
    assert found.pages == len(LINES)
    assert [(page.number, page.place.label) for page in reading.pages] == [(2, "page 2"), (3, "page 3")]
    assert [page.text.split()[-1] for page in reading.pages] == [line.split()[-1] for line in LINES[1:3]]


@pytest.mark.usefixtures("recognition")
def test_what_is_no_text_gives_none() -> None:
    (page,) = opened(saved([noise()], "PNG"), limits=ON)[1].pages
    assert page.is_blank


@pytest.mark.usefixtures("recognition")
def test_a_picture_that_is_attached_is_read() -> None:
    mail = EmailMessage()
    mail["Subject"], mail["From"] = "Scan", "ada@example.org"
    mail.set_content("See the scan.")
    mail.add_attachment(saved([scan()], "PNG"), maintype="image", subtype="png", filename="scan.png")
    pages = opened(bytes(mail), limits=ON)[1].pages
    assert pages[1].place.label == "attachment scan.png > picture"
    assert share_of_words(pages[1].text) > 0.9


PICTURES = {
    "more points than are read": (png_of(60_000, 60_000), "too_large"),
    "one point high": (png_of(100_000, 1), "corrupt"),
    "one point wide": (png_of(1, 100_000), "corrupt"),
    "broken off": (saved([scan()], "PNG")[:5_000], "corrupt"),
    "no picture at all": (b"\x89PNG\r\n\x1a\n" + bytes(60), "corrupt"),
    "a chain of frames that bites its tail": (b"II*\0\x08\0\0\0\0\0\x08\0\0\0", "corrupt"),
}


@pytest.mark.usefixtures("recognition")
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_cannot_be_read_is_named(name: str) -> None:
    content, code = PICTURES[name]
    reading = opened(content, limits=ON)[1]
    assert not reading.pages
    assert [(bad.number, bad.label, bad.code) for bad in reading.bad] == [(1, "picture", code)]


@pytest.mark.usefixtures("recognition")
def test_more_pictures_than_are_read_of_one_file_are_refused() -> None:
    dot = scan([]).resize((4, 4))
    assert refusal(saved([dot] * 1_001, "TIFF"), limits=ON) == "too_large"


def test_pictures_are_refused_where_recognition_is_off() -> None:
    assert refusal(saved([scan()], "JPEG"), "photo.jpg") == "scanned"
    assert refusal(saved([scan()], "PDF"), "scan.pdf") == "scanned"


def test_recognition_without_its_data_is_told_of() -> None:
    assert ocr.data() is None
    with pytest.raises(ReadingError, match="not installed"):
        opened(saved([scan()], "PNG"), limits=ON)
