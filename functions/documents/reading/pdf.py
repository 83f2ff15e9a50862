"""PDF files, page by page, by PDFium: a page is loaded, read and let go, so that length costs no memory."""

import ctypes
import re
from dataclasses import replace
from pathlib import Path

import pypdfium2.raw as pdfium

from documents.reading import ocr
from documents.reading.ocr import Ocr
from documents.reading.pdf_contents import Contents
from documents.reading.pdf_tables import with_tables
from documents.reading.units import Bad, Task, Trouble, Unit, Units, Warned

_TROUBLES = {
    pdfium.FPDF_ERR_FORMAT: "corrupt",
    pdfium.FPDF_ERR_FILE: "corrupt",
    pdfium.FPDF_ERR_SECURITY: "unsupported",
}
_CONTROLS = re.compile(r"[\0-\x08\x0b-\x1f\x7f\ufffe\uffff]")
_CATALOG = re.compile(rb"(\d+)\s+(\d+)\s+obj\s*<<[^>]{0,200}?/Type\s*/Catalog\b")
_END = b"\nendstream\nendobj\ntrailer\n<</Root %s %s R>>\nstartxref\n0\n%%%%EOF\n"
_MOST_MENDED = 64 * 2**20
DRAWN = "image/x-portable-graymap"
_DOTS_PER_INCH = 200
_MOST_PIXELS = 5000
_LOOKED_AT = 1000
_FEW_CHARACTERS = 200
_LEAST_SIDE = 200
_MOST_OF_IT = 0.5
_MORE_BY_OCR = Warned("Some pages are pictures with a few words on them: text recognition may find more.")
_SCANNED_AFTER = 100
"""So many pages without text at the start make a file a scanned one."""


class Pdf:
    """An open file."""

    def __init__(self, task: Task) -> None:
        pdfium.FPDF_InitLibrary()
        password = None if task.password is None else task.password.encode()
        path = task.path
        self._document = pdfium.FPDF_LoadDocument(bytes(path), password)
        if not self._document and pdfium.FPDF_GetLastError() == pdfium.FPDF_ERR_FORMAT:
            path = _mended(task) or path
            self._document = pdfium.FPDF_LoadDocument(bytes(path), password)
        if not self._document:
            raise self._trouble(task)
        self.pages: int = pdfium.FPDF_GetPageCount(self._document)
        self._contents = Contents(path, task.password)

    def _trouble(self, task: Task) -> Trouble:
        error = pdfium.FPDF_GetLastError()
        if error == pdfium.FPDF_ERR_PASSWORD:
            return Trouble("encrypted" if task.password is None else "wrong_password")
        return Trouble(_TROUBLES.get(error, "corrupt"))

    def text(self, number: int) -> str | None:
        """Return the text of a page, None for one that does not load."""
        page = pdfium.FPDF_LoadPage(self._document, number - 1)
        if not page:
            return None
        try:
            return _text(page)
        finally:
            pdfium.FPDF_ClosePage(page)

    def picture(self, number: int, path: Path) -> Path:
        """Draw a page into a file of the media type `DRAWN`, for text recognition."""
        page = pdfium.FPDF_LoadPage(self._document, number - 1)
        try:
            _draw(page, path)
        finally:
            pdfium.FPDF_ClosePage(page)
        return path

    def is_picture(self, number: int) -> bool:
        """Tell whether there is a picture on the page."""
        return pdfium.FPDF_PAGEOBJ_IMAGE in self._kinds(number)

    def is_mostly_picture(self, number: int) -> bool:
        """Tell whether a picture that could show text covers most of the page, as under the stamp on a scan."""
        page = pdfium.FPDF_LoadPage(self._document, number - 1)
        if not page:
            return False
        try:
            area = pdfium.FPDF_GetPageWidthF(page) * pdfium.FPDF_GetPageHeightF(page)
            count = min(pdfium.FPDFPage_CountObjects(page), _LOOKED_AT)
            objects = (pdfium.FPDFPage_GetObject(page, index) for index in range(count))
            return any(_shown(thing) >= area * _MOST_OF_IT for thing in objects)
        finally:
            pdfium.FPDF_ClosePage(page)

    def is_damaged(self, number: int) -> bool:
        """Tell whether nothing is seen of a page for the reason that its content is damaged."""
        return self._kinds(number) <= {pdfium.FPDF_PAGEOBJ_FORM} and self._contents.is_damaged(number)

    def _kinds(self, number: int) -> set[int]:
        """Return the kinds of objects on the page and in the forms on it."""
        page = pdfium.FPDF_LoadPage(self._document, number - 1)
        if not page:
            return set()
        try:
            count = min(pdfium.FPDFPage_CountObjects(page), _LOOKED_AT)
            found = [pdfium.FPDFPage_GetObject(page, index) for index in range(count)]
            for thing in found:
                if pdfium.FPDFPageObj_GetType(thing) == pdfium.FPDF_PAGEOBJ_FORM and len(found) < _LOOKED_AT:
                    inside = min(pdfium.FPDFFormObj_CountObjects(thing), _LOOKED_AT)
                    found += [pdfium.FPDFFormObj_GetObject(thing, index) for index in range(inside)]
            return {pdfium.FPDFPageObj_GetType(thing) for thing in found}
        finally:
            pdfium.FPDF_ClosePage(page)


