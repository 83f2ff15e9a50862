"""The event-loop blocking detector: names the handler that held the loop too long, and the line it stood on.

Every callback that the loop runs notes when it began. A thread looks at that note now and then and, while a callback
is running for long, reads the stack of the loop's thread; the line seen most often is the one to blame.

    loop    ....|- callback -------------------------------|....
    watch   .       .       .       x       x       x       .      every 40 ms; x: a stack is read

Two clock reads per callback and twenty-five looks a second are the cost.
"""

import asyncio
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

THRESHOLD_SECONDS = 0.1

_LOOKS_PER_THRESHOLD = 2.5
_LIBRARIES = ("site-packages", "dist-packages", f"{os.sep}lib{os.sep}python", "/opt/python/", "<frozen")
_LOOP = f"asyncio{os.sep}events.py"


@dataclass(frozen=True)
class Place:
    """Where a callback stood. `handler` is the outermost function of ours, `line` the innermost line of ours.

    `ours` is False when the stack holds no code of ours: then both name the library's innermost line.
    """

    handler: str
    line: str
    ours: bool


@dataclass(frozen=True)
class Blocked:
    """One callback that held the loop, and for how long."""

    seconds: float
    place: Place


Report = Callable[[Blocked], None]
Run = Callable[[asyncio.Handle], None]


class LoopWatch:
    """Watches the loop of the thread that calls `start`. `report` is called on that thread, outside the callback."""

    def __init__(self, report: Report, threshold: float = THRESHOLD_SECONDS) -> None:
        self._report = report
        self._threshold = threshold
        self._thread_id = 0
        self._statistics: int | None = None
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._original: Run | None = None
        self._installed: Run | None = None
        # Written by the loop's thread, read by the watching one.
        self._began: float | None = None
        # Written by the watching thread: the callback it last saw, where that stood, and how long the loop's thread
        # had ever waited for a processor, at the last look and at the one before the callback began.
        self._seen: float | None = None
        self._places: Counter[Place] = Counter()
        self._waited = 0.0
        self._waited_before = 0.0

    def start(self) -> None:
        """Begin to watch; the watching thread is a daemon and ends with the process."""
        self._thread_id = threading.get_ident()
        self._statistics = _scheduler_statistics()
        self._waited = _waited_for_processor(self._statistics)
        self._original = asyncio.Handle._run  # noqa: SLF001 - the loop's only seam
        self._installed = self._timed(self._original)
        _install(self._installed)
        self._thread = threading.Thread(target=self._watch, name="loop-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. Watches are stopped in the reverse order of their start."""
        self._stopped = True
        if self._original is not None and asyncio.Handle._run is self._installed:  # noqa: SLF001
            _install(self._original)
        if self._thread is not None:
            self._thread.join()
        if self._statistics is not None:
            os.close(self._statistics)

    def _timed(self, original: Run) -> Run:
        clock, current, watched, threshold = time.perf_counter, threading.get_ident, self._thread_id, self._threshold

        def run(handle: asyncio.Handle) -> None:
            if current() != watched:
                return original(handle)
            self._began = began = clock()
            try:
                return original(handle)
            finally:
                self._began = None
                if clock() - began > threshold:
                    self._finished(handle, began, clock() - began)

        return run

    def _finished(self, handle: asyncio.Handle, began: float, seconds: float) -> None:
        if self._stopped:
            return
        waited_before = self._waited_before if self._seen == began else self._waited
        # A machine too busy to run the thread says nothing about the callback.
        blocked = seconds - (_waited_for_processor(self._statistics) - waited_before)
        if blocked > self._threshold:
            places = self._places.most_common(1) if self._seen == began else []
            self._report(Blocked(blocked, places[0][0] if places else _owner(handle)))

    def _watch(self) -> None:
        while not self._stopped:
            time.sleep(self._threshold / _LOOKS_PER_THRESHOLD)
            began = self._began
            before, self._waited = self._waited, _waited_for_processor(self._statistics)
            if began is None:
                continue
            if began != self._seen:
                self._places, self._waited_before = Counter(), before
                self._seen = began
            if time.perf_counter() - began > self._threshold / 2:
                self._look(began)

    def _look(self, began: float) -> None:
        # In a function of its own, so that the frame and all it refers to is let go at once.
        frame = sys._current_frames().get(self._thread_id)  # noqa: SLF001 - documented for debuggers
        if frame is not None:
            place = _locate(frame)
            if place is not None and self._began == began:
                self._places[place] += 1


def start_reporting() -> LoopWatch:
    """Watch the calling thread's loop and write each finding to the log and as a metric."""
    from almanac.observability import emit, log

    def report(blocked: Blocked) -> None:
        place = blocked.place
        log("warning", "event loop blocked", seconds=blocked.seconds, handler=place.handler, line=place.line)
        emit({"EventLoopBlocked": (blocked.seconds * 1000, "Milliseconds")}, handler=place.handler)

    watch = LoopWatch(report)
    watch.start()
    return watch


def _install(run: Run) -> None:
    asyncio.Handle._run = run  # type: ignore[method-assign, assignment] # noqa: SLF001


def _scheduler_statistics() -> int | None:
    """Open the calling thread's, as a file descriptor; None where the system keeps none."""
    try:
        return os.open(f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _waited_for_processor(statistics: int | None) -> float:
    """Return the seconds that the thread was ready and no processor was free."""
    if statistics is None:
        return 0.0
    _, waited, _ = os.pread(statistics, 96, 0).split()
    return int(waited) / 1e9


def _locate(innermost: FrameType) -> Place | None:
    """Return where a callback stands; None for a stack of no callback: another watch reports, when it is over."""
    inside: list[FrameType] = []
    frame: FrameType | None = innermost
    while frame is not None and not frame.f_code.co_filename.endswith(_LOOP):
        inside.append(frame)
        frame = frame.f_back
    if frame is None:
        return None
    ours = [frame for frame in inside if _is_our_file(frame.f_code.co_filename)]
    if not ours:
        return Place(_name(innermost), _line(innermost), ours=False)
    # What every request and message runs through says nothing; the function below it does.
    handler = next((frame for frame in reversed(ours) if not _is_shared(frame)), ours[-1])
    return Place(_name(handler), _line(ours[0]), ours=True)


def _owner(handle: asyncio.Handle) -> Place:
    """Name the callback's task, for code that held the interpreter in one call and left no moment to look."""
    task = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined] # noqa: SLF001
    coroutine = task.get_coro() if isinstance(task, asyncio.Task) else None
    code = getattr(coroutine, "cr_code", None)
    if code is None:
        return Place("unknown", "unknown", ours=False)
    return Place(code.co_qualname, f"{code.co_filename}, line unknown", ours=_is_our_file(code.co_filename))


# As compiled, which is not always where the file lies: a package compiled for Lambda also runs elsewhere.
_THIS_FILE = _locate.__code__.co_filename
_PRODUCT = str(Path(_THIS_FILE).parent) + os.sep


def _is_shared(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_PRODUCT)


def _is_our_file(name: str) -> bool:
    if name == _THIS_FILE:
        return False
    return name.startswith(_PRODUCT) or not any(part in name for part in _LIBRARIES)


def _name(frame: FrameType) -> str:
    return frame.f_code.co_qualname


def _line(frame: FrameType) -> str:
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_qualname}"
