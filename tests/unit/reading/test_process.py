"""The process that opens files: what it may not see, and that nothing it does reaches its caller."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.reading import process, reader
from documents.reading.model import Limits, ReadingError
from documents.reading.process import Bounds, Process
from tests.unit.reading import files
from tests.unit.reading.test_pages import KINDS
from tests.unit.reading.world import opened, refusal

SLOW = files.endless_page(["one"], 1)


def environment(process_id: int) -> str:
    return Path(f"/proc/{process_id}/environ").read_bytes().decode()


def readers() -> set[int]:
    """Return the processes that read files for this one."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                if b"documents.reading.child" in command:
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def wait_for_no_readers() -> bool:
    for _ in range(200):
        if not readers():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def _fresh() -> None:
    process.pool.close()


@pytest.mark.usefixtures("_fresh")
def test_no_variable_of_the_caller_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-the-function")
    started = Process()
    try:
        assert "a-secret-of-the-function" in os.environ.values()
        assert "AWS" not in environment(started._popen.pid)
        assert "a-secret" not in environment(started._popen.pid)
    finally:
        started.end()


def test_a_password_is_in_no_argument_and_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    refusal(files.pdf(["text"])[:50], password="open-sesame-7")
    commands = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert "open-sesame-7" not in commands.replace("ps -eo args", "")
    assert not list(tmp_path.iterdir())


def test_a_call_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for content in (*KINDS.values(), files.zipped({"a.txt": b"\0" * 20_000_000})):
        try:
            opened(content)
        except ReadingError:
            continue
    assert not list(tmp_path.iterdir())


def test_a_file_that_takes_too_long_ends_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal(SLOW, limits=Limits(seconds=1.0)) == "timed_out"
    time.sleep(0.1)
    assert opened(b"still here", "a.txt")[1].pages[0].text == "still here"


def test_a_call_that_is_cancelled_takes_its_process_with_it() -> None:
    async def cancel(path: Path) -> None:
        task = asyncio.create_task(reader.probe(path, name="slow.pdf"))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    process.pool.close()
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "slow.pdf"
        path.write_bytes(SLOW)
        asyncio.run(cancel(path))
    assert wait_for_no_readers()


@pytest.mark.usefixtures("_fresh")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGSEGV, "crashed"), (signal.SIGABRT, "crashed"), (signal.SIGKILL, "out_of_memory")]
)
def test_a_process_that_dies_is_told_by_its_end(number: signal.Signals, code: str) -> None:
    opened(b"warm", "a.txt")
    (above,) = readers()

    def strike() -> None:
        for _ in range(2_000):
            for pid in readers() - {above}:
                os.kill(pid, number)
                return
            time.sleep(0.005)

    striker = threading.Thread(target=strike)
    striker.start()
    try:
        assert refusal(SLOW) == code
    finally:
        striker.join()
    assert readers() == {above}


@pytest.mark.usefixtures("_fresh")
def test_the_process_above_may_die_between_two_files() -> None:
    opened(b"one", "a.txt")
    (above,) = readers()
    os.kill(above, signal.SIGKILL)
    assert opened(b"two", "a.txt")[1].pages[0].text == "two"


@pytest.mark.usefixtures("_fresh")
def test_an_answer_without_end_is_cut_off() -> None:
    started = Process()
    request: dict[str, object] = {"path": sys.executable}
    bounds = Bounds(time.monotonic() + 20, 20, answer_bytes=1)
    with pytest.raises(process.Ended) as ended:
        list(started.ask(whole_request(request), bounds, threading.Event()))
    assert ended.value.code == "too_large"
    assert not started.is_alive


def whole_request(given: dict[str, object]) -> dict[str, object]:
    limits = Limits().__dict__
    directory = tempfile.gettempdir()
    return {"name": "x", "media_type": None, "password": None, "first": 1, "last": 0, "limits": limits} | {
        "scratch": directory,
        "errors": os.devnull,
        **given,
    }


def test_two_files_are_read_at_once() -> None:
    async def both(directory: Path) -> list[str]:
        paths = [directory / f"{number}.txt" for number in range(4)]
        for path in paths:
            path.write_text(f"text of {path.name}")
        found = await asyncio.gather(*(reader.probe(path, name=path.name) for path in paths))
        read = await asyncio.gather(*(reader.read(path, one) for path, one in zip(paths, found, strict=True)))
        return [reading.pages[0].text for reading in read]

    with tempfile.TemporaryDirectory() as directory:
        assert asyncio.run(both(Path(directory))) == [f"text of {number}.txt" for number in range(4)]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(list(KINDS)), st.data())
def test_no_damage_to_a_file_gives_anything_but_pages_or_a_cause(kind: str, data: st.DataObject) -> None:
    content = bytearray(KINDS[kind])
    for _ in range(data.draw(st.integers(1, 12))):
        at = data.draw(st.integers(0, len(content)))
        content[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    del content[data.draw(st.integers(len(content) // 2, len(content))) :]
    try:
        _, reading = opened(bytes(content), "file.txt", limits=Limits(seconds=20))
    except ReadingError as error:
        assert error.code in ("corrupt", "empty", "unsupported", "encrypted", "scanned", "hostile", "crashed")
        return
    numbers = [page.number for page in reading.pages]
    assert numbers == sorted(set(numbers))
