"""From a file to the parser of its kind. Parsers are imported when first needed."""

from documents.reading import kinds, sections
from documents.reading.decoding import decode
from documents.reading.units import Task, Trouble, Units

_TEXTS = frozenset({kinds.DOCX, kinds.ODT, kinds.RTF, kinds.EPUB, kinds.HTML, kinds.DOC})
_OPEN_DOCUMENTS = frozenset({kinds.ODT, kinds.ODS, kinds.ODP})
_ARCHIVES = frozenset({kinds.ZIP, kinds.TAR, kinds.GZIP})
_UNITS = {
    **dict.fromkeys((kinds.PPTX, kinds.ODP, kinds.PPT), "slide"),
    **dict.fromkeys((kinds.XLSX, kinds.ODS, kinds.XLS, kinds.CSV, kinds.TSV), "sheet"),
    **dict.fromkeys((*_ARCHIVES, kinds.SEVEN_ZIP), "attachment"),
    kinds.PDF: "page",
}


def probe(task: Task) -> tuple[str, str, int | None]:
    """Return media type, unit and the number of pages, None where only reading tells."""
    kind = _kind(task)
    if kind == kinds.PDF:
        from documents.reading import pdf

        return kind, "page", pdf.pages(task)
    if kind.startswith("image/"):
        from documents.reading import pictures

        return kind, "page", pictures.frames(task, kind)
    if kind in (kinds.UNKNOWN, kinds.OLE):
        raise Trouble("unsupported")
    return kind, _UNITS.get(kind, "section"), None


def parse(task: Task) -> Units:
    """Yield what is in the file; raises `Trouble`."""
    return _reader(task, _kind(task))


def _kind(task: Task) -> str:
    """Return what the file is, of an encrypted office file what is in it: `task` is then of that."""
    if task.path.stat().st_size == 0:
        raise Trouble("empty", "The file has no bytes.")
    kind = kinds.sniff(task.path, task.name)
    if kind == kinds.ENCRYPTED_OFFICE:
        from documents.reading import decrypting

        task.path = decrypting.decrypted(task)
        kind = kinds.sniff(task.path, task.name)
    elif kind in _OPEN_DOCUMENTS:
        from documents.reading import open_document_encryption

        if open_document_encryption.is_encrypted(task.path):
            task.path = open_document_encryption.decrypted(task)
    return task.kind or kind


def _reader(task: Task, kind: str) -> Units:  # noqa: C901 - one line for each kind of file
    from documents.reading import containers, delimited, office, opendocument, pdf, pictures, pptx, xlsx

    match kind:
        case kinds.PDF:
            return pdf.read(task)
        case kinds.PPTX:
            return pptx.read(task)
        case kinds.XLSX:
            return xlsx.read(task)
        case kinds.ODS:
            return opendocument.sheets(task)
        case kinds.ODP:
            return opendocument.slides(task)
        case kinds.XLS:
            return office.sheets(task)
        case kinds.PPT:
            return office.slides(task)
        case kinds.MSG:
            return office.outlook(task)
        case kinds.SEVEN_ZIP:
            return office.seven_zip(task)
        case kinds.EML:
            return containers.mail(task)
        case kinds.CSV | kinds.TSV:
            return delimited.read(task, is_tabbed=kind == kinds.TSV)
        case kinds.TEXT | kinds.MARKDOWN:
            return _text(task, kind)
    if kind in _TEXTS:
        return office.read(task, kind)
    if kind in _ARCHIVES:
        return containers.archive(task, kind)
    if kind.startswith("image/"):
        return pictures.read(task, kind)
    raise Trouble("unsupported")


def _text(task: Task, kind: str) -> Units:
    if task.path.stat().st_size > task.limits["text_bytes"]:
        raise Trouble("too_large")
    text = decode(task.path.read_bytes())
    yield from sections.markdown(text) if kind == kinds.MARKDOWN else sections.plain(text)
