"""The parts of a chunk that can stand alone as a quote: sentences, list items, table rows, comments, signatures, lines.

A span is `text[start:end]` of its chunk, so that whatever is quoted can be found there again, word by word.
"""
# ruff: noqa: RUF001 - letters of other alphabets are meant as they are

import re
from collections.abc import Iterator
from enum import Enum
from typing import NamedTuple

MAX_SPAN = 400
MIN_LETTERS = 3

_PROSE_LANGUAGES = frozenset({"markdown", "text"})
_DATA_LANGUAGES = frozenset({"yaml", "toml", "json", "xml", "dockerfile", "makefile", "css", "html", "ini"})

# A sentence ends with its mark and what closes behind it, before a space and something that begins a sentence; on the
# next line of a comment the line's own sign comes between.
_SIGNS = r"(?:[ \t]*(?:#+|//+!?|\*+|--+|;+|>+)(?=[ \t]|$))?"
_END = re.compile(
    rf"[.!?…]+[\"'”’»)\]`*_]*(?=(?:[ \t]*\r?\n{_SIGNS}[ \t]*|[ \t]+)[\"'“‘«(\[`*_]*[^\W_a-zа-яё])|[。！？]",
    re.MULTILINE,
)
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|vs|cf|approx|resp|no|fig|eq|al|ca|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|Inc|Ltd|Co|U\.S|т\.е|т\.д|т\.п|"
    r"т\.к|г|гг|в|вв|см|рис|стр|им|др|пр|ул|руб|тыс|млн|млрд)|\b[^\W\d_a-zа-яё])\.$"
)
_BREAK = re.compile(r"\n[ \t]*\n|\n(?=[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t])|\n(?=[ \t]*\|)|\n(?=[ \t]{0,3}#{1,6}[ \t])")
# In a comment a line with nothing but the sign is blank, and the sign is no heading and no item.
_COMMENT_BREAK = re.compile(
    r"\n[ \t]*(?:#+|//+!?|\*|--|;+)?[ \t]*(?=\n)|\n(?=[ \t]*(?:#+|//+|\*|--)?[ \t]*(?:[-+•]|\d{1,3}[.)])[ \t])"
)
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]|[^\n]{1,80}\n[ \t]*[=\-~^]{3,}[ \t]*$")
_RULE = re.compile(r"[\s|:=\-*_~+#>`]*")
_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[^\n]*\n(.*?)(?:^[ \t]*\1[^\n]*$|\Z)", re.MULTILINE | re.DOTALL)

_COMMENT = re.compile(
    r'(?P<doc>"""(?:.|\n)*?(?:"""|\Z)|\'\'\'(?:.|\n)*?(?:\'\'\'|\Z))'
    r"|(?P<block>/\*(?:.|\n)*?(?:\*/|\Z)|<!--(?:.|\n)*?(?:-->|\Z))"
    r"|(?P<lines>(?:^[ \t]*(?:\#(?![!\[{])|//|--[ ]|;;)[^\n]*(?:\n|\Z))+)",
    re.MULTILINE,
)
_SIGNATURE = re.compile(
    r"[ \t]*(?:export\s+|public\s+|private\s+|protected\s+|internal\s+|static\s+|final\s+|abstract\s+|async\s+|"
    r"default\s+|pub(?:\([^)]*\))?\s+|unsafe\s+|override\s+|virtual\s+|inline\s+)*"
    r"(?:def|class|func|function|fn|interface|struct|enum|trait|impl|type|module|namespace|record|object|protocol)\b"
)
_IMPORT = re.compile(
    r"[ \t]*(?:import\b|from\s+\S+\s+import\b|#\s*include\b|using\s+[\w.:]+;|use\s+[\w:]|require\b|package\s)"
)
_EDGE = re.compile(
    r"^(?:[ \t]*(?:#{1,6}|//+!?|\*+/?|/\*+|--+|;+|>+|[-+•]|\d{1,3}[.)]|<!--|-->)(?:[ \t]+|$))+", re.MULTILINE
)
_DELIMITERS = re.compile(r'^(?:[rbuf]{0,2}"""|\'\'\')|(?:"""|\'\'\'|\*/|-->)\s*$')
_SPACE = re.compile(r"\s+")


class Form(Enum):
    """What a span is; code shows itself as it is written, all else as a sentence."""

    SENTENCE = "sentence"
    SIGNATURE = "signature"
    LINE = "line"


class Span(NamedTuple):
    start: int
    end: int
    form: Form


def spans(text: str, *, code: bool, language: str | None = None) -> list[Span]:
    """Return the spans of a chunk in order; no two overlap."""
    prose = not code or language in _PROSE_LANGUAGES or language is None
    found = _prose(text) if prose else _code(text, data=language in _DATA_LANGUAGES)
    return [span for span in found if _says_something(text[span.start : span.end])]


