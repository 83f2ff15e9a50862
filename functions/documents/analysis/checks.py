"""What is stored must stand in the text: every quote at its place, every field within the item's own quotes.

Nothing that comes from rules or from a model passes by here, so what a document tells a model to say is not stored
unless the document itself says it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from documents.analysis.model import Findings, NamedParty, SummarySentence, TextSpan, WrittenDate
from documents.analysis.units import Page

_MARKS = re.compile(r"[*_`\\]|<br\s*/?>", re.IGNORECASE)
_FIELDS = ("what", "who", "likelihood", "impact", "mitigation", "state", "name", "text")
_SHORTEST = 2

Item = TypeVar("Item")


def flat(text: str) -> str:
    """Return text as two texts are compared: on one line, in lower case, without emphasis."""
    return " ".join(_MARKS.sub(" ", text).split()).casefold()


def stands(span: TextSpan, pages: Mapping[int, Page]) -> bool:
    """Tell whether a quote is what the text has at its place."""
    page = pages.get(span.page)
    return page is not None and bool(span.quote) and page.text[span.start : span.end] == span.quote


def verified(findings: Findings, pages: Sequence[Page]) -> tuple[Findings, int]:
    """Return what holds, and how many items did not."""
    by_number = {page.number: page for page in pages}
    kept: dict[str, list[Any]] = {}
    dropped = 0
    for name in type(findings).model_fields:
        items = getattr(findings, name)
        kept[name] = [item for item in items if holds(item, by_number)]
        dropped += len(items) - len(kept[name])
    return Findings(**kept), dropped


def holds(item: Any, pages: Mapping[int, Page]) -> bool:
    """Tell whether all spans of an item stand in the text and each of its fields stands in one of them."""
    spans = [item.span] if isinstance(item, SummarySentence) else item.spans
    if not all(stands(span, pages) for span in spans):
        return False
    quotes = [flat(span.quote) for span in spans]
    if isinstance(item, NamedParty):
        return all(flat(item.name) in quote for quote in quotes)
    return all(any(field in quote for quote in quotes) for field in _fields(item))


def _fields(item: Any) -> Iterator[str]:
    for name in _FIELDS:
        value = getattr(item, name, None)
        if value is not None:
            # An empty field says nothing and so must not be there; no quote holds a line break.
            yield flat(value) or "\n"
    when = getattr(item, "when", None)
    if isinstance(when, WrittenDate):
        yield flat(when.written) or "\n"
