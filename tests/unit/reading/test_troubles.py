"""What cannot be read ends with a cause, and what can be is kept."""

import io
import zlib

import docx
import msoffcrypto.format.ooxml
import pypdf
import pytest

from documents.reading.model import Limits
from tests.unit.reading import files
from tests.unit.reading.world import opened, refusal, texts

SECRET = "open sesame"


def sealed_pdf(password: str = SECRET) -> bytes:
    writer = pypdf.PdfWriter(io.BytesIO(files.pdf(["a secret page"])))
    writer.encrypt(password, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def sealed_docx() -> bytes:
    out = io.BytesIO()
    clear = io.BytesIO()
    document = docx.Document()
    document.add_paragraph("a secret paragraph")
    document.save(clear)
    msoffcrypto.format.ooxml.OOXMLFile(clear).encrypt(SECRET, out)
    return out.getvalue()


@pytest.mark.parametrize("content", [sealed_pdf(), sealed_docx()], ids=["pdf", "docx"])
def test_an_encrypted_file_asks_for_its_password(content: bytes) -> None:
    assert refusal(content) == "encrypted"
    assert refusal(content, password="guess") == "wrong_password"
    assert "a secret pa" in " ".join(texts(content, password=SECRET).values())


def test_an_encrypted_file_that_takes_no_password_says_so() -> None:
    manifest = "<manifest:file-entry><manifest:encryption-data/></manifest:file-entry>"
    assert refusal(files.opendocument("text", "", manifest=manifest)) == "encrypted"


def test_a_scanned_file_offers_text_recognition() -> None:
    assert refusal(files.scanned_pdf(["", "", ""])) == "scanned"
    assert refusal(b"\x89PNG\r\n\x1a\n" + bytes(60), "photo.png") == "scanned"


def test_a_scanned_page_among_others_is_named() -> None:
    reading = opened(files.scanned_pdf(["one", "", "three"]))[1]
    assert [page.text for page in reading.pages] == ["one", "three"]
    assert [(bad.number, bad.label, bad.code) for bad in reading.bad] == [(2, "page 2", "ocr_needed")]


def test_a_damaged_page_is_named_and_the_others_are_read() -> None:
    objects = files.objects_of(files.pdf([f"page {number}" for number in range(1, 8)]))
    objects[3 + 2 * 3] = b"null"
    reading = opened(files.pdf_file(objects))[1]
    assert [page.number for page in reading.pages] == [1, 2, 3, 5, 6, 7]
    assert [(bad.number, bad.code) for bad in reading.bad] == [(4, "corrupt")]


def with_content(body: bytes, *, form: bytes | None = None) -> bytes:
    """Return a PDF of three pages, the second with this object as its content; `/X` on it is this form."""
    objects = files.objects_of(files.pdf(["one", "two", "three"]))
    objects[6] = body
    if form is not None:
        objects.append(form)
        objects[5] = objects[5].replace(b"/Resources<<", b"/Resources<</XObject<</X %d 0 R>>" % len(objects))
    return files.pdf_file(objects)


def stream(data: bytes, more: bytes = b"") -> bytes:
    return b"<<%s/Length %d>>\nstream\n%s\nendstream" % (more, len(data), data)


FLATE = b"/Filter/FlateDecode"
JUNK = bytes(range(128, 256)) * 3
DRAWS_A_FORM = stream(b"q /X Do Q")
FORM = b"/Type/XObject/Subtype/Form/BBox[0 0 612 792]"
DAMAGED = {
    "does not unpack": with_content(stream(JUNK, FLATE)),
    "unpacks to junk": with_content(stream(zlib.compress(JUNK), FLATE)),
    "is junk": with_content(stream(JUNK)),
    "is cut off at once": with_content(stream(zlib.compress(b"BT (two) Tj ET")[:3], FLATE)),
    "is not there": with_content(b"null"),
    "is in a form that does not unpack": with_content(DRAWS_A_FORM, form=stream(JUNK, FORM + FLATE)),
}
BLANK = {
    "has nothing in it": with_content(stream(b"")),
    "has spaces in it": with_content(stream(b" \n ")),
    "unpacks to nothing": with_content(stream(zlib.compress(b""), FLATE)),
    "only sets things up": with_content(
        stream(b"q 1 0 0 1 0 0 cm /P <</MCID 0>> BDC BT /F1 11 Tf (\\)x) pop ET EMC Q")
    ),
    "draws a form without anything": with_content(DRAWS_A_FORM, form=stream(b"q Q", FORM)),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_page_whose_content_alone_is_damaged_is_named(what: str) -> None:
    reading = opened(DAMAGED[what])[1]
    assert [page.text for page in reading.pages] == ["one", "three"]
    assert [(bad.number, bad.code) for bad in reading.bad] == [(2, "corrupt")]


@pytest.mark.parametrize("what", BLANK)
def test_a_blank_page_is_no_damaged_one(what: str) -> None:
    reading = opened(BLANK[what])[1]
    assert [page.text for page in reading.pages] == ["one", "", "three"]
    assert not reading.bad


def test_a_damaged_page_of_an_encrypted_file_is_named() -> None:
    writer = pypdf.PdfWriter(io.BytesIO(DAMAGED["unpacks to junk"]))
    writer.encrypt(SECRET, algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    reading = opened(out.getvalue(), password=SECRET)[1]
    assert [(bad.number, bad.code) for bad in reading.bad] == [(2, "corrupt")]


def test_a_pdf_that_breaks_off_gives_the_pages_that_are_there() -> None:
    content = files.pdf([f"page {number}" for number in range(1, 11)])
    reading = opened(content[: len(content) // 2])[1]
    read = [page.text for page in reading.pages if page.text]
    assert read == [f"page {number}" for number in range(1, len(read) + 1)]
    assert len(read) >= 3
    assert reading.bad[-1].number == 10


# An endless page takes memory too, on a fast machine a gigabyte a second or so: here its time is to be over first.
PLENTY = 8 * 2**30


def test_a_page_that_takes_too_long_is_given_up_and_the_others_are_read() -> None:
    content = files.endless_page(["one", "two", "three", "four"], 3)
    reading = opened(content, limits=Limits(page_seconds=2.0, memory_bytes=PLENTY))[1]
    assert [page.text for page in reading.pages] == ["one", "two", "four"]
    assert [(bad.number, bad.code) for bad in reading.bad] == [(3, "timed_out")]


def test_a_call_whose_time_is_over_blames_no_page_for_it() -> None:
    content = files.endless_page(["one", "two", "three", "four"], 3)
    assert refusal(content, limits=Limits(seconds=3.0, memory_bytes=PLENTY)) == "timed_out"


def test_a_page_that_takes_too_much_memory_is_given_up_and_the_others_are_read() -> None:
    huge = zlib.compress(b" " * 300_000_000, 1)
    objects = files.objects_of(files.pdf(["one", "two", "three"]))
    objects[4 + 2] = b"<</Filter/FlateDecode/Length %d>>\nstream\n%s\nendstream" % (len(huge), huge)
    reading = opened(files.pdf_file(objects), limits=Limits(memory_bytes=512 * 2**20))[1]
    assert [page.number for page in reading.pages if page.text] == [1, 3]


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"", "plan.txt", "empty"),
        (b" \n\t\n", "plan.txt", "empty"),
        (files.pdf(["", ""]), "plan.pdf", "empty"),
        (files.docx(""), "plan.docx", "empty"),
        (files.zipped({}), "plan.zip", "empty"),
        (bytes(range(256)) * 40, "plan.bin", "unsupported"),
        (b"\x7fELF\x02\x01\x01" + bytes(500), "program", "unsupported"),
        (files.docx(files.paragraph("text"))[:300], "plan.docx", "corrupt"),
        (b"%PDF-1.7\n" + bytes(range(1, 255)) * 20, "plan.pdf", "corrupt"),
    ],
)
def test_every_trouble_has_its_code(content: bytes, name: str, code: str) -> None:
    assert refusal(content, name) == code


def test_more_text_than_is_read_of_one_file_is_refused() -> None:
    assert refusal(b"words " * 10_000, "plan.txt", limits=Limits(text_bytes=1_000)) == "too_large"
