"""XML as a stream of events, from files that nobody vouches for: no entities, no depth, no size in memory."""

import re
from collections.abc import Iterable, Iterator
from typing import Protocol
from xml.parsers import expat

from documents.reading.units import Trouble

MOST_DEPTH = 256

_OPENINGS = re.compile(rb"(?:<[A-Za-z][^<>]*(?<!/)>\s*){%d}" % MOST_DEPTH)

Start = tuple[str, dict[str, str]]
Event = tuple[str, dict[str, str] | str | None]
"""A start (name, attributes), text ("", text) or an end (name, None). Names are without their prefixes."""


class Handler(Protocol):
    """What hears of a document's elements, by their full names."""

    def start(self, name: str, attributes: dict[str, str], /) -> None: ...
    def end(self, name: str, /) -> None: ...
    def text(self, text: str, /) -> None: ...


def parse(chunks: Iterable[bytes], handler: Handler) -> Iterator[None]:
    """Tell the handler of a document, and yield after each chunk; raises `Trouble`. The handler minds the depth."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    parser.EntityDeclHandler = _declared
    try:
        for data in chunks:
            parser.Parse(data, False)
            yield
        parser.Parse(b"", True)
    except expat.ExpatError:
        yield
        raise Trouble("corrupt") from None
    yield


def _declared(*_: object) -> None:
    raise Trouble("hostile", "Its XML declares entities.")


class Depth:
    """How deep a handler is."""

    def __init__(self) -> None:
        self.depth = 0

    def enter(self) -> None:
        self.depth += 1
        if self.depth > MOST_DEPTH:
            raise Trouble("hostile", "It is nested too deeply.")


class _Events(Depth):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Event] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.enter()
        self.found.append((name.rpartition(":")[2], attributes))

    def end(self, name: str) -> None:
        self.depth -= 1
        self.found.append((name.rpartition(":")[2], None))

    def text(self, text: str) -> None:
        self.found.append(("", text))


def events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events of a document; raises `Trouble`."""
    handler = _Events()
    for _ in parse(chunks, handler):
        yield from handler.found
        handler.found.clear()


def is_nested_deeply(content: bytes) -> bool:
    """Tell whether so many elements open one in another that a parser that recurses would not come back."""
    return _OPENINGS.search(content) is not None


def attribute(attributes: dict[str, str], name: str) -> str | None:
    """Return an attribute by its name without prefix."""
    if name in attributes:
        return attributes[name]
    return next((value for key, value in attributes.items() if key.rpartition(":")[2] == name), None)
