"""Which sources a query asks for. Filters are applied before anything is scored.

A path glob works on whole paths: `*` and `?` stay within a directory, `**` crosses directories, `[a-z]` is one of a
set. A glob without a slash is of file names at any depth; one that ends with a slash is of everything below.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from almanac.index.sources import Kind

_TOKEN = re.compile(r"\*+|\[!?[^\]]+\]|.", re.DOTALL)
_SPECIAL_IN_SET = re.compile(r"[\\\[^&~|]")


@dataclass(frozen=True)
class Filters:
    """An empty set or None lets everything pass; `since` is included, `until` is not.

    `paths` are globs and `authors` parts of names, of which one must fit. What fits one of `without_...` does not pass.
    Every one of `also` must let a source pass as well.
    """

    projects: frozenset[str] = frozenset()
    containers: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    kinds: frozenset[Kind] = frozenset()
    languages: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    without_kinds: frozenset[Kind] = frozenset()
    without_languages: frozenset[str] = frozenset()
    without_paths: tuple[str, ...] = ()
    without_authors: tuple[str, ...] = ()
    also: tuple["Filters", ...] = ()


def microseconds(moment: datetime) -> int:
    """Return whole microseconds since the epoch, exactly; a naive time counts as UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since_epoch = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 1_000_000 + since_epoch.microseconds


def compile_glob(glob: str) -> re.Pattern[str]:
    """Return the expression whose `fullmatch` is the glob's match; raises `ValueError` on a bad set such as `[z-a]`.

    Matching cannot blow up: what follows a star is matched at its first place and never tried elsewhere (the atomic
    groups), which loses nothing because the first place leaves the most for the rest.
    """
    if "/" not in glob:
        glob = f"**/{glob}"
    if glob.endswith("/"):
        glob += "**"
    runs: list[list[str]] = [[]]
    for segment in filter(None, glob.split("/")):
        if segment == "**":
            runs.append([])
        else:
            runs[-1].append(_segment(segment))
    try:
        return re.compile(_join(["/".join(run) for run in runs]), re.DOTALL)
    except re.error as error:
        raise ValueError(f"not a glob: {error.msg}") from None


def _join(runs: list[str]) -> str:
    """Join runs of segments, between which any number of directories may lie."""
    first, *others = runs
    if not others:
        return first
    *middle, last = others
    head = f"{first}/" if first else ""
    skipped = "".join(f"(?>(?:[^/]*/)*?{run}/)" for run in middle if run)
    return head + skipped + (f"(?:[^/]*/)*?{last}" if last else ".+")


def _segment(segment: str) -> str:
    """Translate what lies between two slashes; nothing in it can match a slash."""
    pieces = [""]
    for part in _TOKEN.findall(segment):
        if part[0] == "*":
            pieces.append("")
        elif part[0] == "[" and len(part) > 1:
            negated, members = ("^", part[2:-1]) if part[1] == "!" else ("", part[1:-1])
            pieces[-1] += f"(?!/)[{negated}{_SPECIAL_IN_SET.sub(_escape, members)}]"
        else:
            pieces[-1] += "[^/]" if part == "?" else re.escape(part)
    first, *others = pieces
    if not others:
        return first
    *middle, last = others
    return first + "".join(f"(?>[^/]*?{piece})" for piece in middle if piece) + f"[^/]*{last}"


def _escape(match: re.Match[str]) -> str:
    return "\\" + match[0]
