"""What people type into a search box: words, "phrases", -exclusions and fields such as `path:src/` or `-lang:go`.

Text always wins where it could be meant: only the names of fields that exist, right before a colon and a value, are
fields. `TypeError: x`, `std::path`, `http://x` and `C:\\x` are searched for. What looks like a slip is searched for as
well, with a hint about it. Only what can mean nothing is an error, and the error says where it is and what to write.
Positions count Unicode code points.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime

from almanac import moments
from almanac.ids import is_id
from almanac.index.filters import Filters, compile_glob
from almanac.index.query_errors import QuerySyntaxError
from almanac.index.sources import Kind
from almanac.text.languages import language_of
from almanac.text.tokenize import whole_words

MOST_VALUES = 20
"""Of one field: every path and author is compared with all names of the index."""

_FIELDS = ("path", "lang", "author", "kind", "project", "since", "until")
_ALIASES = {"language": "lang"}
_NEVER_NEGATED = frozenset({"since", "until", "project"})
_TIMES = frozenset({"since", "until"})
# A name, one colon, and no second one: `path::join` is code.
_FIELD = re.compile(r"(-?)([A-Za-z]+):(?!:)")
_SPACE = re.compile(r"\s*")
_BARE = re.compile(r"\S*")
_ITEM = re.compile(r"[^\s,]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r'\\(["\\])')


@dataclass(frozen=True)
class ParsedQuery:
    """A query taken apart. `text` is what words and meaning go by: phrases are part of it, exclusions are not.

    `hints` are about what was read as text and may have been meant otherwise.
    """

    text: str
    phrases: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    filters: Filters = field(default_factory=Filters)
    hints: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Value:
    """A field's value and where it stands; `start` and `end` take in its quotes."""

    text: str
    start: int
    end: int


def parse(text: str, now: datetime) -> ParsedQuery:
    """Read a query; ages such as `since:7d` are counted from `now`. Raises `QuerySyntaxError`, and nothing else."""
    scan = _Scan(text)
    while (start := scan.next_token()) < len(text):
        scan.take(start)
    if not scan.words:
        raise scan.error("There is nothing to search for: add a word or a phrase. Fields and -exclusions only narrow.")
    filters = _filters(scan, now)
    return ParsedQuery(
        " ".join(scan.words), tuple(scan.phrases), tuple(scan.without), filters, tuple(dict.fromkeys(scan.hints))
    )


def quote(text: str) -> str:
    """Return text as a phrase of the query language, in which nothing has a meaning of its own."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def language_name(value: str) -> str:
    """Return the name of a language, which may be given by its files' extension: `py`, `c++`."""
    return language_of(f"file.{value}") or value


@dataclass
class _Scan:
    """Goes through a query once, from left to right, and keeps what it found."""

    query: str
    at: int = 0
    words: list[str] = field(default_factory=list)
    phrases: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    values: dict[str, list[_Value]] = field(default_factory=dict)

    def error(self, message: str, start: int = 0, end: int | None = None) -> QuerySyntaxError:
        end = len(self.query) if end is None else end
        return QuerySyntaxError(message, self.query, start, max(1, end - start))

    def next_token(self) -> int:
        """Return where the next token begins: the query's length at its end."""
        self.at = _end(_SPACE, self.query, self.at)
        return self.at

    def take(self, start: int) -> None:
        """Read the token that begins at `start`."""
        if self.query[start] == '"':
            self._phrase(start, start, self.phrases)
        elif match := self._field(start):
            self._values(start, match)
        elif self.query.startswith('-"', start):
            self._phrase(start, start + 1, self.without)
        else:
            self._bare(start)

    def _field(self, start: int) -> re.Match[str] | None:
        match = _FIELD.match(self.query, start)
        return match if match and _known(match[2]) else None

    def _bare(self, start: int) -> None:
        word = self.query[start : _end(_BARE, self.query, start)]
        self.at = start + len(word)
        if word == "-":
            raise self.error(
                "Nothing follows the minus. Write -word to exclude a word, or leave it out.", start, self.at
            )
        if word[0] == "-" and not word.startswith(("--", "->")) and whole_words(word):
            self.without.append(word[1:])
            return
        self.words.append(word)
        match = _FIELD.match(word)
        if match and (meant := _nearest(match[2])) and word[match.end() :][:1] not in ("", "/", "\\"):
            self.hints.append(f"`{match[0]}` is no field, so it was searched for as text. Did you mean `{meant}:`?")

    def _phrase(self, start: int, opening: int, into: list[str]) -> None:
        value = self._quoted(opening)
        if not whole_words(value.text):
            reason = "has no letter or digit" if value.text.strip() else "is empty"
            raise self.error(
                f"The phrase {reason}. Write words between the quotes, or leave them out.", start, value.end
            )
        into.append(value.text)
        if into is self.phrases:
            self.words.append(value.text)
        # `"a b"c` goes on as text: nothing in the middle of a word is an operator.
        rest = self.query[value.end : _end(_BARE, self.query, value.end)]
        if rest:
            self.words.append(rest)
            self.at += len(rest)

    def _quoted(self, opening: int) -> _Value:
        match = _QUOTED.match(self.query, opening)
        if match is None:
            raise self.error('This quote is never closed. Close it, or write \\" inside a phrase for a quote.', opening)
        self.at = match.end()
        return _Value(_ESCAPE.sub(r"\1", match[1]), opening, match.end())

    def _values(self, start: int, match: re.Match[str]) -> None:
        minus, name = match[1], _known(match[2])
        if minus and name in _NEVER_NEGATED:
            raise self.error(f"`{name}:` cannot be excluded. {_INSTEAD[name]}", start, match.end())
        found = self.values.setdefault(minus + name, [])
        self.at = match.end()
        while True:
            found.append(self._value(start, match[0]))
            if len(found) > MOST_VALUES:
                raise self.error(f"`{name}:` takes at most {MOST_VALUES} values.", found[-1].start, found[-1].end)
            if self.query[self.at : self.at + 1] != ",":
                return
            self.at += 1

    def _value(self, start: int, written: str) -> _Value:
        begin = self.at
        if self.query[begin : begin + 1] == '"':
            value = self._quoted(begin)
            after = self.query[self.at : self.at + 1]
            if after and after != "," and not after.isspace():
                raise self.error("Put a space or a comma after the closing quote.", self.at, self.at + 1)
        else:
            self.at = _end(_ITEM, self.query, begin)
            value = _Value(self.query[begin : self.at], begin, self.at)
        if not value.text.strip():
            example = _EXAMPLES[_known(written.strip("-:"))]
            message = f"`{written}` has no value. Write it right after the colon, as in {example}; text goes in quotes."
            raise self.error(message, start, max(self.at, start + len(written)))
        return value


