"""How far files are: a bar for each on a terminal, a line for each step elsewhere, nothing with `--json`."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from almanac_cli.client import Document
from almanac_cli.output import escape, messages

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_NAME_WIDTH = 32


class Bar:
    """One file's progress; this one shows nothing."""

    def moved(self, step: str, done: int, total: int) -> None:
        """Show that so many of the file's bytes are through a step, never fewer; a `total` of 0 is not known."""

    def job(self, document: Document) -> None:
        """Show how far the document's job is; never behind what was shown."""

    def end(self, word: str) -> None:
        """Show how it ended."""


class Stopped(Exception):
    """Whoever waits for the file does so no more."""


class Stoppable(Bar):
    """A bar that ends the work which moves it once `stopped` is set: that raises `Stopped`."""

    def __init__(self, bar: Bar, stopped: threading.Event) -> None:
        self._bar = bar
        self._stopped = stopped

    def moved(self, step: str, done: int, total: int) -> None:
        self._check()
        self._bar.moved(step, done, total)

    def job(self, document: Document) -> None:
        self._check()
        self._bar.job(document)

    def end(self, word: str) -> None:
        self._bar.end(word)

    def _check(self) -> None:
        if self._stopped.is_set():
            raise Stopped


@contextmanager
def bars(quiet: bool) -> Iterator[Callable[[str], Bar]]:
    """Give what makes a file's bar, by its name."""
    if quiet:
        yield lambda _name: Bar()
    elif not messages.is_terminal:
        yield _Lines
    else:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(24), TextColumn("{task.fields[done]}"))
        with Progress(*columns, TimeElapsedColumn(), console=messages) as progress:
            yield lambda name: _Live(progress, name)


class _Live(Bar):
    def __init__(self, progress: "Progress", name: str) -> None:
        self._progress = progress
        self._percent = 0
        self._moved = ("", 0)
        shown = name if len(name) <= _NAME_WIDTH else f"{name[: _NAME_WIDTH - 1]}…"
        self._task: TaskID = progress.add_task(f"{escape(shown):<{_NAME_WIDTH}}", total=None, done="waiting")

    def moved(self, step: str, done: int, total: int) -> None:
        before, most = self._moved
        done = max(done, most) if step == before else done
        self._moved = (step, done)
        self._progress.update(self._task, total=total or None, completed=done, done=f"{step} {_size(done)}")

    def job(self, document: Document) -> None:
        step, percent = _step(document)
        self._percent = max(self._percent, percent)
        self._progress.update(self._task, total=100, completed=self._percent, done=f"{step} {self._percent}%")

    def end(self, word: str) -> None:
        self._progress.update(self._task, total=100, completed=100, done=word)
        self._progress.stop_task(self._task)


class _Lines(Bar):
    def __init__(self, name: str) -> None:
        self._name = name
        self._last = ""

    def moved(self, step: str, done: int, total: int) -> None:  # noqa: ARG002 - lines tell steps, not bytes
        self._write(step)

    def job(self, document: Document) -> None:
        self._write(_step(document)[0])

    def end(self, word: str) -> None:
        self._write(word)

    def _write(self, word: str) -> None:
        if word != self._last:
            messages.print(f"· {escape(self._name)}: {escape(word)}")
            self._last = word


def _step(document: Document) -> tuple[str, int]:
    job = document.get("job") or {}
    if document.get("state") == "processing" and job:
        return str(job["step"]), int(job["percent"])
    return str(document.get("state") or "waiting"), 100 if document.get("state") in {"ready", "partial"} else 0


def _size(number: int) -> str:
    return f"{number / 1_000_000:.1f} MB" if number >= 100_000 else f"{number / 1000:.0f} KB"
