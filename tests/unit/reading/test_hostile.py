"""Files that are built to harm: each ends with a cause, none takes the reader's caller with it."""

import gzip
import io
import struct
import zipfile
from pathlib import Path

import kreuzberg
import pytest

from documents.reading.model import Limits
from tests.unit.reading import files
from tests.unit.reading.quine import quine
from tests.unit.reading.world import opened, refusal

ZEROS = b"\0" * 40_000_000


def overlapping() -> bytes:
    """Return a zip file whose hundred members all are the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"x" * 5_000_000)
    content = out.getvalue()
    end = content.rindex(b"PK\x05\x06")
    (offset,) = struct.unpack_from("<I", content, end + 16)
    entry = content[offset:end]
    tail = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, 100, 100, len(entry) * 100, offset, 0)
    return content[:offset] + entry * 100 + tail


def lying_about_its_size() -> bytes:
    """Return a zip file that says of forty megabytes that they are ten bytes."""
    content = bytearray(files.zipped({"a.txt": ZEROS}))
    for signature, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + at, 10)
    return bytes(content)


BOMBS = {
    "zip": files.zipped({"a.txt": ZEROS}),
    "zip whose members overlap": overlapping(),
    "gzip": gzip.compress(ZEROS, 9),
    "zip in zips": files.zipped({"b.zip": files.zipped({"a.txt": ZEROS})}),
    "sheet": files.xlsx('<row r="1"><c><v>1</v></c></row>' + " " * len(ZEROS)),
    "word": files.docx(files.paragraph("x") + " " * len(ZEROS)),
    "nested archives": gzip.compress(gzip.compress(gzip.compress(gzip.compress(gzip.compress(b"x"))))),
}
ENTITIES = {
    "laughs": f'<!DOCTYPE x [<!ENTITY a "{"lol" * 1000}"><!ENTITY b "{"&a;" * 1000}"><!ENTITY c "{"&b;" * 1000}">]>',
    "quadratic": f'<!DOCTYPE x [<!ENTITY c "{"lol" * 100_000}">]>',
    "external": '<!DOCTYPE x [<!ENTITY c SYSTEM "file:///etc/hostname">]>',
    "parameter": '<!DOCTYPE x [<!ENTITY % c SYSTEM "http://127.0.0.1:9/x.dtd"> %c;]>',
}
DEEP = {
    "docx": files.docx("<w:sdt><w:sdtContent>" * 50_000 + "</w:sdtContent></w:sdt>" * 50_000),
    "odt": files.opendocument("text", "<text:section>" * 100_000 + "</text:section>" * 100_000),
    "ods": files.opendocument("spreadsheet", "<table:table>" * 50_000 + "</table:table>" * 50_000),
    "xlsx": files.xlsx("<row>" * 50_000 + "</row>" * 50_000),
    "html": b"<html><body>" + b"<div>" * 100_000 + b"text" + b"</div>" * 100_000,
}
REPEATED = (
    '<table:table><table:table-row table:number-rows-repeated="1048576"><table:table-cell '
    'table:number-columns-repeated="16384"><text:p>x</text:p></table:table-cell></table:table-row></table:table>'
)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_goes_off(name: str) -> None:
    assert refusal(BOMBS[name]) == "hostile"


def test_a_file_that_unpacks_to_itself_for_ever_is_refused() -> None:
    assert gzip.decompress(quine()) == quine()
    assert refusal(quine()) == "hostile"
    assert refusal(files.zipped({"again.gz": quine()})) == "hostile"


def test_a_size_that_is_a_lie_bounds_what_is_unpacked() -> None:
    assert opened(files.zipped({"ok.txt": "fine"}))[1].pages
    assert refusal(lying_about_its_size()) in ("corrupt", "hostile", "empty")


def test_what_unpacks_to_more_than_allowed_in_all_is_refused() -> None:
    members = {f"{number}.txt": "words " * 50_000 for number in range(20)}
    assert refusal(files.zipped(members), limits=Limits(expanded_bytes=2_000_000)) == "hostile"


@pytest.mark.parametrize("kind", ENTITIES)
def test_xml_that_declares_entities_is_refused(kind: str) -> None:
    assert refusal(files.docx(files.paragraph("&c;"), ENTITIES[kind])) == "hostile"
    odt = files.opendocument("text", "<text:p>&c;</text:p>")
    with_entities = files.rewritten(odt, "content.xml", lambda xml: ENTITIES[kind].encode() + xml)
    assert refusal(with_entities) == "hostile"


def test_entities_behind_a_long_comment_are_never_resolved(tmp_path: Path) -> None:
    """The look at the first bytes is the first wall; that no parser here resolves what lies outside is the second."""
    (tmp_path / "secret.txt").write_text("the secret of this machine")
    prolog = f'<!--{"x" * 100_000}--><!DOCTYPE x [<!ENTITY c SYSTEM "file://{tmp_path}/secret.txt">]>'
    word = files.docx(files.paragraph("before &c; after"), prolog)
    book = files.rewritten(files.xlsx("<row><c t='inlineStr'><is><t>&c;</t></is></c></row>"), SHEET, in_front(prolog))
    page = f"{prolog}<html><body><p>before &c; after</p></body></html>".encode()
    for content in (word, book, page):
        try:
            text = " ".join(page.text for page in opened(content)[1].pages)
        except Exception as error:  # noqa: BLE001 - any end will do that tells nothing
            text = str(error)
        assert "secret of this machine" not in text


SHEET = "xl/worksheets/sheet1.xml"


def in_front(prolog: str) -> "files.Change":
    return lambda xml: prolog.encode() + xml


def test_the_library_itself_resolves_no_external_entity(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("the secret of this machine")
    prolog = f'<!DOCTYPE x [<!ENTITY c SYSTEM "file://{tmp_path}/secret.txt">]>'
    config = kreuzberg.ExtractionConfig(use_cache=False)
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    for content, media_type in (
        (files.docx(files.paragraph("before &c; after"), prolog), kind),
        (f"{prolog}<x>before &c; after</x>".encode(), "application/xml"),
        (f"{prolog}<html><body>before &c; after</body></html>".encode(), "text/html"),
    ):
        try:
            text = kreuzberg.extract_bytes_sync(content, media_type, config=config).content
        except kreuzberg.KreuzbergError as error:
            text = str(error)
        assert "secret of this machine" not in text


@pytest.mark.parametrize("kind", DEEP)
def test_deep_nesting_is_refused(kind: str) -> None:
    assert refusal(DEEP[kind]) == "hostile"


def test_a_million_groups_of_rich_text_end() -> None:
    content = b"{\\rtf1 " + b"{" * 1_000_000 + b"text" + b"}" * 1_000_000 + b"}"
    assert opened(content)[1].pages[0].text == "text"


def test_a_message_of_messages_ends() -> None:
    forwarded = b"From: a@example.org\nSubject: s\nContent-Type: message/rfc822\n\n" * 3_000
    assert refusal(forwarded + b"From: x\n\nend") == "hostile"


def test_a_few_words_that_stand_for_seventeen_billion_cells_are_refused() -> None:
    content = files.opendocument("spreadsheet", REPEATED)
    assert refusal(content, limits=Limits(cells=100_000)) == "too_large"


def test_a_pdf_whose_pages_are_each_other_ends() -> None:
    objects = files.objects_of(files.pdf(["one"]))
    objects[1] = b"<</Type/Pages/Count 100000/Kids[2 0 R 4 0 R 2 0 R]>>"
    reading = opened(files.pdf_file(objects), pages=(1, 20))[1]
    assert len(reading.pages) + len(reading.bad) == 20
