"""The event-loop blocking detector: names the handler that held the loop too long, and the line it stood on.

Every callback that the loop runs notes when it began; a thread looks at that note now and then and, when a callback
has run for longer than the threshold, reads the stack of the loop's thread. Two clock reads per callback are the cost.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

THRESHOLD_SECONDS = 0.1


@dataclass(frozen=True)
class Blocked:
    """One callback that held the loop. `handler` is the outermost frame of ours, `line` the innermost."""

    seconds: float
    handler: str
    line: str


Report = Callable[[Blocked], None]


class LoopWatch:
    """Watches the loop of the thread that called `start`."""

    def __init__(self, report: Report, threshold: float = THRESHOLD_SECONDS) -> None:
        self._report = report
        self._threshold = threshold
        self._began: float | None = None
        self._seen: float | None = None
        self._where: tuple[str, str] | None = None
        self._thread_id = 0
        self._paused = 0
        self._stopped = threading.Event()
        self._original: Callable[[asyncio.Handle], None] | None = None

    def start(self) -> None:
        """Begin to watch; the watching thread is a daemon and ends with the process."""
        self._thread_id = threading.get_ident()
        self._original = asyncio.Handle._run  # noqa: SLF001 - the loop's only seam
        asyncio.Handle._run = self._timed(self._original)  # type: ignore[assignment,method-assign] # noqa: SLF001
        threading.Thread(target=self._watch, name="loop-watch", daemon=True).start()

    def stop(self) -> None:
        """Stop watching and restore the loop."""
        self._stopped.set()
        if self._original is not None:
            asyncio.Handle._run = self._original  # type: ignore[assignment,method-assign] # noqa: SLF001

    @contextmanager
    def paused(self) -> "Iterator[None]":
        """Do not report what runs inside: for work at start-up that is known to block once."""
        self._paused += 1
        try:
            yield
        finally:
            self._paused -= 1
            self._began = time.perf_counter() if self._began is not None else None

    def _timed(self, original: Callable[[asyncio.Handle], None]) -> Callable[[asyncio.Handle], None]:
        clock, thread_id = time.perf_counter, self._thread_id

        def run(handle: asyncio.Handle) -> None:
            if threading.get_ident() != thread_id:
                return original(handle)
            self._began = clock()
            try:
                return original(handle)
            finally:
                began, self._began = self._began, None
                if clock() - began > self._threshold:
                    self._finished(began, clock() - began)

        return run

    def _finished(self, began: float, seconds: float) -> None:
        handler, line = self._where if self._seen == began and self._where else ("unknown", "unknown")
        if not self._paused:
            self._report(Blocked(seconds=seconds, handler=handler, line=line))

    def _watch(self) -> None:
        while not self._stopped.wait(self._threshold / 4):
            began = self._began
            if began is None or self._paused or self._seen == began:
                continue
            if time.perf_counter() - began > self._threshold * 0.75:
                frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - documented for debuggers
                where = _locate(frame) if frame else None
                if self._began == began and where is not None:
                    self._where, self._seen = where, began


_LIBRARIES = ("site-packages", "asyncio", "/lib/python", "loop_watch.py")


def _locate(innermost: FrameType) -> tuple[str, str]:
    frames: list[FrameType] = []
    frame: FrameType | None = innermost
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    ours = [f for f in frames if not any(part in f.f_code.co_filename for part in _LIBRARIES)]
    loop_entry = next(
        (i for i, f in enumerate(frames) if f.f_code.co_filename.endswith("asyncio/events.py")), len(frames)
    )
    inside = [f for f in ours if f in frames[:loop_entry]] or frames[:1]
    handler, line = inside[-1], inside[0]
    return handler.f_code.co_qualname, f"{line.f_code.co_filename}:{line.f_lineno} in {line.f_code.co_qualname}"


def start_reporting() -> LoopWatch:
    """Watch the calling thread's loop and write each finding to the log and as a metric."""
    from almanac.observability import emit, log

    def report(blocked: Blocked) -> None:
        log("warning", "event loop blocked", seconds=blocked.seconds, handler=blocked.handler, line=blocked.line)
        emit({"EventLoopBlocked": (blocked.seconds * 1000, "Milliseconds")}, handler=blocked.handler)

    watch = LoopWatch(report)
    watch.start()
    return watch
