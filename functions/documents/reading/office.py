"""Office documents by kreuzberg, whose Markdown keeps headings, lists and tables."""

import re
from typing import Any

from documents.reading import kinds, sections
from documents.reading.units import Task, Trouble, Units

_ENCRYPTED = re.compile(r"encrypt|password", re.IGNORECASE)
_HEAD = re.compile(r"\A---\n\n## [\w:.-]+: .*?(?:\n\n|\Z)", re.DOTALL)
"""What kreuzberg makes of an HTML file's title and `meta` elements."""
_TOO_MUCH = re.compile(r"security|limit|bomb|exceed|too (?:large|many|deep)", re.IGNORECASE)


def extract(task: Task, media_type: str) -> Any:
    """Return kreuzberg's result; raises `Trouble`."""
    import kreuzberg._internal_bindings as kreuzberg

    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format="markdown",
        pages=kreuzberg.PageConfig(extract_pages=True),
        concurrency=kreuzberg.ConcurrencyConfig(max_threads=1),
    )
    config.security_limits = {"max_archive_size": task.limits["expanded_bytes"]}
    try:
        return kreuzberg.extract_file_sync(str(task.path), media_type, config)
    except Exception as error:  # noqa: BLE001 - it raises its own and ValueError, RuntimeError alike
        raise _trouble(str(error)) from None


def _trouble(message: str) -> Trouble:
    if _ENCRYPTED.search(message):
        return Trouble("encrypted")
    return Trouble("hostile" if _TOO_MUCH.search(message) else "corrupt")


def read(task: Task, media_type: str) -> Units:
    """Yield the sections of a document."""
    text = extract(task, media_type).content
    yield from sections.markdown(_HEAD.sub("", text) if media_type == kinds.HTML else text)
