"""Texts of many formats by kreuzberg, whose Markdown keeps headings, lists and tables."""

import re
from typing import Any

from documents.reading import kinds, opendocument, sections, zips
from documents.reading.units import Task, Trouble, Unit, Units, Warned

_ENCRYPTED = re.compile(r"encrypt|password", re.IGNORECASE)
_HEAD = re.compile(r"\A---\n\n## [\w:.-]+: .*?(?:\n\n|\Z)", re.DOTALL)
"""What kreuzberg makes of an HTML file's title and `meta` elements."""
_TOO_MUCH = re.compile(r"security|limit|bomb|exceed|too (?:large|many|deep)", re.IGNORECASE)
_ESCAPES = re.compile(r"\\([*_#\[\]<>~`+.!()-])")
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
    text = unescaped(extract(task, media_type).content)
    yield from sections.markdown(_HEAD.sub("", text) if media_type == kinds.HTML else text)


def _check(task: Task, media_type: str) -> None:
    if media_type == kinds.ODT:
        opendocument.check(task)
    elif media_type in (kinds.DOCX, kinds.EPUB):
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