_EXAMPLES = {
    "path": "`path:src/`",
    "lang": "`lang:python`",
    "author": '`author:"Ada Lovelace"`',
    "kind": "`kind:commit`",
    "project": "`project:prj_...`",
    "since": "`since:7d`",
    "until": "`until:2026-01-31`",
}
_INSTEAD = {
    "since": "Use `until:` for what is older.",
    "until": "Use `since:` for what is newer.",
    "project": "Name the projects to search in.",
}


def _filters(scan: _Scan, now: datetime) -> Filters:
    def texts(name: str) -> list[str]:
        return list(dict.fromkeys(value.text.strip() for value in scan.values.get(name, [])))

    for value in scan.values.get("path", []) + scan.values.get("-path", []):
        _check_path(scan, value)
    for value in scan.values.get("project", []):
        if not is_id(value.text, "prj"):
            raise scan.error("A project is named by its id, as in `project:prj_...`.", value.start, value.end)
    since, until = _time(scan, "since", now), _time(scan, "until", now)
    if since and until and since >= until:
        value = scan.values["since"][0]
        raise scan.error("`since:` must be before `until:`.", value.start, value.end)
    return Filters(
        projects=frozenset(texts("project")),
        kinds=frozenset(_kind(scan, value) for value in scan.values.get("kind", [])),
        languages=frozenset(map(language_name, texts("lang"))),
        paths=tuple(texts("path")),
        authors=tuple(texts("author")),
        since=since,
        until=until,
        without_kinds=frozenset(_kind(scan, value) for value in scan.values.get("-kind", [])),
        without_languages=frozenset(map(language_name, texts("-lang"))),
        without_paths=tuple(texts("-path")),
        without_authors=tuple(texts("-author")),
    )


def _check_path(scan: _Scan, value: _Value) -> None:
    try:
        compile_glob(value.text.strip())
    except ValueError as error:
        message = f"This is {error}. `*`, `?`, `**` and sets such as `[a-z]` stand for parts of a path."
        raise scan.error(message, value.start, value.end) from None


def _kind(scan: _Scan, value: _Value) -> Kind:
    try:
        return Kind(value.text.strip().lower())
    except ValueError:
        kinds = ", ".join(f"`{kind}`" for kind in Kind)
        message = f"There is no such kind. The kinds are {kinds}; text with a colon goes in quotes."
        raise scan.error(message, value.start, value.end) from None


def _time(scan: _Scan, name: str, now: datetime) -> datetime | None:
    values = scan.values.get(name, [])
    if not values:
        return None
    if len(values) > 1:
        raise scan.error(f"`{name}:` was given before, and takes one time.", values[1].start, values[1].end)
    try:
        return moments.parse(values[0].text, now)
    except ValueError as error:
        raise scan.error(f"This is no time: {error}.", values[0].start, values[0].end) from None


def _known(name: str) -> str:
    """Return the field that goes by a name, in any case; nothing for none."""
    folded = name.lower()
    return _ALIASES.get(folded, folded if folded in _FIELDS else "")


def _nearest(name: str) -> str | None:
    """Return the field that a name is one slip away from: a letter too many, too few, wrong or swapped."""
    folded = name.lower()
    if len(folded) < 3:
        return None
    return next((known for known in (*_FIELDS, *_ALIASES) if _is_slip(folded, known)), None)


def _is_slip(written: str, meant: str) -> bool:
    if len(written) > len(meant):
        return _is_slip(meant, written)
    if len(meant) - len(written) > 1:
        return False
    same = next((n for n, pair in enumerate(zip(written, meant, strict=False)) if pair[0] != pair[1]), len(written))
    one, other = written[same:], meant[same:]
    if len(written) < len(meant):
        return one == other[1:]
    return one[1:] == other[1:] or (one[2:] == other[2:] and one[:2] == other[1::-1])


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start
