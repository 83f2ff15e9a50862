"""Chunks: the parts of a source that are embedded, found and cited.

Chunking is a pure function of the text and its language, so that an index built piece by piece equals one rebuilt.
Chunks lie in order, do not overlap, hold whole lines where lines are not overlong (prose: whole sentences), and leave
out nothing but blank space.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

from almanac.index.sources import Kind, Source
from almanac.text import outline as outlines
from almanac.text.languages import language_of
from almanac.text.outline import LINE, WORD, Outline, Scope, lines_of
from almanac.text.syntax import LANGUAGES, syntax

MAX_SIZE = 1000
"""Size is UTF-8 bytes without indentation: about 256 tokens of the embedded model for English and for code."""
MIN_SIZE = 200
"""A smaller chunk joins a neighbour when both fit into one."""
MAX_CONTEXT = 4
MAX_NAME = 80

_BREAKS = (" \t", ";,}>)]|&")


class Chunk(NamedTuple):
    """`text` is the source's `[start:end]`, lines are 1-based and inclusive.

    `context` names what encloses the chunk's first line, outermost first: headings, classes, functions.
    """

    ordinal: int
    text: str
    start_line: int
    end_line: int
    start: int
    end: int
    context: tuple[str, ...]


def chunk(text: str, *, language: str | None = None, path: str | None = None) -> list[Chunk]:
    """Split any text; the language is looked up from the path when it is not given."""
    if language is None and path is not None:
        language = language_of(path, text[:200].partition("\n")[0])
    outline = _outline(text, language)
    packing = _Packing(text, outline)
    return list(_chunks(text, packing.spans(), outline))


def chunk_source(source: Source) -> list[Chunk]:
    """Split a source: files by their language, commits and messages as Markdown."""
    if source.kind is Kind.CODE:
        return chunk(source.text, language=source.language, path=source.path)
    return chunk(source.text, language="markdown")


def embedding_text(chunk: Chunk) -> str:
    """Return what is embedded: the enclosing names, then the text.

    Neither path nor title is in it: the vector cache is keyed by this text, and a renamed file must embed nothing.
    """
    return "\n".join([" > ".join(chunk.context), chunk.text]) if chunk.context else chunk.text


def _outline(text: str, language: str | None) -> Outline:
    if language == "markdown":
        return outlines.markdown(text)
    if language == "text":
        return outlines.prose(text)
    if _size(text) <= MAX_SIZE:
        return Outline({}, [])
    found = syntax(text, language, MAX_SIZE) if language in LANGUAGES else None
    return found or outlines.plain(text)


def _size(piece: str) -> int:
    content = piece.strip()
    indent = len(piece) - len(content)
    return (len(content) if content.isascii() else len(content.encode("utf-8", "replace"))) + 1 + indent // 8


class _Packing:
    """The packing of atoms (the text between two neighbouring cuts) into chunks: see `spans`."""

    def __init__(self, text: str, outline: Outline) -> None:
        self._starts: list[int] = []
        self._levels: list[int] = []
        self._totals = [0]
        for start, end, level in _atoms(text, outline):
            self._starts.append(start)
            self._levels.append(level)
            self._totals.append(self._totals[-1] + _size(text[start:end]))
        self._length = len(text)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield (start, end) of each chunk: cut at the lowest levels that are needed, then join what is small."""
        for first, last in self._joined(self._split(0, len(self._starts)) if self._starts else []):
            yield self._starts[first], self._starts[last] if last < len(self._starts) else self._length

    def _size(self, first: int, last: int) -> int:
        return self._totals[last] - self._totals[first]

    def _split(self, first: int, last: int, above: int = -1) -> Iterator[tuple[int, int]]:
        """Yield the chunks of atoms [first, last), cutting at the lowest levels; those `above` or lower come last."""
        if self._size(first, last) <= MAX_SIZE or last - first < 2:
            yield first, last
            return
        levels = self._levels[first + 1 : last]
        level = min((level for level in levels if level > above), default=min(levels))
        edges = [position for position in range(first + 1, last) if self._levels[position] == level]
        begin = first
        for piece, after in zip([first, *edges], [*edges, last], strict=True):
            if begin == piece or self._size(begin, after) <= MAX_SIZE:
                continue
            is_smaller_task = level > above or (begin, after) != (first, last)
            if is_smaller_task and self._size(begin, piece) < MIN_SIZE and self._size(piece, after) > MAX_SIZE:
                # A small head, such as a class's first line, goes with the first part of what must be split anyway.
                yield from self._split(begin, after, level)
                begin = after
            else:
                yield from self._split(begin, piece)
                begin = piece
        if begin < last:
            yield from self._split(begin, last)

    def _joined(self, spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        waiting = list(spans)
        joined: list[tuple[int, int]] = []
        for position, (first, last) in enumerate(waiting):
            after = waiting[position + 1][1] if position + 1 < len(waiting) else last
            if joined and self._belong_together(joined[-1][0], first, last, after):
                joined[-1] = (joined[-1][0], last)
            else:
                joined.append((first, last))
        return joined

    def _belong_together(self, before: int, first: int, last: int, after: int) -> bool:
        """Tell whether the chunk [first, last) joins the one before it, which begins at `before`."""
        if self._size(before, last) > MAX_SIZE:
            return False
        if self._size(before, first) < MIN_SIZE:
            return True
        is_nearer_to_next = (
            last < after and self._levels[last] > self._levels[first] and self._size(first, after) <= MAX_SIZE
        )
        return self._size(first, last) < MIN_SIZE and not is_nearer_to_next


def _atoms(text: str, outline: Outline) -> Iterator[tuple[int, int, int]]:
    """Yield (start, end, level of the cut at start), none of them larger than a chunk may be."""
    levels = {start: LINE for start, _ in lines_of(text)} | outline.cuts
    for start, end in pairwise([*sorted(levels), len(text)]):
        level = levels[start]
        for fragment_start, fragment_end in _fragments(text, start, end):
            yield fragment_start, fragment_end, level
            level = WORD


def _fragments(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Cut an overlong line at spaces, else after punctuation, else anywhere."""
    while True:
        window = text[start : min(end, start + MAX_SIZE)]
        if not window.isascii():
            window = window.encode("utf-8", "replace")[:MAX_SIZE].decode("utf-8", "ignore")
        if start + len(window) == end:
            break
        cut = start + _break(window)
        yield start, cut
        start = cut
    yield start, end


def _break(window: str) -> int:
    half = len(window) // 2
    for characters in _BREAKS:
        found = max(window.rfind(character, half) for character in characters)
        if found >= 0:
            return found + 1
    return len(window)


def _chunks(text: str, spans: Iterator[tuple[int, int]], outline: Outline) -> Iterator[Chunk]:
    """Strip the spans of blank lines around them, drop the blank ones, count lines and look up what encloses them."""
    ordinal, line, counted = 0, 1, 0
    contexts = _Contexts(outline.scopes)
    for first, last in spans:
        piece = text[first:last]
        end = first + len(piece.rstrip())
        if end == first:
            continue
        content = first + len(piece) - len(piece.lstrip())
        start = max(first, text.rfind("\n", first, content) + 1)
        line += text.count("\n", counted, start)
        end_line = line + text.count("\n", start, end)
        yield Chunk(ordinal, text[start:end], line, end_line, start, end, contexts.at(start))
        ordinal, counted = ordinal + 1, start


class _Contexts:
    """The names around ever later positions."""

    def __init__(self, scopes: list[Scope]) -> None:
        self._waiting = deque(scopes)
        self._open: list[Scope] = []

    def at(self, position: int) -> tuple[str, ...]:
        while self._waiting and self._waiting[0].start < position:
            self._open.append(self._waiting.popleft())
        self._open = [scope for scope in self._open if scope.end > position]
        return tuple(scope.name[:MAX_NAME] for scope in self._open[-MAX_CONTEXT:] if scope.name)
