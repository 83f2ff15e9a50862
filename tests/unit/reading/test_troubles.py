"""What cannot be read ends with a cause, and what can be is kept."""

import binascii
import hashlib
import io
import zlib

import docx
import msoffcrypto.format.ooxml
import pypdf
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from documents.reading.model import Limits, ReadingError
from tests.unit.reading import files
from tests.unit.reading.world import opened, refusal, texts

SECRET = "open sesame"
NAMES = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"


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


PLAIN_ODT = files.opendocument("text", "<text:p>a secret paragraph</text:p>")


def sealed_entry(name: str, size: int, algorithm: str, derivation: str, *, checksum: bytes | None = None) -> str:
    """Return what a manifest says of an encrypted part."""
    checked = "" if checksum is None else f' m:checksum-type="{NAMES}#sha256-1k" m:checksum="{base64(checksum)}"'
    start = "http://www.w3.org/2001/04/xmlenc#sha256"
    return (
        f'<m:file-entry m:full-path="{name}" m:size="{size}"><m:encryption-data{checked}><m:algorithm {algorithm}/>'
        f'<m:start-key-generation m:start-key-generation-name="{start}"/><m:key-derivation {derivation}/>'
        "</m:encryption-data></m:file-entry>"
    )


def sealed_odt_by_part() -> bytes:
    """Return a text each of whose parts is encrypted, as ODF 1.2 describes it."""
    clear, iv, salt = deflated(files.member(PLAIN_ODT, "content.xml")), bytes(range(16)), b"salt" * 4
    key = hashlib.pbkdf2_hmac("sha1", hashlib.sha256(SECRET.encode()).digest(), salt, 1_000, 32)
    padding = 16 - len(clear) % 16
    sealer = Cipher(algorithms.AES256(key), modes.CBC(iv)).encryptor()
    sealed = sealer.update(clear + bytes(padding - 1) + bytes([padding])) + sealer.finalize()
    algorithm = f'm:algorithm-name="http://www.w3.org/2001/04/xmlenc#aes256-cbc" m:initialisation-vector="{base64(iv)}"'
    derivation = f'm:key-derivation-name="{NAMES}#pbkdf2" m:iteration-count="1000" m:salt="{base64(salt)}"'
    checksum = hashlib.sha256(clear[:1024]).digest()
    entry = sealed_entry("content.xml", len(clear), algorithm, derivation, checksum=checksum)
    return sealed_odt({"content.xml": sealed}, entry)


def sealed_odt_as_a_whole(kilobytes: int = 64) -> bytes:
    """Return a text that is encrypted within another file, as LibreOffice does it."""
    iv, salt = bytes(range(12)), b"salt" * 4
    start = hashlib.sha256(SECRET.encode()).digest()
    key = Argon2id(salt=salt, length=32, iterations=1, lanes=1, memory_cost=64).derive(start)
    sealed = iv + AESGCM(key).encrypt(iv, deflated(PLAIN_ODT), None)
    algorithm = f'm:algorithm-name="http://www.w3.org/2009/xmlenc11#aes256-gcm" m:initialisation-vector="{base64(iv)}"'
    name = "urn:org:documentfoundation:names:experimental:office:manifest:argon2id"
    derivation = f'm:key-derivation-name="{name}" m:salt="{base64(salt)}"'
    derivation += ' l:argon2-iterations="1" l:argon2-lanes="1"' + f' l:argon2-memory="{kilobytes}"'
    return sealed_odt({"encrypted-package": sealed}, sealed_entry("encrypted-package", 9, algorithm, derivation))


def sealed_odt(parts: dict[str, bytes], entries: str) -> bytes:
    namespaces = f'xmlns:m="{NAMES}" xmlns:l="urn:org:documentfoundation:names:experimental:office:xmlns:loext:1.0"'
    manifest = f"<m:manifest {namespaces}>{entries}</m:manifest>"
    mimetype = "application/vnd.oasis.opendocument.text"
    return files.zipped({"mimetype": mimetype, "META-INF/manifest.xml": manifest, **parts}, compress=False)


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def base64(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode()


@pytest.mark.parametrize(
    "content",
    [sealed_pdf(), sealed_docx(), sealed_odt_by_part(), sealed_odt_as_a_whole()],
    ids=["pdf", "docx", "odt by part", "odt as a whole"],
)
def test_an_encrypted_file_asks_for_its_password(content: bytes) -> None:
    assert refusal(content) == "encrypted"
    assert refusal(content, password="guess") == "wrong_password"
    assert "a secret pa" in " ".join(texts(content, password=SECRET).values())


def test_an_encrypted_file_that_takes_no_password_says_so() -> None:
    entry = '<m:file-entry m:full-path="content.xml"><m:encryption-data/></m:file-entry>'
    content = sealed_odt({"content.xml": b"sealed"}, entry)
    with pytest.raises(ReadingError, match="takes no password"):
        opened(content, password=SECRET)


def test_an_encrypted_file_that_asks_for_more_work_than_opening_takes_is_refused() -> None:
    assert refusal(sealed_odt_as_a_whole(kilobytes=99_999_999), password=SECRET) == "hostile"


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
