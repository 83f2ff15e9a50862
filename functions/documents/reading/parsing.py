"""From a request to the parser of its kind of file."""

from documents.reading import kinds, sections
from documents.reading.decoding import decode
from documents.reading.units import Task, Trouble, Units

OFFICE = frozenset({kinds.DOCX, kinds.ODT, kinds.RTF, kinds.EPUB, kinds.HTML, kinds.DOC})


def probe(task: Task) -> tuple[str, str, int | None]:
    """Return media type, unit and the number of pages, None where only reading tells."""
    if task.path.stat().st_size == 0:
        raise Trouble("empty", "The file has no bytes.")
    kind = kinds.sniff(task.path, task.name)
    if kind == kinds.PDF:
        from documents.reading import pdf

        return kind, "page", pdf.pages(task)
    if kind == kinds.ENCRYPTED_OFFICE:
        raise Trouble("encrypted")
    if kind in OFFICE or kind in (kinds.TEXT, kinds.MARKDOWN):
        return kind, "section", None
    raise Trouble("unsupported", f"Files of the kind {kind} cannot be read.")


def read(task: Task, kind: str) -> Units:
    """Yield what is in the file."""
    if kind == kinds.PDF:
        from documents.reading import pdf

        return pdf.read(task)
    if kind in OFFICE:
        from documents.reading import office

        return office.read(task, kind)
    return _text(task, kind)


def _text(task: Task, kind: str) -> Units:
    if task.path.stat().st_size > task.limits["text_bytes"]:
        raise Trouble("too_large")
    text = decode(task.path.read_bytes())
    yield from sections.markdown(text) if kind == kinds.MARKDOWN else sections.plain(text)