def plain(quote: str, form: Form) -> str:
    """Return a quote as a sentence: on one line, without the signs of comments, lists and tables around it."""
    if form is Form.SENTENCE:
        quote = _DELIMITERS.sub("", _EDGE.sub("", _DELIMITERS.sub("", quote.strip())))
        if quote.startswith("|"):
            quote = " · ".join(cell.strip() for cell in quote.strip().strip("|").split("|"))
    return normalized(quote)


def normalized(text: str) -> str:
    """Return text with every run of blank space as one space."""
    return _SPACE.sub(" ", text).strip()


def locate(quote: str, text: str) -> tuple[int, int] | None:
    """Return where a quote stands in a text, [start, end), blank space aside; None when it does not."""
    words = quote.split()
    if not words:
        return None
    place = re.search(r"\s+".join(map(re.escape, words)), text)
    return place.span() if place else None


def _says_something(piece: str) -> bool:
    return sum(map(str.isalnum, piece)) >= MIN_LETTERS


def _prose(text: str) -> Iterator[Span]:
    position = 0
    for fence in _FENCE.finditer(text):
        yield from _paragraphs(text, position, fence.start())
        yield from _lines(text, *fence.span(2))
        position = fence.end()
    yield from _paragraphs(text, position, len(text))


def _paragraphs(text: str, start: int, end: int) -> Iterator[Span]:
    for first, last in _pieces(text, start, end, _BREAK):
        piece = text[first:last].strip()
        if _HEADING.fullmatch(piece) or (_HEADING.match(piece) and "\n" not in piece) or _RULE.fullmatch(piece):
            continue
        if piece.startswith("|"):
            yield _trimmed(text, first, last, Form.SENTENCE)
        else:
            yield from _sentences(text, first, last)


def _remarks(text: str, start: int, end: int) -> Iterator[Span]:
    for first, last in _pieces(text, start, end, _COMMENT_BREAK):
        yield from _sentences(text, first, last)


def _pieces(text: str, start: int, end: int, breaks: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    edges = [match.end() for match in breaks.finditer(text, start, end)]
    return zip([start, *edges], [*edges, end], strict=True)


def _sentences(text: str, start: int, end: int) -> Iterator[Span]:
    begin = start
    for match in _END.finditer(text, start, end):
        if not _ABBREVIATION.search(text, max(begin, match.end() - 12), match.end()):
            yield from _cut(text, begin, match.end())
            begin = match.end()
    if text[begin:end].strip():
        yield from _cut(text, begin, end)


def _cut(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield a sentence, or the pieces of one that is too long to be read as such."""
    whole = _trimmed(text, start, end, Form.SENTENCE)
    begin = whole.start
    while whole.end - begin > MAX_SPAN:
        room = text[begin : begin + MAX_SPAN]
        place = max(room.rfind(mark) for mark in ("; ", ": ", ", ", "\n"))
        place = place if place > MAX_SPAN // 3 else max(room.rfind(" "), MAX_SPAN // 3)
        yield _trimmed(text, begin, begin + place + 1, Form.SENTENCE)
        begin += place + 1
    if text[begin : whole.end].strip():
        yield _trimmed(text, begin, whole.end, Form.SENTENCE)


def _code(text: str, *, data: bool) -> Iterator[Span]:
    position = 0
    for comment in _COMMENT.finditer(text):
        yield from _lines(text, position, comment.start(), data=data)
        yield from _remarks(text, *comment.span())
        position = comment.end()
    yield from _lines(text, position, len(text), data=data)


def _lines(text: str, start: int, end: int, *, data: bool = True) -> Iterator[Span]:
    """Yield lines of code; a signature goes on until its brackets are closed."""
    position = start
    while position < end:
        stop = _line_end(text, position, end)
        signature = not data and _SIGNATURE.match(text, position, stop) is not None
        while signature and stop < end and _is_open(text[position:stop]) and stop - position < MAX_SPAN // 2:
            stop = _line_end(text, stop, end)
        if text[position:stop].strip() and not (not data and _IMPORT.match(text, position, stop)):
            cut = min(stop, position + MAX_SPAN)
            yield _trimmed(text, position, cut, Form.SIGNATURE if signature else Form.LINE)
        position = stop


def _line_end(text: str, position: int, end: int) -> int:
    place = text.find("\n", position, end)
    return end if place < 0 else place + 1


def _is_open(piece: str) -> bool:
    return piece.count("(") > piece.count(")")


def _trimmed(text: str, start: int, end: int, form: Form) -> Span:
    piece = text[start:end]
    return Span(start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip()), form)
