import asyncio
import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from almanac.embeddings import lanes as module
from almanac.embeddings.lanes import Lanes


@pytest.fixture(autouse=True)
def two_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "processors", lambda: 2)


class Work:
    """Rows that take turns in lanes; remembers which were done, and the most that were at work at once."""

    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        self.done: list[tuple[str, int]] = []
        self.most = 0
        self._lock = threading.Lock()
        self._at_work = 0

    async def rows(self, name: str, count: int) -> None:
        def one(row: int) -> None:
            with self.lanes.held():
                with self._lock:
                    self._at_work += 1
                    self.most = max(self.most, self._at_work)
                threading.Event().wait(0.001)
                with self._lock:
                    self._at_work -= 1
                    self.done.append((name, row))

        await self.lanes.each(one, count)


@contextmanager
def another_process(directory: Path, *numbers: int) -> Iterator[None]:
    """Hold lanes as another process would: through files that it opened itself."""
    files = [next(directory.glob(f"almanac-lane-*-{number}")).open("r+b") for number in numbers]
    for file in files:
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        for file in files:
            file.close()


def test_callers_together_have_as_many_at_work_as_there_are_processors(tmp_path: Path) -> None:
    work = Work(Lanes(tmp_path))

    async def run() -> None:
        await asyncio.gather(*(work.rows(name, 20) for name in "abcd"))

    asyncio.run(run())
    assert work.most == 2
    assert sorted(work.done) == sorted((name, row) for name in "abcd" for row in range(20))


def test_few_rows_are_not_held_up_by_many(tmp_path: Path) -> None:
    work = Work(Lanes(tmp_path))

    async def run() -> int:
        many = asyncio.create_task(work.rows("many", 200))
        while not work.done:  # noqa: ASYNC110 - threads do it
            await asyncio.sleep(0)
        await work.rows("few", 2)
        finished = len(work.done)
        await many
        return finished

    assert asyncio.run(run()) < 100


def test_processes_of_one_machine_share_its_lanes(tmp_path: Path) -> None:
    work = Work(Lanes(tmp_path))

    async def run() -> None:
        await work.rows("before", 4)
        with another_process(tmp_path, 0, 1):
            waiting = asyncio.create_task(work.rows("after", 4))
            await asyncio.sleep(0.05)
            assert len(work.done) == 4
        await waiting

    asyncio.run(run())
    assert len(work.done) == 8


def test_a_lane_that_is_free_does_all_the_work_meanwhile(tmp_path: Path) -> None:
    work = Work(Lanes(tmp_path))

    async def run() -> None:
        await work.rows("before", 4)
        with another_process(tmp_path, 1):
            waiting = asyncio.create_task(work.rows("after", 20))
            while len(work.done) < 4 + 19:  # noqa: ASYNC110 - threads do it
                await asyncio.sleep(0.001)
        await waiting

    asyncio.run(run())
    assert len(work.done) == 24


def test_without_a_place_for_its_locks_a_process_works_for_itself(tmp_path: Path) -> None:
    work = Work(Lanes(tmp_path / "absent"))
    asyncio.run(work.rows("all", 8))
    assert len(work.done) == 8


def test_an_error_of_a_row_is_the_callers(tmp_path: Path) -> None:
    def broken(row: int) -> None:
        raise ValueError(f"row {row}")

    lanes = Lanes(tmp_path)
    with pytest.raises(ValueError, match="row"):
        asyncio.run(lanes.each(broken, 3))
