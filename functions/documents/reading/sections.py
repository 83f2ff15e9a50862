"""Markdown and plain text, cut into sections where their writers did."""

import re

from documents.reading.units import Unit, Units

MAX_SECTION = 12_000
"""Characters: a longer section is cut at its paragraphs."""
_MIN_SECTION = 1_500
_DEEPEST = 4
_HEADING = re.compile(r"(#{1,6})[ \t]+(.+?)[ \t]*#*$")
_FENCE = re.compile(r"[ ]{0,3}(```+|~~~+)")
_MARKS = re.compile(r"[*_`\\]|!?\[([^\]]*)\]\([^)]*\)")


def markdown(text: str) -> Units:
    """Yield a section per heading, labelled by the path of headings to it; short subsections stay with their parent."""
    path: list[tuple[int, str]] = []
    lines: list[str] = []
    label, level, is_bare = "", 0, False
    for line, heading in _lines(text):
        if heading is not None:
            depth, title = heading
            is_small = sum(map(len, lines)) < _MIN_SECTION and depth > level > 0
            if is_bare:
                label, level = "", 0
            elif not is_small:
                yield from section(label, "".join(lines))
                lines, label = [], ""
            is_bare = True
            path = [*(entry for entry in path if entry[0] < depth), (depth, title)]
            if not label:
                label, level = " > ".join(title for _, title in path), depth
        elif line.strip():
            is_bare = False
        lines.append(line)
    yield from section(label, "".join(lines))


def _lines(text: str) -> "list[tuple[str, tuple[int, str] | None]]":
    """Return every line, with the level and words of the heading that it is."""
    found: list[tuple[str, tuple[int, str] | None]] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence):
            fence = ""
        match = None if fence or mark else _HEADING.match(line)
        is_cut = match is not None and len(match[1]) <= _DEEPEST
        found.append((line, (len(match[1]), _plain(match[2])) if match and is_cut else None))
    return found


def _plain(title: str) -> str:
    return _MARKS.sub(lambda match: match[1] or "", title).strip()[:120]


def section(label: str, text: str, unit: str = "section") -> Units:
    """Yield the text as one unit, or as several when it is long."""
    pieces = [piece for piece in _pieces(text) if piece.strip()]
    for number, piece in enumerate(pieces, 1):
        name = label or "text"
        yield Unit(unit, f"{name} ({number} of {len(pieces)})" if len(pieces) > 1 else name, piece.strip("\n"))


def _pieces(text: str) -> list[str]:
    if len(text) <= MAX_SECTION:
        return [text]
    pieces: list[str] = []
    start = 0
    while len(text) - start > MAX_SECTION:
        end = _cut(text, start, start + MAX_SECTION)
        pieces.append(text[start:end])
        start = end
    return [*pieces, text[start:]]


def _cut(text: str, start: int, end: int) -> int:
    """Return where to cut before `end`: after a paragraph, else a line, else a word, else there."""
    for mark in ("\n\n", "\n", " "):
        found = text.rfind(mark, start + MAX_SECTION // 2, end)
        if found >= 0:
            return found + len(mark)
    return end


def plain(text: str) -> Units:
    """Yield pieces of a text without headings, labelled by their lines."""
    line = 1
    for piece in _pieces(text):
        count = piece.count("\n")
        last = line + count - (1 if piece.endswith("\n") else 0)
        if piece.strip():
            yield Unit("section", f"lines {line}-{last}", piece.strip("\n"))
        line += count
