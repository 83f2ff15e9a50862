"""What a file is, by its bytes. Its name decides only between kinds of text, whose bytes do not tell."""

import zipfile
from pathlib import Path, PurePosixPath

from documents.reading.decoding import utf16_without_mark

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
EPUB = "application/epub+zip"
RTF = "application/rtf"
HTML = "text/html"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
CSV = "text/csv"
TSV = "text/tab-separated-values"
EML = "message/rfc822"
MSG = "application/vnd.ms-outlook"
DOC = "application/msword"
XLS = "application/vnd.ms-excel"
PPT = "application/vnd.ms-powerpoint"
OLE = "application/x-ole-storage"
ENCRYPTED_OFFICE = "application/x-encrypted-office"
ZIP = "application/zip"
TAR = "application/x-tar"
GZIP = "application/gzip"
SEVEN_ZIP = "application/x-7z-compressed"
UNKNOWN = "application/octet-stream"

HEAD = 4096

_MAGIC = (
    (b"{\\rtf", RTF),
    (b"\x1f\x8b", GZIP),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"BM", "image/bmp"),
)
_PARTS = (("word/", DOCX), ("ppt/", PPTX), ("xl/", XLSX))
_ODF = {kind: kind for kind in (ODT, ODS, ODP, EPUB)} | {f"{kind}-template": kind for kind in (ODT, ODS, ODP)}
_EXTENSIONS = {
    **dict.fromkeys(("md", "markdown", "mdx", "mkd", "qmd"), MARKDOWN),
    **dict.fromkeys(("html", "htm", "xhtml"), HTML),
    **dict.fromkeys(("eml", "mht", "mhtml"), EML),
    "csv": CSV,
    "tsv": TSV,
    "tab": TSV,
}
_OLE_STREAMS = (
    ("EncryptedPackage", ENCRYPTED_OFFICE),
    ("__substg1.0_", MSG),
    ("__properties_version1.0", MSG),
    ("WordDocument", DOC),
    ("Workbook", XLS),
    ("PowerPoint Document", PPT),
    ("Book", XLS),
)
_HTML_STARTS = (b"<!doctype html", b"<html", b"<?xml", b"<!--")
_MAIL_HEADERS = (
    *(b"received:", b"from:", b"to:", b"subject:", b"return-path:", b"delivered-to:", b"date:", b"message-id:"),
    *(b"mime-version:", b"content-type:", b"reply-to:"),
)


def extension(name: str) -> str:
    return PurePosixPath(name).suffix.lower().lstrip(".")


def sniff(path: Path, name: str) -> str:
    """Return the media type, `UNKNOWN` for bytes that are no known kind and no text."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_kind(path)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _ole_kind(path)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if head[257:262] == b"ustar":
        return TAR
    return _text_kind(head, name)


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 200:
                declared = archive.read("mimetype").decode("ascii", "replace").strip()
                return _ODF.get(declared, ZIP)
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, ValueError):
        return ZIP
    if "[Content_Types].xml" in names:
        return next((kind for part, kind in _PARTS if any(name.startswith(part) for name in names)), ZIP)
    return ZIP


def _ole_kind(path: Path) -> str:
    """Look for the names of an OLE file's streams, which are UTF-16, anywhere in it."""
    content = path.read_bytes() if path.stat().st_size < 64 * 2**20 else path.open("rb").read(64 * 2**20)
    return next((kind for name, kind in _OLE_STREAMS if name.encode("utf-16-le") in content), OLE)


def _text_kind(head: bytes, name: str) -> str:
    if not _is_text(head):
        return UNKNOWN
    named = _EXTENSIONS.get(extension(name))
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith(_HTML_STARTS[:2]) or (start.startswith(_HTML_STARTS[2:]) and b"<html" in start):
        return HTML
    if named is None and _is_mail(start):
        return EML
    return named or TEXT


def _is_text(head: bytes) -> bool:
    """Tell whether the bytes are text of some encoding: no NUL (but in UTF-16 and UTF-32), few control bytes."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return True
    if b"\0" in head:
        return utf16_without_mark(head) is not None
    controls = len(head) - len(head.translate(None, bytes([*range(7), *range(14, 27), *range(28, 32), 127])))
    return controls * 20 <= len(head)


def _is_mail(start: bytes) -> bool:
    block = start.partition(b"\n\n")[0].partition(b"\r\n\r\n")[0]
    lines = [line.startswith(_MAIL_HEADERS) for line in block.splitlines()]
    return bool(lines) and lines[0] and sum(lines) > 1
