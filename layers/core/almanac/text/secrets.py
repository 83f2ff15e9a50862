"""Secrets in texts: found by their form, and masked before anything is chunked, embedded or shown.

The patterns of detect-secrets find the well-known kinds, `almanac.text.secret_kinds` has ours and what it misses. Each
kind has a form of its own (a prefix, a checksum, a frame around it): what merely looks random is left alone, since
hashes and identifiers are what code is searched for.

Masking is a pure function of the text and keeps its length and its line breaks. So offsets, line numbers and citations
stay true, and an index built piece by piece equals one rebuilt.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

from almanac.index.sources import Citation, Source
from almanac.text.secret_kinds import Detector, detectors

MASK = "*"
_LEAST_SHOWN = 6
"""Of a secret that a title cuts off, so many characters give it away."""
_VISIBLE = re.compile(r"\S")


class Finding(NamedTuple):
    """A secret at `[start:end]` of a text; its first `kept` characters only say of which kind it is."""

    kind: str
    start: int
    end: int
    kept: int = 0


class Masked(NamedTuple):
    """A source without its secrets, the secrets by where they were in its text, and the lines that they are in."""

    source: Source
    secrets: Sequence["Found"]


class Found(NamedTuple):
    """One secret of a text. `line` is 1-based."""

    kind: str
    secret: str
    line: int


def load() -> None:
    """Import the detectors: for a thread, since they bring a library along."""
    _all()


def scan(text: str) -> list[Finding]:
    """Return the secrets of a text in order; none overlaps another. Blocks: for threads where the text is long."""
    found: list[Finding] = []
    for detector in _all():
        if not detector.may_be_in(text):
            continue
        for start, end, kept in detector.find(text):
            found.append(Finding(detector.kind, start, end, kept))
    return _apart(found) if len(found) > 1 else found


def masked(text: str, findings: Iterable[Finding]) -> str:
    """Return the text with every visible character of the findings replaced, but for what tells their kind."""
    pieces, done = [], 0
    for finding in findings:
        first = finding.start + finding.kept
        pieces += [text[done:first], _VISIBLE.sub(MASK, text[first : finding.end])]
        done = finding.end
    pieces.append(text[done:])
    return "".join(pieces)


def clean(text: str) -> str:
    """Return a text without its secrets."""
    findings = scan(text)
    return masked(text, findings) if findings else text


def clean_source(source: Source) -> Masked:
    """Return a source that shows no secret in its text, its title or where it stands in a document; the very same one
    where there is none.
    """
    findings = scan(source.text)
    secrets = found_in(source.text, findings)
    known = [each.secret for each in secrets]
    title, citation = _without(clean(source.title), known), _cited(source.citation, known)
    if not findings and title == source.title and citation is source.citation:
        return Masked(source, ())
    changed = {"text": masked(source.text, findings), "title": title, "citation": citation}
    return Masked(source.model_copy(update=changed), secrets)


def found_in(text: str, findings: Iterable[Finding]) -> list[Found]:
    """Return what was found in a text, with the lines."""
    breaks = [match.start() for match in re.finditer("\n", text)]
    return [
        Found(finding.kind, text[finding.start : finding.end], bisect_right(breaks, finding.start - 1) + 1)
        for finding in findings
    ]


def preview(text: str, characters: int) -> str:
    """Return the beginning of a text without its secrets, nor the beginning of one that is cut off there."""
    return clean(text)[:characters]


def _cited(citation: Citation, secrets: Sequence[str]) -> Citation:
    """Return where a source stands without secrets: a section of a document is named by its headings."""
    place = citation.place
    if place is None:
        return citation
    label, sheet = (_without(clean(text), secrets) for text in (place.label, place.sheet or ""))
    if (label, sheet) == (place.label, place.sheet or ""):
        return citation
    return citation.model_copy(update={"place": place.model_copy(update={"label": label, "sheet": sheet or None})})


def _without(title: str, secrets: Iterable[str]) -> str:
    """Mask secrets of a text in a title made of its first line, which may end in the middle of one."""
    for secret in secrets:
        title = title.replace(secret, MASK * len(secret)) if secret in title else title
        body = title.removesuffix("…")
        for length in range(min(len(secret) - 1, len(body)), _LEAST_SHOWN - 1, -1):
            if body.endswith(secret[:length]):
                title = body[:-length] + MASK * length + title[len(body) :]
                break
    return title


def _apart(found: list[Finding]) -> list[Finding]:
    """Return findings in order; of those that overlap the first, as long as all of them reach."""
    found.sort(key=lambda each: (each.start, -each.end))
    apart = found[:1]
    for each in found[1:]:
        last = apart[-1]
        if each.start >= last.end:
            apart.append(each)
        elif each.end > last.end:
            apart[-1] = last._replace(end=each.end)
    return apart


@cache
def _all() -> Sequence[Detector]:
    return detectors()
