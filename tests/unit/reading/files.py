"""Files for the tests to read, made here."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence


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


def ruled_table(above: str, rows: Sequence[Sequence[str]], below: str, *, boxed: bool = False) -> bytes:
    """Return a page's content: a table drawn with lines (or with a box for each cell) between two lines of text."""
    height, width, top = 20, 120, 720
    bottom = top - height * len(rows)
    parts = [_words(50, 740, above), _words(50, bottom - 30, below)]
    for number, row in enumerate(rows):
        for column, text in enumerate(row):
            left, base = 50 + column * width, top - (number + 1) * height
            parts.append(_words(left + 8, base + 6, text))
            if boxed:
                parts.append(b"%d %d %d %d re S" % (left, base, width, height))
    if not boxed:
        right = 50 + width * len(rows[0])
        parts += [b"50 %d m %d %d l S" % (y, right, y) for y in range(bottom, top + 1, height)]
        parts += [b"%d %d m %d %d l S" % (x, bottom, x, top) for x in range(50, right + 1, width)]
    return b"\n".join(parts)


def _words(x: int, y: int, text: str) -> bytes:
    return b"BT /F1 11 Tf %d %d Td (%s) Tj ET" % (x, y, text.encode("cp1252"))


def _content(text: str) -> bytes:
    lines = [line.translate({40: r"\(", 41: r"\)", 92: r"\\"}) for line in text.split("\n")]
    shown = b"".join(b"(%s) Tj T*\n" % line.encode("cp1252", "replace") for line in lines)
    return b"BT /F1 11 Tf 14 TL 50 740 Td\n%sET" % shown


_CID_FONT = (
    b"<</Type/Font/Subtype/CIDFontType2/BaseFont/X/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"
    b"/DW 600/FontDescriptor<</Type/FontDescriptor/FontName/X/Flags 4/FontBBox[0 0 600 800]/ItalicAngle 0"
    b"/Ascent 800/Descent 0/CapHeight 700/StemV 80>>>>"
)


def unicode_pdf(lines: Sequence[str]) -> bytes:
    """Return a PDF of one page in any script: its font has no glyphs, and says which characters its codes stand for."""
    letters = sorted(set("".join(lines)))
    codes = {letter: code for code, letter in enumerate(letters, 1)}
    mapped = b"".join(
        b"<%04X> <%s>\n" % (code, letter.encode("utf-16-be").hex().encode()) for letter, code in codes.items()
    )
    cmap = (
        b"/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def /CMapType 2 def\n"
        b"1 begincodespacerange <0000> <FFFF> endcodespacerange\n%d beginbfchar\n%sendbfchar\nendcmap end end"
    ) % (len(codes), mapped)
    shown = b"".join(b"<%s> Tj T*\n" % b"".join(b"%04X" % codes[letter] for letter in line) for line in lines)
    content = b"BT /F1 11 Tf 14 TL 50 740 Td\n%sET" % shown
    return pdf_file(
        [
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Count 1/Kids[3 0 R]>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources<</Font<</F1 4 0 R>>>>/Contents 7 0 R>>",
            b"<</Type/Font/Subtype/Type0/BaseFont/X/Encoding/Identity-H/DescendantFonts[5 0 R]/ToUnicode 6 0 R>>",
            _CID_FONT,
            b"<</Length %d>>\nstream\n%s\nendstream" % (len(cmap), cmap),
            b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content),
        ]
    )


def endless_page(pages: Sequence[str], number: int) -> bytes:
    """Return a PDF one of whose pages draws ten forms that draw ten forms each, and so on, ten deep."""
    objects = objects_of(pdf(pages))
    first = len(objects) + 1
    for depth in range(10):
        inner = b"/Resources<</XObject<</X %d 0 R>>>>" % (first + depth + 1) if depth < 9 else b""
        content = b"/X Do " * 10 if depth < 9 else b"0 0 m 1 1 l S "
        objects.append(
            b"<</Type/XObject/Subtype/Form/BBox[0 0 9 9]%s/Length %d>>\nstream\n%s\nendstream"
            % (inner, len(content), content)
        )
    page = 3 + 2 * (number - 1)
    objects[page] = objects[page].replace(b"/Resources<<", b"/Resources<</XObject<</X %d 0 R>>" % first)
    objects[page + 1] = b"<</Length 5>>\nstream\n/X Do\nendstream"
    return pdf_file(objects)


def scanned_pdf(texts: Sequence[str]) -> bytes:
    """Return a PDF with a picture on every page, and on those that have a text that one too."""
    contents = [(b"q 600 0 0 780 0 0 cm /I1 Do Q\n" + (_content(text) if text else b"")) for text in texts]
    made = pdf(contents)
    picture = (
        b"<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray/BitsPerComponent 8/Length 1>>"
        b"stream\n\x80\nendstream"
    )
    objects = objects_of(made)
    objects.append(picture)
    resource = b"/Resources<</XObject<</I1 %d 0 R>>" % len(objects)
    return pdf_file([body.replace(b"/Resources<<", resource) for body in objects])


def objects_of(content: bytes) -> list[bytes]:
    """Return the objects of a PDF that was made here."""
    return [body.split(b" obj\n", 1)[1] for body in content.split(b"\nendobj\n")[:-1]]


