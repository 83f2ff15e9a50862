"""Threads for a model: as many of them at work as the machine has processors, whoever asks for how much.

One inference keeps one processor and its caches busy. More of them at once take longer for the same: of this model 14%
longer with twice as many (docs/decisions/one-inference-for-each-processor.md). So a lane stands for a processor, and
who embeds holds one. Within a process that is a thread of a pool; between processes of one machine, as the functions
of the local stack are, a lock on a file. A function on AWS has its machine to itself and finds the file free.
"""

import asyncio
import fcntl
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import BinaryIO


def processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Lanes:
    """A pool of threads, each with a lane of its own."""

    def __init__(self, directory: Path | None = None) -> None:
        """Keep the locks in a directory that other processes know too; by default that of temporary files."""
        self._directory = directory
        self._number = processors()
        self._numbers = count()
        self._mine = threading.local()
        self._threads = ThreadPoolExecutor(self._number, "lane", initializer=self._open)

    async def each(self, work: Callable[[int], None], rows: int) -> None:
        """Call `work` for each row from 0, in the threads; an error of a row is raised.

        Who calls at the same time gets every other turn, so that few rows are not held up by many.
        """
        loop = asyncio.get_running_loop()
        left = iter(range(rows))

        async def in_turn() -> None:
            for row in left:
                await loop.run_in_executor(self._threads, work, row)

        # One at work and one in wait for each thread: none idles until the event loop has time for it.
        await asyncio.gather(*(in_turn() for _ in range(min(2 * self._number, rows))))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the calling thread's lane against other processes; the lock of one that dies is free."""
        lane: BinaryIO | None = self._mine.lane
        if lane is None:
            yield
            return
        fcntl.flock(lane, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(lane, fcntl.LOCK_UN)

    def _open(self) -> None:
        """Give this thread a lane. Without a file that is our own, it works all the same."""
        path = (self._directory or Path(tempfile.gettempdir())) / f"almanac-lane-{os.getuid()}-{next(self._numbers)}"
        self._mine.lane = None
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        lane = os.fdopen(descriptor, "r+b", buffering=0)
        if os.fstat(descriptor).st_uid == os.getuid():
            self._mine.lane = lane
