"""Files for the tests to read, made here."""

import io
import zlib
from collections.abc import Sequence


def pdf(pages: Sequence[str | bytes], *, compress: bool = True) -> bytes:
    """Return a PDF with one line of Latin text per line of each page; bytes are a page's content stream as it is."""
    objects: list[bytes] = [b"", b"", b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"]
    kids = []
    for page in pages:
        content = page if isinstance(page, bytes) else _content(page)
        data, filtered = (zlib.compress(content, 1), b"/Filter/FlateDecode") if compress else (content, b"")
        number = len(objects) + 1
        kids.append(number)
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 3 0 R>>>>/Contents %d 0 R>>"
            % (number + 1)
        )
        objects.append(b"<<%s/Length %d>>\nstream\n%s\nendstream" % (filtered, len(data), data))
    objects[0] = b"<</Type/Catalog/Pages 2 0 R>>"
    objects[1] = b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(kids), b" ".join(b"%d 0 R" % kid for kid in kids))
    return pdf_file(objects)


def pdf_file(objects: Sequence[bytes], trailer: bytes = b"") -> bytes:
    """Return a PDF of these objects, the first of them its catalogue."""
    out = io.BytesIO()
    out.write(b"%PDF-1.7\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % offset for offset in offsets))
    size = len(objects) + 1
    out.write(b"trailer\n<</Size %d/Root 1 0 R%s>>\nstartxref\n%d\n%%%%EOF\n" % (size, trailer, start))
    return out.getvalue()


def _content(text: str) -> bytes:
    lines = [line.translate({40: r"\(", 41: r"\)", 92: r"\\"}) for line in text.split("\n")]
    shown = b"".join(b"(%s) Tj T*\n" % line.encode("cp1252", "replace") for line in lines)
    return b"BT /F1 11 Tf 14 TL 50 740 Td\n%sET" % shown