def _shown(thing: pdfium.FPDF_PAGEOBJECT) -> float:
    """Return the area that a picture covers, 0 of one with too few points for text and of anything else."""
    if pdfium.FPDFPageObj_GetType(thing) != pdfium.FPDF_PAGEOBJ_IMAGE:
        return 0
    width, height = ctypes.c_uint(), ctypes.c_uint()
    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    if not pdfium.FPDFImageObj_GetImagePixelSize(thing, width, height) or min(width.value, height.value) < _LEAST_SIDE:
        return 0
    if not pdfium.FPDFPageObj_GetBounds(thing, left, bottom, right, top):
        return 0
    return float(abs(right.value - left.value) * abs(top.value - bottom.value))


def _mended(task: Task) -> Path | None:
    """Return a copy with an end: PDFium finds a file's objects by itself, and needs to be told the first of them."""
    with task.path.open("rb") as file:
        content = file.read(_MOST_MENDED)
    catalogs = list(_CATALOG.finditer(content))
    if not catalogs:
        return None
    path = task.scratch_file()
    path.write_bytes(content + _END % catalogs[-1].groups())
    return path


def _draw(page: pdfium.FPDF_PAGE, path: Path) -> None:
    """Write a page as a grey picture (PGM)."""
    lengths = (pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page))
    scale = min(_DOTS_PER_INCH / 72, _MOST_PIXELS / max(*lengths, 1))
    width, height = (max(1, round(length * scale)) for length in lengths)
    bitmap = pdfium.FPDFBitmap_CreateEx(width, height, pdfium.FPDFBitmap_Gray, None, 0)
    try:
        pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, width, height, 0xFFFFFFFF)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, width, height, 0, 0)
        stride = pdfium.FPDFBitmap_GetStride(bitmap)
        pixels = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * height)
    finally:
        pdfium.FPDFBitmap_Destroy(bitmap)
    rows = b"".join(pixels[row * stride : row * stride + width] for row in range(height))
    path.write_bytes(b"P5 %d %d 255\n%s" % (width, height, rows))


def _text(page: pdfium.FPDF_PAGE) -> str:
    text_page = pdfium.FPDFText_LoadPage(page)
    if not text_page:
        return ""
    try:
        count = pdfium.FPDFText_CountChars(text_page)
        if count <= 0:
            return ""
        buffer = (ctypes.c_ushort * (count * 2 + 1))()
        written = pdfium.FPDFText_GetText(text_page, 0, count, buffer)
        text = bytes(buffer)[: max(0, written - 1) * 2].decode("utf-16-le", "replace")
        text = with_tables(page, text_page, text.replace("\r\n", "\n").replace("\r", "\n"))
    finally:
        pdfium.FPDFText_ClosePage(text_page)
    return _CONTROLS.sub("", text).strip()


def pages(task: Task) -> int:
    """Return how many pages there are; raises `Trouble` for a file of pictures and for one of nothing."""
    pdf = Pdf(task)
    ocr.chosen(task.limits["ocr"])
    if pdf.pages <= 0:
        raise Trouble("empty")
    looked_at = range(1, min(pdf.pages, _SCANNED_AFTER) + 1)
    if not task.limits["ocr"] and not any(pdf.text(number) for number in looked_at):
        if any(pdf.is_picture(number) for number in looked_at):
            raise Trouble("scanned")
        if pdf.pages == len(looked_at):
            raise Trouble("empty")
    return pdf.pages


def read(task: Task) -> Units:
    """Yield the pages; of a file in a container all, if it has text at all."""
    if task.depth:
        pages(task)
    pdf = Pdf(task)
    recogniser = ocr.chosen(task.limits["ocr"])
    last = min(task.last or pdf.pages, pdf.pages)
    for number in range(task.first, last + 1):
        yield from _read(pdf, number, recogniser, task)


def _read(pdf: Pdf, number: int, recogniser: Ocr | None, task: Task) -> Units:
    label = f"page {number}"
    text = pdf.text(number)
    if text is None or (not text and pdf.is_damaged(number)):
        yield Bad(label, "corrupt", f"Page {number} is damaged.", number)
    elif text and len(text) < _FEW_CHARACTERS and pdf.is_mostly_picture(number):
        yield from _stamped(pdf, number, text, recogniser, task)
    elif text or not pdf.is_picture(number):
        yield Unit("page", label, text, number)
    elif recogniser is None:
        yield Bad(label, "ocr_needed", f"Page {number} is a picture without text.", number)
    else:
        yield from ocr.page(recogniser, pdf.picture(number, task.scratch / "page.pgm"), DRAWN, number, label)


def _stamped(pdf: Pdf, number: int, text: str, recogniser: Ocr | None, task: Task) -> Units:
    """Yield a scanned page with a few words typed on it: those, then what is recognised."""
    label = f"page {number}"
    if recogniser is None:
        yield _MORE_BY_OCR
        yield Unit("page", label, text, number)
        return
    for found in ocr.page(recogniser, pdf.picture(number, task.scratch / "page.pgm"), DRAWN, number, label):
        match found:
            case Unit():
                yield replace(found, text=f"{text}\n\n{found.text}".strip())
            case Bad():
                yield Unit("page", label, text, number)
            case _:
                yield found
