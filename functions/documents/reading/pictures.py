"""Picture files: a page each, of a TIFF as many as there are in it; only read where text recognition is on."""

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

from documents.reading import ocr
from documents.reading.ocr import Ocr
from documents.reading.units import Task, Trouble, Units

TIFF = "image/tiff"
_MOST_FRAMES = 1000


class _Tiff:
    """The directory of a TIFF: its frames are a chain, each with its tags and the place of the next."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._order = "<" if self._file.read(4)[:2] == b"II" else ">"

    def frames(self) -> Iterator[int]:
        """Yield where each frame's tags are; raises `Trouble`."""
        (at,) = self._unpacked("I", 4)
        seen: set[int] = set()
        while at and at not in seen:
            seen.add(at)
            if len(seen) > _MOST_FRAMES:
                raise Trouble("too_large", f"There are more than {_MOST_FRAMES:,} pictures in it.")
            yield at
            (tags,) = self._unpacked("H", at)
            (at,) = self._unpacked("I", at + 2 + 12 * tags)

    def _unpacked(self, form: str, at: int) -> tuple[int, ...]:
        self._file.seek(at)
        try:
            return struct.unpack(self._order + form, self._file.read(struct.calcsize(self._order + form)))
        except struct.error:
            raise Trouble("corrupt") from None

    def first(self, copy: Path, at: int) -> None:
        """Make the frame at this place the first of a copy."""
        with copy.open("r+b") as file:
            file.seek(4)
            file.write(struct.pack(f"{self._order}I", at))

    def close(self) -> None:
        self._file.close()


def frames(task: Task, kind: str) -> int:
    """Return how many pictures there are; raises `Trouble` where no text is recognised."""
    _recogniser(task)
    if kind != TIFF:
        return 1
    tiff = _Tiff(task.path)
    try:
        return len(list(tiff.frames()))
    finally:
        tiff.close()


def read(task: Task, kind: str) -> Units:
    """Yield the pictures, in a container all."""
    recogniser = _recogniser(task)
    if kind == TIFF:
        yield from _tiff(task, recogniser)
    else:
        yield from ocr.page(recogniser, task.path, kind, 1, "picture")


def _recogniser(task: Task) -> Ocr:
    recogniser = ocr.chosen(task.limits["ocr"])
    if recogniser is None:
        raise Trouble("scanned", "It is a picture.")
    return recogniser


def _tiff(task: Task, recogniser: Ocr) -> Units:
    tiff, copy = _Tiff(task.path), task.scratch_file()
    try:
        found = list(tiff.frames())
        shutil.copyfile(task.path, copy)
        for number, at in enumerate(found, 1):
            if number >= task.first and (not task.last or number <= task.last):
                tiff.first(copy, at)
                label = f"page {number}" if len(found) > 1 else "picture"
                yield from ocr.page(recogniser, copy, TIFF, number, label)
    finally:
        tiff.close()
        copy.unlink(missing_ok=True)
