"""Whether a page of a PDF is blank or damaged, where PDFium found nothing on it.

PDFium draws what it can and does not say what it could not. So the content of such a page is looked at again, by pypdf:
it is damaged when there are bytes that do not unpack, or that unpack to no drawing at all.
"""

import logging
import re
import zlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pypdf

_OPERATORS = frozenset(
    b"b B b* B* BDC BI BMC BT BX c cm CS cs d d0 d1 Do DP EI EMC ET EX f F f* G g gs h i ID j J K k l m M MP n q Q re"
    b" RG rg ri s S SC sc SCN scn sh T* Tc Td TD Tf Tj TJ TL Tm Tr Ts Tw Tz v w W W* y ' \"".split()
)
_NO_OPERATORS = re.compile(
    rb"\((?:\\.|[^\\()])*\)|<[^<>]*>|%[^\r\n]*|/[^\s/<>()\[\]]*|[<>()\[\]{}]|[+-]?[\d.]+(?=\s|$)"
)
_WORDS = frozenset({b"true", b"false", b"null"})
_LOOKED_AT = 64 * 1024
_MOST_FORMS = 50


class Contents:
    """The contents of a file's pages. Opened when first asked for: hardly a file has a page without anything on it."""

    def __init__(self, path: Path, password: str | None) -> None:
        self._path, self._password = path, password

    def is_damaged(self, number: int) -> bool:
        """Tell whether there is something in a page's content that cannot be read; not, where nobody can tell."""
        try:
            return self._file is not None and any(map(_is_broken, _streams(self._file.pages[number - 1])))
        except Exception:  # noqa: BLE001 - pypdf raises whatever its parsers do
            return False

    @cached_property
    def _file(self) -> "pypdf.PdfReader | None":
        import pypdf

        logging.getLogger("pypdf").setLevel(logging.CRITICAL)
        file = pypdf.PdfReader(self._path, strict=False)
        return None if file.is_encrypted and not file.decrypt(self._password or "") else file


def _streams(page: Any) -> Iterator[Any]:
    """Yield what a page's content and the forms on it refer to, None for what is not there."""
    contents = page.get("/Contents") if "/Contents" in page else []
    yield from (entry.get_object() for entry in contents) if isinstance(contents, list) else [contents]
    forms = (page.get("/Resources") or {}).get("/XObject") or {}
    for name in list(forms)[:_MOST_FORMS]:
        form = forms[name]
        if form is None or form.get("/Subtype") == "/Form":
            yield form


def _is_broken(stream: Any) -> bool:
    if not hasattr(stream, "get_data"):
        return True
    # What is in the file: pypdf unpacks what it can, and has no public way to the bytes themselves.
    packed = stream._data  # noqa: SLF001
    if not packed.strip():
        return False
    content = stream.get_data()
    if not content.strip():
        return stream.get("/Filter") in ("/FlateDecode", ["/FlateDecode"]) and not _unpacks(packed)
    words = _NO_OPERATORS.sub(b" ", content[:_LOOKED_AT]).split()
    known = sum(word in _OPERATORS or word in _WORDS for word in words)
    return known * 2 < len(words)


def _unpacks(packed: bytes) -> bool:
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(packed, _LOOKED_AT)
    except zlib.error:
        return False
    return unpacker.eof
