"""Texts of many formats by kreuzberg, whose Markdown keeps headings, lists and tables."""

import re
from dataclasses import replace
from typing import Any

from documents.reading import asides, kinds, sections, zips
from documents.reading.decoding import decode
from documents.reading.units import Task, Trouble, Unit, Units, Warned

_ENCRYPTED = re.compile(r"encrypt|password", re.IGNORECASE)
_META = re.compile(r"<(?:meta|base|link)\b[^<>]*>", re.IGNORECASE)
_TOO_MUCH = re.compile(r"security|limit|bomb|exceed|too (?:large|many|deep)", re.IGNORECASE)
_ESCAPES = re.compile(r"\\([*_#\[\]<>~`+.!()-])")
_CHARSET = re.compile(rb"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_DEEP = 10_000
_MOST_MARKUP = 32 * 2**20


def extract(task: Task, media_type: str) -> Any:
    """Return kreuzberg's result; raises `Trouble`."""
    import kreuzberg._internal_bindings as kreuzberg

    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format="markdown",
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    # The constructor does not know them, in spite of the package's own types.
    config.security_limits = {
        "max_archive_size": task.limits["expanded_bytes"],
        "max_files_in_archive": task.limits["members"],
        "max_compression_ratio": task.limits["ratio"],
    }
    try:
        return kreuzberg.extract_file_sync(str(task.path), media_type, config)
    except Exception as error:  # noqa: BLE001 - it raises its own and ValueError, RuntimeError alike
        raise _trouble(str(error)) from None


def _trouble(message: str) -> Trouble:
    if _ENCRYPTED.search(message):
        return Trouble("encrypted")
    return Trouble("hostile" if _TOO_MUCH.search(message) else "corrupt")


def unescaped(text: str) -> str:
    """Take Markdown's escapes out: the words of a document are searched and quoted as they were written."""
    return _ESCAPES.sub(r"\1", text)


def read(task: Task, media_type: str) -> Units:
    """Yield the sections of a document."""
    _check(task, media_type)
    if media_type == kinds.HTML:
        yield from _html(task)
        return
    text = unescaped(extract(task, media_type).content)
    yield from sections.markdown(text)
    if media_type == kinds.DOCX:
        yield from asides.of_word(task, text)
    elif media_type == kinds.ODT:
        yield from asides.of_open_document(task, text)


def _html(task: Task) -> Units:
    """Yield the sections of a page in any encoding: kreuzberg takes all of them for UTF-8."""
    content = task.path.read_bytes()
    declared = _CHARSET.search(content[:2048])
    path = task.scratch_file()
    page = decode(content, declared[1].decode() if declared else None)
    path.write_text(_body(page), "utf-8", "replace")
    text = extract(replace(task, path=path), kinds.HTML).content
    if not text.strip() and content.count(b"<") > _DEEP:
        raise Trouble("hostile", "It is nested too deeply.")
    yield from sections.markdown(unescaped(text))


def _body(page: str) -> str:
    """Leave the head of a page out, of which kreuzberg makes text."""
    for element in ("head", "title"):
        lower = page.lower()
        start = lower.find(f"<{element}>") if f"<{element}>" in lower else lower.find(f"<{element} ")
        end = lower.find(f"</{element}>", start)
        if 0 <= start < end:
            page = page[:start] + page[end + len(element) + 3 :]
    return _META.sub("", page)


def _check(task: Task, media_type: str) -> None:
    if media_type in (kinds.DOCX, kinds.ODT, kinds.EPUB):
        zips.check(task)
    elif task.path.stat().st_size > _MOST_MARKUP and media_type in (kinds.HTML, kinds.RTF):
        raise Trouble("too_large")


def sheets(task: Task) -> Units:
    """Yield the sheets of an old workbook, whose cells' places are not known."""
    result = extract(task, kinds.XLS)
    names = list(result.metadata.get("sheet_names", []))
    for table in result.tables:
        name = names[table.page_number - 1] if 0 < table.page_number <= len(names) else str(table.page_number)
        for found in sections.section(f"sheet {name}", unescaped(table.markdown), "sheet"):
            if isinstance(found, Unit):
                found.table = {"sheet": name}
            yield found


def slides(task: Task) -> Units:
    """Yield the text of an old presentation."""
    yield from sections.section("slides", unescaped(extract(task, kinds.PPT).content))


def outlook(task: Task) -> Units:
    """Yield an Outlook message and its attachments."""
    result = extract(task, kinds.MSG)
    yield from sections.section("message", unescaped(result.content))
    yield from _children(task, result, "attachment ")


def seven_zip(task: Task) -> Units:
    yield from _children(task, extract(task, kinds.SEVEN_ZIP), "")


def _children(task: Task, result: Any, prefix: str) -> Units:
    for child in result.children or []:
        task.budget.count_member()
        text = unescaped(child["result"].content)
        label = f"{prefix}{' '.join(str(child['path']).split())[:120]}"
        if not text.strip():
            yield Warned(f"{label} was left out: it has no text that can be read.")
        for found in sections.markdown(text):
            if isinstance(found, Unit):
                found.unit, found.label = "attachment", f"{label} > {found.label}"
            yield found
