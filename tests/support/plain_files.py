"""Files that are plain enough to be exact about what is read of them, and what an index then shows.

A file is its pages, with a form feed between them. Its first line may be one of: `%sections` (only reading tells how
many there are), `%locked WORD` (the password that opens it), `%broken CODE` (how reading ends). A page may be `!CODE`:
it cannot be read.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.embeddings.testing import HashEmbedder
from almanac.index.ingest import model_of
from almanac.index.manifest import Manifest
from almanac.index.parts import open_part, source_key
from almanac.index.sources import Place, SourceInfo
from documents.model import BadPage
from documents.reading.model import Limits, PageText, Probe, Reading, ReadingError


@dataclass
class PlainReader:
    """Reads such files, and remembers which pages it was asked for and with what password."""

    asked: list[tuple[int, int]] = field(default_factory=list)
    passwords: list[str | None] = field(default_factory=list)

    async def probe(self, path: Path, *, name: str, password: str | None = None, limits: Limits) -> Probe:
        kind, found = await self._open(path, password)
        if kind == "%sections":
            return Probe("text/plain", "section", None)
        return Probe("application/pdf", "page", len(found))

    async def read(
        self,
        path: Path,
        probe: Probe,
        first: int,
        last: int,
        *,
        password: str | None = None,
        limits: Limits,
        name: str = "",
    ) -> Reading:
        self.asked.append((first, last))
        _, found = await self._open(path, password)
        reading = Reading()
        for number, text in enumerate(found, start=1):
            if first <= number <= (last or len(found)):
                _take(reading, probe.unit, number, text)
        return reading

    async def _open(self, path: Path, password: str | None) -> tuple[str, list[str]]:
        self.passwords.append(password)
        text = await asyncio.to_thread(path.read_text)
        kind, _, rest = text.partition("\n") if text.startswith("%") else ("", "", text)
        word, _, argument = kind.partition(" ")
        if word == "%broken":
            raise ReadingError(argument)
        if word == "%locked" and password != argument:
            raise ReadingError("wrong_password" if password else "encrypted")
        return word, rest.split("\f") if rest else []


def _take(reading: Reading, unit: Any, number: int, text: str) -> None:
    label = f"{unit} {number}"
    if text.startswith("!"):
        reading.bad.append(BadPage(number=number, label=label, code=text[1:], message=f"{label} is damaged."))
    else:
        reading.pages.append(PageText(number, Place(unit=unit, number=number, label=label), text))


def file_of(texts: Sequence[str], kind: str = "") -> bytes:
    """Return the bytes of a file with these pages."""
    body = "\f".join(texts)
    return (f"{kind}\n{body}" if kind else body).encode()


def pages(count: int, word: str = "page") -> list[str]:
    """Return the texts of so many pages, each its own."""
    return [f"{word} {number} tells of {word}s and of number{number}" for number in range(1, count + 1)]


async def visible(tenant: str, table: Table, blobs: Blobs) -> dict[str, tuple[SourceInfo, str]]:
    """Return every visible source with its text, by the rule of the design and with none of the engine's code."""
    state = await Manifest(table, tenant).read()
    buried = {source_key(source_id): version for source_id, version in state.erased.items()}
    newest: dict[str, int] = {}
    found: dict[tuple[str, int], tuple[SourceInfo, str]] = {}
    for name in sorted(state.segments(HashEmbedder.slug)):
        body = await blobs.get(keys.part_object(tenant, HashEmbedder.slug, name))
        assert body is not None
        part = open_part(body, name=name, key=name, model=model_of(HashEmbedder()))
        for info, rows in part.walk():
            version = (info.source_id, info.version)
            newest[info.source_id] = max(newest.get(info.source_id, 0), info.version)
            text = "\n".join(row.text for row in rows)
            known = found.setdefault(version, (info, text))[1]
            assert known == text or not (known and text), "two segments disagree about a page"
            found[version] = (info, known and text)
    return {
        name: (info, text)
        for (name, version), (info, text) in found.items()
        if text and version == newest[name] > buried.get(source_key(name), 0)
        if state.drops.isdisjoint({info.project_id, info.container_id, info.group_id})
    }
