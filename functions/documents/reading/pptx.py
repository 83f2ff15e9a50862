"""PowerPoint presentations, slide by slide: titles, text, tables, notes.

Its own reader: kreuzberg's leaves notes and slides' bounds out.
"""

import posixpath
import zipfile
from collections.abc import Iterator

from documents.reading import zips
from documents.reading.markup import Event, attribute
from documents.reading.units import Bad, Task, Trouble, Unit, Units

_TITLES = frozenset({"title", "ctrTitle"})
_FURNITURE = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})


def read(task: Task) -> Units:
    zips.check(task)
    with zips.opened(task.path) as archive:
        slides = _slides(archive)
        if not slides:
            raise Trouble("empty" if "ppt/presentation.xml" in archive.namelist() else "corrupt")
        for number, part in enumerate(slides, 1):
            try:
                yield Unit("slide", f"slide {number}", _slide(archive, part), number)
            except Trouble as trouble:
                if trouble.code != "corrupt":
                    raise
                yield Bad(f"slide {number}", "corrupt", f"Slide {number} is damaged.", number)


def _slides(archive: zipfile.ZipFile) -> list[str]:
    targets = _targets(archive, "ppt/presentation.xml")
    found = (
        targets.get(value.get("r:id", "") or attribute(value, "id") or "")
        for name, value in zips.events(archive, "ppt/presentation.xml")
        if name == "sldId" and isinstance(value, dict)
    )
    return [part for part, _ in filter(None, found)]


def _targets(archive: zipfile.ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Return the part and the type of every relation of a part, by id."""
    folder, _, file = part.rpartition("/")
    return {
        value.get("Id", ""): (
            posixpath.normpath(posixpath.join("/", folder, value.get("Target", ""))).lstrip("/"),
            value.get("Type", "").rpartition("/")[2],
        )
        for name, value in zips.events(archive, f"{folder}/_rels/{file}.rels")
        if name == "Relationship" and isinstance(value, dict)
    }


def _slide(archive: zipfile.ZipFile, part: str) -> str:
    if part not in archive.namelist():
        raise Trouble("corrupt")
    blocks = _blocks(zips.events(archive, part))
    notes = [target for target, kind in _targets(archive, part).values() if kind == "notesSlide"]
    for note in notes:
        if spoken := _blocks(zips.events(archive, note)):
            blocks += ["Notes:", *spoken]
    return "\n\n".join(blocks)


class _Slide:
    """The texts of a slide, gathered in the order that its file has them."""

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self._paragraphs: list[str] = []
        self._placeholder = ""
        self._rows: list[list[str]] = []
        self._is_text = False

    def take(self, name: str, value: dict[str, str] | str | None) -> None:
        if name == "t":
            self._is_text = value is not None
        elif name == "":
            if self._is_text and self._paragraphs:
                self._paragraphs[-1] += str(value)
        elif isinstance(value, dict):
            self._start(name, value)
        else:
            self._end(name)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "p":
            self._paragraphs.append("")
        elif name == "br" and self._paragraphs:
            self._paragraphs[-1] += "\n"
        elif name in ("sp", "tc"):
            self._paragraphs, self._placeholder = [], ""
        elif name == "ph":
            self._placeholder = attributes.get("type", "body")
        elif name == "tr":
            self._rows.append([])

    def _end(self, name: str) -> None:
        if name == "tc" and self._rows:
            self._rows[-1].append(" ".join(" ".join(self._paragraphs).split()).replace("|", "\\|"))
        elif name == "tbl":
            self.blocks.append(_table(self._rows))
            self._rows, self._paragraphs = [], []
        elif name in ("sp", "txBody") and not self._rows:
            if text := self._shape():
                self.blocks.append(text)
            self._paragraphs = []

    def _shape(self) -> str:
        text = "\n\n".join(filter(None, (paragraph.strip() for paragraph in self._paragraphs)))
        if self._placeholder in _FURNITURE:
            return ""
        return "# " + " ".join(text.split()) if text and self._placeholder in _TITLES else text


def _blocks(found: Iterator[Event]) -> list[str]:
    slide = _Slide()
    for name, value in found:
        slide.take(name, value)
    return slide.blocks


def _table(rows: list[list[str]]) -> str:
    width = max(map(len, rows), default=0)
    lines = ["| " + " | ".join([*row, *[""] * (width - len(row))]) + " |" for row in rows]
    return "\n".join([*lines[:1], "|" + " --- |" * width, *lines[1:]])
