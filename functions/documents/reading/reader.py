"""What the rest of the slice calls: `probe` tells what a file is, `read` gives its pages.

Both run in a thread and leave the work to a process of its own. A page of a paged file at which that process dies or
falls silent is given up by name, and a fresh one goes on behind it; any other file ends with it.
"""

import asyncio
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from almanac.index.sources import Place
from documents.model import BadPage
from documents.reading.model import USUAL, Limits, PageText, Probe, Reading, ReadingError
from documents.reading.process import Bounds, Ended, pool

T = TypeVar("T")

_OF_A_PAGE = frozenset({"crashed", "timed_out", "out_of_memory"})
_MOST_ATTEMPTS = 3
_MOST_RESTARTS = 50
_SAID_BYTES = 64 * 1024


async def probe(path: Path, *, name: str, password: str | None = None, limits: Limits = USUAL) -> Probe:
    """Return what the file is, by its bytes; raises `ReadingError`."""
    call = _Call(path, name, None, password, limits)
    for answer in await _in_thread(call, lambda: list(call.answers(1, 0))):
        if "probe" in answer:
            return Probe(**answer["probe"])
    raise ReadingError("crashed")


async def read(
    path: Path,
    probe: Probe,
    first: int = 1,
    last: int = 0,
    *,
    name: str | None = None,
    password: str | None = None,
    limits: Limits = USUAL,
) -> Reading:
    """Return the pages `first` to `last` (0: to the end); a file without `probe.pages` is read whole.

    `name` is what it was called, where its copy at `path` is called otherwise. Raises `ReadingError`: for the whole
    file, or `timed_out` for lack of `limits.seconds`; never for single pages of a paged one.
    """
    call = _Call(path, name or path.name, probe, password, limits)
    return await _in_thread(call, lambda: call.read(first, last))


async def _in_thread(call: "_Call", work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except asyncio.CancelledError:
        call.cancelled.set()
        raise


class _Call:
    """One call: its own directory, its own bounds."""

    def __init__(self, path: Path, name: str, probe: Probe | None, password: str | None, limits: Limits) -> None:
        self._request = {
            "path": str(path.resolve()),
            "name": name,
            "media_type": None if probe is None else probe.media_type,
            "password": password,
            "limits": asdict(limits),
        }
        self._pages = None if probe is None else probe.pages
        self._limits = limits
        self._deadline = time.monotonic() + limits.seconds
        self.cancelled = threading.Event()

    def read(self, first: int, last: int) -> Reading:
        reading = Reading()
        if self._pages is None:
            self._take(reading, self.answers(1, 0))
            _refuse_nothing(reading)
        else:
            self._read_paged(reading, first, min(last or self._pages, self._pages))
        return reading

    def _read_paged(self, reading: Reading, first: int, last: int) -> None:
        for _ in range(_MOST_RESTARTS):
            try:
                self._take(reading, self.answers(first, last))
                return
            except ReadingError as error:
                if error.code not in _OF_A_PAGE or time.monotonic() >= self._deadline:
                    raise
                first = _after(reading, first)
                reading.bad.append(_given_up(first, error))
                first += 1
            if first > last:
                return
        reading.bad.extend(_given_up(number, ReadingError("corrupt")) for number in range(first, last + 1))

    def _take(self, reading: Reading, answers: Iterator[dict[str, Any]]) -> None:
        for answer in answers:
            if "unit" in answer:
                unit = answer["unit"]
                number = unit["number"] or len(reading.pages) + 1
                place = Place(unit=unit["unit"], number=number, label=unit["label"], **unit["table"])
                reading.pages.append(PageText(number, place, unit["text"]))
            elif "bad" in answer:
                reading.bad.append(BadPage(**answer["bad"]))
            elif "warning" in answer and answer["warning"] not in reading.warnings:
                reading.warnings.append(answer["warning"])

    def answers(self, first: int, last: int) -> Iterator[dict[str, Any]]:
        """Yield what the process says; raises `ReadingError`."""
        with tempfile.TemporaryDirectory(prefix="reading-", ignore_cleanup_errors=True) as directory:
            errors = Path(directory) / "errors"
            scratch = Path(directory) / "scratch"
            scratch.mkdir()
            request = self._request | {"first": first, "last": last, "scratch": str(scratch), "errors": str(errors)}
            try:
                yield from self._asked(request)
            except Ended as ended:
                raise _error(ended, errors) from None

    def _asked(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the answer of a process, of another one where one had died in waiting; raises `Ended`."""
        for attempt in range(_MOST_ATTEMPTS):
            process, trouble = pool.take(), None
            try:
                for answer in process.ask(request, self._bounds(), self.cancelled):
                    if "trouble" in answer:
                        trouble = answer["trouble"]
                    else:
                        yield answer
            except Ended as ended:
                if ended.code == "gone" and attempt + 1 < _MOST_ATTEMPTS:
                    continue
                raise
            finally:
                pool.give(process)
            if trouble is not None:
                raise ReadingError(**trouble)
            return

    def _bounds(self) -> Bounds:
        limits = self._limits
        page_seconds = limits.ocr_page_seconds if limits.ocr else limits.page_seconds
        silence = limits.seconds if self._pages is None else page_seconds
        return Bounds(self._deadline, silence, 2 * limits.text_bytes + 1024 * 1024)


def _refuse_nothing(reading: Reading) -> None:
    if all(page.is_blank for page in reading.pages):
        if not reading.bad:
            raise ReadingError("empty", " ".join(["There is no text in the file.", *reading.warnings[:3]]))
        raise ReadingError(*next((bad.code, bad.message) for bad in reading.bad))


def _after(reading: Reading, first: int) -> int:
    """Return the page at which a process ended that began with `first`: the one behind the last that it spoke of."""
    spoken = [page.number for page in reading.pages[-1:]] + [page.number for page in reading.bad[-1:]]
    return max([first - 1, *spoken]) + 1


def _given_up(number: int, error: ReadingError) -> BadPage:
    return BadPage(number=number, label=f"page {number}", code=error.code, message=f"Page {number}: {error.message}")


def _error(ended: Ended, errors: Path) -> ReadingError:
    """Tell from how a process ended what the file did to it."""
    if ended.code not in ("crashed", "gone"):
        return ReadingError("timed_out" if ended.code == "cancelled" else ended.code)
    said = errors.read_bytes()[:_SAID_BYTES] if errors.exists() else b""
    if ended.exit_code == -signal.SIGKILL or b"memory allocation" in said or b"MemoryError" in said:
        return ReadingError("out_of_memory")
    if ended.exit_code == -signal.SIGXCPU:
        return ReadingError("timed_out")
    return ReadingError("crashed")
