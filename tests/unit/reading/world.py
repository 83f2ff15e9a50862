"""How the tests read: from bytes to pages, as the worker does it."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from documents.reading.model import USUAL, Limits, Probe, Reading, ReadingError
from documents.reading.reader import probe, read


def opened(
    content: bytes,
    name: str = "file",
    *,
    pages: tuple[int, int] = (1, 0),
    password: str | None = None,
    limits: Limits = USUAL,
) -> tuple[Probe, Reading]:
    """Probe and read the bytes as a file of this name."""

    async def both(path: Path) -> tuple[Probe, Reading]:
        found = await probe(path, name=name, password=password, limits=limits)
        return found, await read(path, found, *pages, name=name, password=password, limits=limits)

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "original"
        path.write_bytes(content)
        return asyncio.run(both(path))


def texts(content: bytes, name: str = "file", **options: object) -> dict[str, str]:
    """Return the text of every page by its label."""
    return {page.place.label: page.text for page in opened(content, name, **options)[1].pages}  # type: ignore[arg-type]


def refusal(content: bytes, name: str = "file", **options: object) -> str:
    """Return the code with which reading the bytes ends."""
    with pytest.raises(ReadingError) as raised:
        opened(content, name, **options)  # type: ignore[arg-type]
    assert raised.value.cause.message
    assert raised.value.cause.way_out
    return raised.value.code
