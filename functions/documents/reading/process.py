"""The parent's side of the process that opens files: it is started, asked, watched and ended here.

It gets no variable of our environment (that is where a function's credentials are), a pipe, and the file's path.
"""

import atexit
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from documents.reading import ocr

_TICK_SECONDS = 0.2
_READ_BYTES = 256 * 1024
_START_SECONDS = 30.0
"""What a process may take to load its parsers; it speaks when it has."""
_PASSED_ON = ("LD_LIBRARY_PATH", "TZ")
"""Variables without which Lambda's Python does not start."""


class Ended(Exception):
    """The request ended without an answer. `code` is timed_out, too_large, cancelled, crashed with the exit code, or
    gone: the process had died before it began.
    """

    def __init__(self, code: str, exit_code: int = 0) -> None:
        super().__init__(code)
        self.code = code
        self.exit_code = exit_code


class Bounds(NamedTuple):
    """Of one request: when it must have ended (`time.monotonic`), the longest silence, the most bytes it may say."""

    deadline: float
    silence: float
    answer_bytes: int


class Process:
    """One child. It answers one request at a time."""

    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | ocr.ENVIRONMENT
        if (data := ocr.data()) is not None:
            environment["TESSDATA_PREFIX"] = str(data)
        paths = [entry for entry in sys.path if entry]
        self._popen = subprocess.Popen(
            [sys.executable, "-s", "-P", "-m", "documents.reading.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment | {"PYTHONPATH": os.pathsep.join(paths), "LANG": "C.UTF-8", "MALLOC_ARENA_MAX": "1"},
            cwd="/",
            start_new_session=True,
        )

    @property
    def is_alive(self) -> bool:
        return self._popen.poll() is None

    def ask(self, request: dict[str, Any], bounds: Bounds, cancelled: threading.Event) -> Iterator[dict[str, Any]]:
        """Yield the lines of the answer; raises `Ended`, after which the process is gone unless it said so itself."""
        assert self._popen.stdin is not None  # noqa: S101 - for the type
        is_started = False
        try:
            self._popen.stdin.write(json.dumps(request).encode() + b"\n")
            self._popen.stdin.flush()
            for line in self._lines(bounds, cancelled):
                answer = json.loads(line)
                if "started" in answer:
                    is_started = True
                elif "exit" not in answer:
                    yield answer
                elif answer["exit"] == 0:
                    return
                else:
                    raise Ended("crashed", answer["exit"])
        except BrokenPipeError:
            self.end()
            raise Ended("gone") from None
        except Ended as ended:
            if not ended.exit_code:
                self.end()
            if ended.code == "crashed" and not is_started:
                raise Ended("gone") from None
            raise
        except GeneratorExit:
            self.end()
            raise

    def _lines(self, bounds: Bounds, cancelled: threading.Event) -> Iterator[bytes]:
        assert self._popen.stdout is not None  # noqa: S101 - for the type
        pipe, waiting, total = self._popen.stdout.fileno(), bytearray(), 0
        heard, silence = time.monotonic(), _START_SECONDS
        while True:
            if cancelled.is_set():
                raise Ended("cancelled")
            is_ready = bool(select.select([pipe], [], [], _TICK_SECONDS)[0])
            now = time.monotonic()
            if now > bounds.deadline or (not is_ready and now - heard > silence):
                raise Ended("timed_out")
            if not is_ready:
                continue
            data = os.read(pipe, _READ_BYTES)
            if not data:
                raise Ended("crashed")
            heard, silence, total = now, bounds.silence, total + len(data)
            if total > bounds.answer_bytes:
                raise Ended("too_large")
            start = len(waiting)
            waiting += data
            if waiting.find(b"\n", start) >= 0:
                *lines, rest = bytes(waiting).split(b"\n")
                waiting = bytearray(rest)
                yield from lines

    def end(self) -> None:
        """Kill it with whatever it forked, and wait for it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()


class Pool:
    """Processes that wait for a request; as many as were ever busy at once."""

    def __init__(self) -> None:
        self._idle: list[Process] = []
        self._lock = threading.Lock()

    def take(self) -> Process:
        with self._lock:
            while self._idle:
                process = self._idle.pop()
                if process.is_alive:
                    return process
                process.end()
        return Process()

    def give(self, process: Process) -> None:
        if process.is_alive:
            with self._lock:
                self._idle.append(process)
        else:
            process.end()

    def close(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().end()


pool = Pool()
atexit.register(pool.close)