def zipped(members: Mapping[str, bytes | str], *, compress: bool = True) -> bytes:
    """Return a zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


Change = Callable[[bytes], bytes]

WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def docx(body: str, prolog: str = "") -> bytes:
    """Return a Word file with this in its body, and this before its first element."""
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    return zipped(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{kind}"/></Types>',
            "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="r1" Type="{office}" Target="word/document.xml"/></Relationships>',
            "word/document.xml": f"{prolog}<w:document {WORD}><w:body>{body}</w:body></w:document>",
        }
    )


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def xlsx(rows: str) -> bytes:
    """Return a workbook of one sheet, Costs, with these `row` elements."""
    relations = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    return zipped(
        {
            "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
            "xl/workbook.xml": f'<workbook {main} xmlns:r="{relations}"><sheets>'
            '<sheet name="Costs" sheetId="1" r:id="r1"/></sheets></workbook>',
            "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
            'relationships"><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Relationships>',
            "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{rows}</sheetData></worksheet>",
        }
    )


_ODF = 'xmlns:dc="http://purl.org/dc/elements/1.1/" ' + " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in [
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("presentation", "presentation"),
        ("manifest", "manifest"),
        ("style", "style"),
    ]
)


def opendocument(kind: str, body: str) -> bytes:
    """Return a file of OpenDocument: "text", "spreadsheet", "presentation"."""
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": f"<office:document-content {_ODF}><office:body><office:{kind}>{body}</office:{kind}>"
            "</office:body></office:document-content>",
            "META-INF/manifest.xml": f"<manifest:manifest {_ODF}/>",
        }
    )


def styles(body: str) -> str:
    """Return the styles of an OpenDocument file."""
    return f"<office:document-styles {_ODF}>{body}</office:document-styles>"


_CONTAINER = (
    '<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="c.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def epub(chapters: Mapping[str, str]) -> bytes:
    """Return a book of chapters by title."""
    names = [f"c{number}" for number in range(len(chapters))]
    items = "".join(f'<item id="{name}" href="{name}.xhtml" media-type="application/xhtml+xml"/>' for name in names)
    spine = "".join(f'<itemref idref="{name}"/>' for name in names)
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": _CONTAINER,
            "c.opf": '<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="i"><metadata '
            'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Book</dc:title>'
            '<dc:identifier id="i">x</dc:identifier>'
            f"</metadata><manifest>{items}</manifest><spine>{spine}</spine></package>",
        }
        | {
            f"{name}.xhtml": f'<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>{title}</h1><p>{text}</p></body></html>'
            for name, (title, text) in zip(names, chapters.items(), strict=True)
        }
    )


def seven_zip(members: Mapping[str, bytes]) -> bytes:
    """Return a 7z file with its members as they are."""
    data = b"".join(members.values())
    sizes = [len(content) for content in members.values()]
    names = b"\0" + b"".join(name.encode("utf-16-le") + b"\0\0" for name in members)
    folder = b"\x07\x0b\x01\x00\x01\x01\x00\x0c" + _seven(len(data)) + b"\0"
    digests = b"\x0a\x01" + b"".join(struct.pack("<I", zlib.crc32(content)) for content in members.values())
    substreams = b"\x08\x0d" + _seven(len(sizes)) + b"\x09" + b"".join(map(_seven, sizes[:-1])) + digests + b"\0"
    streams = b"\x04\x06\x00\x01\x09" + _seven(len(data)) + b"\0" + folder + substreams + b"\0"
    listing = b"\x05" + _seven(len(sizes)) + b"\x11" + _seven(len(names)) + names + b"\0"
    header = b"\x01" + streams + listing + b"\0"
    start = struct.pack("<QQI", len(data), len(header), zlib.crc32(header))
    return b"7z\xbc\xaf\x27\x1c\x00\x04" + struct.pack("<I", zlib.crc32(start)) + start + data + header


def _seven(number: int) -> bytes:
    return bytes([number]) if number < 128 else b"\xff" + struct.pack("<Q", number)


def outlook(subject: str, body: str, attachments: Mapping[str, bytes]) -> bytes:
    """Return an Outlook message."""
    from tests.unit.reading.compound import compound

    tree: dict[str, object] = {
        "__properties_version1.0": b"\0" * 32,
        "__nameid_version1.0": {"__substg1.0_00020102": b"", "__substg1.0_00030102": b"", "__substg1.0_00040102": b""},
        "__substg1.0_001A001F": "IPM.Note".encode("utf-16-le"),
        "__substg1.0_0037001F": subject.encode("utf-16-le"),
        "__substg1.0_1000001F": body.encode("utf-16-le"),
    }
    for number, (name, content) in enumerate(attachments.items()):
        tree[f"__attach_version1.0_#{number:08X}"] = {
            "__properties_version1.0": b"\0" * 8,
            "__substg1.0_37010102": content,
            "__substg1.0_3707001F": name.encode("utf-16-le"),
        }
    return compound(tree)


def member(content: bytes, name: str) -> bytes:
    """Return what a member of a zip file holds."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return archive.read(name)


def with_member(content: bytes, name: str, member: str) -> bytes:
    """Return a zip file with one member more."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return zipped({each: archive.read(each) for each in archive.namelist()} | {name: member})


def rewritten(content: bytes, name: str, change: Change) -> bytes:
    """Return a zip file with one member changed."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    return zipped(members | {name: change(members[name])})
