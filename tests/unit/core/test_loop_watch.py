"""The event-loop blocking detector: finds what blocks, names it, and blames nobody else."""

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from almanac import loop_watch
from almanac.loop_watch import Blocked, LoopWatch

ROOT = Path(__file__).parents[3]
on_purpose = pytest.mark.blocks_the_loop("the subject of the test")


@pytest.fixture
def found() -> Iterator[list[Blocked]]:
    blocked: list[Blocked] = []
    watch = LoopWatch(blocked.append)
    watch.start()
    yield blocked
    watch.stop()


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


async def handler_that_sleeps() -> None:
    await asyncio.sleep(0)
    inner_that_sleeps()


def inner_that_sleeps() -> None:
    time.sleep(0.2)


async def handler_that_computes() -> None:
    ends = time.thread_time() + 0.3
    while time.thread_time() < ends:
        pass


async def handler_that_holds_the_interpreter() -> None:
    sum(range(30_000_000))


async def handler_with_a_short_wait_before_the_long_one() -> None:
    time.sleep(0.07)  # noqa: ASYNC251
    time.sleep(0.3)  # noqa: ASYNC251


def line_of(text: str, occurrence: int = 0) -> int:
    lines = [number for number, line in enumerate(Path(__file__).read_text().splitlines(), 1) if text in line]
    return lines[occurrence]


@on_purpose
def test_the_handler_and_the_line_that_slept_are_named(found: list[Blocked]) -> None:
    run(handler_that_sleeps())
    (blocked,) = found
    assert 0.1 < blocked.seconds < 0.4
    assert blocked.place.ours
    assert blocked.place.handler == "handler_that_sleeps"
    assert blocked.place.line == f"{__file__}:{line_of('time.sleep(0.2)')} in inner_that_sleeps"


@on_purpose
@pytest.mark.parametrize("handler", [handler_that_computes, handler_that_holds_the_interpreter])
def test_computing_blocks_like_sleeping(found: list[Blocked], handler: Any) -> None:
    run(handler())
    (blocked,) = found
    assert blocked.place.handler == handler.__name__


@on_purpose
def test_the_line_that_took_longest_is_named_and_not_the_first(found: list[Blocked]) -> None:
    run(handler_with_a_short_wait_before_the_long_one())
    (blocked,) = found
    assert f":{line_of('time.sleep(0.3)')} in" in blocked.place.line


@on_purpose
def test_every_blocking_callback_is_reported_once(found: list[Blocked]) -> None:
    async def three() -> None:
        for _ in range(3):
            inner_that_sleeps()
            await asyncio.sleep(0)

    run(three())
    assert len(found) == 3


def test_waiting_and_many_short_callbacks_block_nothing(found: list[Blocked]) -> None:
    async def polite() -> None:
        await asyncio.sleep(0.25)
        for _ in range(30):
            time.sleep(0.01)  # noqa: ASYNC251
            await asyncio.sleep(0)
        await asyncio.to_thread(time.sleep, 0.2)

    run(polite())
    assert found == []


def test_the_loop_of_another_thread_is_its_own_affair(found: list[Blocked]) -> None:
    thread = threading.Thread(target=run, args=(handler_that_sleeps(),))
    thread.start()
    thread.join()
    assert found == []


def test_a_thread_that_gets_no_processor_blocks_nothing(found: list[Blocked], monkeypatch: pytest.MonkeyPatch) -> None:
    waited = count(step=1000)
    monkeypatch.setattr(loop_watch, "_waited_for_processor", lambda _: next(waited))
    run(handler_that_sleeps())
    assert found == []


@on_purpose
def test_a_stack_without_code_of_ours_is_not_blamed_on_us(found: list[Blocked]) -> None:
    async def arrange() -> None:
        asyncio.get_running_loop().call_soon(time.sleep, 0.2)
        await asyncio.sleep(0.01)

    run(arrange())
    (blocked,) = found
    assert not blocked.place.ours


def test_stopping_puts_the_loop_back_as_it_was() -> None:
    before = asyncio.Handle._run
    watch = LoopWatch(lambda _: None)
    watch.start()
    assert asyncio.Handle._run is not before
    watch.stop()
    assert asyncio.Handle._run is before


def test_an_error_in_a_callback_reaches_the_loop_as_before(found: list[Blocked]) -> None:
    async def fails() -> None:
        raise LookupError("as before")

    with pytest.raises(LookupError, match="as before"):
        run(fails())


_BLOCKING_TEST = """
import asyncio
import time

import pytest


async def slow_handler():
    time.sleep(0.2)  # line 9


def test_blocks():
    asyncio.run(slow_handler())


@pytest.mark.blocks_the_loop("on purpose")
def test_blocks_on_purpose():
    asyncio.run(slow_handler())


def test_is_polite():
    asyncio.run(asyncio.sleep(0.2))
"""


def test_a_test_that_blocks_the_loop_fails_and_names_handler_and_line(tmp_path: Path) -> None:
    file = tmp_path / "test_blocking.py"
    file.write_text(_BLOCKING_TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(tmp_path)]
    done = subprocess.run(
        [*command, "-p", "tests.conftest", "-p", "no:cacheprovider", str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'layers' / 'core'}"},
    )
    assert done.returncode == 1, done.stdout
    assert "3 passed, 1 error" in done.stdout
    assert "slow_handler held the event loop for " in done.stdout
    assert f"{file}:9 in slow_handler" in done.stdout
    # A CI's summary goes on with the reason.
    assert re.findall(r"^ERROR \S+::(\w+)", done.stdout, re.MULTILINE) == ["test_blocks"]
