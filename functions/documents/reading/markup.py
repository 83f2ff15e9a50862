"""XML as a stream of events, from files that nobody vouches for: no entities, no depth, no size in memory."""

import re
from collections.abc import Iterable, Iterator
from xml.parsers import expat

from documents.reading.units import Trouble

MOST_DEPTH = 256

_OPENINGS = re.compile(rb"(?:<[A-Za-z][^<>]*(?<!/)>\s*){%d}" % MOST_DEPTH)

Start = tuple[str, dict[str, str]]
Event = tuple[str, dict[str, str] | str | None]
"""A start (name, attributes), text ("", text) or an end (name, None). Names are without their prefixes."""


def events(chunks: Iterable[bytes]) -> Iterator[Event]:
    """Yield the events of a document; raises `Trouble`."""
    found: list[Event] = []
    parser = expat.ParserCreate()
    parser.buffer_text = True
    depth = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MOST_DEPTH:
            raise Trouble("hostile", "It is nested too deeply.")
        found.append((name.rpartition(":")[2], attributes))

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1
        found.append((name.rpartition(":")[2], None))

    def declared(*_: object) -> None:
        raise Trouble("hostile", "Its XML declares entities.")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = lambda text: found.append(("", text))
    parser.EntityDeclHandler = declared
    try:
        for data in chunks:
            parser.Parse(data, False)
            yield from found
            found.clear()
        parser.Parse(b"", True)
    except expat.ExpatError:
        yield from found
        raise Trouble("corrupt") from None
    yield from found


def is_nested_deeply(content: bytes) -> bool:
    """Tell whether so many elements open one in another that a parser that recurses would not come back."""
    return _OPENINGS.search(content) is not None


def attribute(attributes: dict[str, str], name: str) -> str | None:
    """Return an attribute by its name without prefix."""
    if name in attributes:
        return attributes[name]
    return next((value for key, value in attributes.items() if key.rpartition(":")[2] == name), None)
