"""Local copies of parts: downloaded in ranges at once, verified, mapped into memory, kept under a budget of disk."""

import asyncio
import hashlib
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import count
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import NamedTuple
from weakref import ref

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.index.manifest import PartRef, SegmentEntry
from almanac.index.parts import CorruptPart

RANGE = 8 << 20
_RANGES_AT_ONCE = 8
_SMALL = 1 << 20
"""A part up to this size is held in memory: a file would cost more than it saves."""
_MANY = 24
_ABANDONED_SECONDS = 3_600


class Place(NamedTuple):
    """Where a part lies in the bucket: its key, its name (the SHA-256 of its bytes) and its size."""

    key: str
    name: str
    size: int


def place_of(tenant_id: str, index_id: str, ref: PartRef | SegmentEntry) -> Place:
    """Return where the object lies that a manifest names."""
    return Place(keys.part_object(tenant_id, index_id, ref.sha256), ref.sha256, ref.size)


@dataclass
class _File:
    """A copy on disk; `opened` is its mapping as long as anybody uses that, `used` tells when it was asked for."""

    path: Path
    size: int
    opened: "ref[mmap] | None" = None
    verified: bool = False
    used: int = 0

    @property
    def is_open(self) -> bool:
        return self.opened is not None and self.opened() is not None


class Copies:
    """Parts of any tenant under one directory, which outlives the process; one event loop uses it.

    A file that somebody uses is never removed: it would free nothing. What is used may thus exceed the budget;
    `open_bytes` tells, and whoever uses it lets go of something.
    """

    def __init__(self, blobs: Blobs, directory: Path, *, budget: int) -> None:
        self._blobs = blobs
        self._directory = directory
        self._budget = budget
        self._files: dict[str, _File] | None = None
        self._opening: dict[str, asyncio.Task[bytes | mmap]] = {}
        self._clock = count(1)
        self._ranges = asyncio.Semaphore(_RANGES_AT_ONCE)
        self._few = asyncio.Semaphore(_MANY)

    @property
    def budget(self) -> int:
        return self._budget

    @property
    def disk_bytes(self) -> int:
        """The size of all copies on disk."""
        return sum(file.size for file in (self._files or {}).values())

    @property
    def open_bytes(self) -> int:
        """The size of the copies on disk that somebody uses."""
        return sum(file.size for file in (self._files or {}).values() if file.is_open)

    async def open(self, place: Place) -> bytes | mmap:
        """Return the verified bytes of a part, downloading it unless there is a copy; raises `CorruptPart`."""
        if (task := self._opening.get(place.key)) is None:
            task = self._opening[place.key] = asyncio.create_task(self._open(place))
            task.add_done_callback(lambda _: self._opening.pop(place.key, None))
        # Whoever else waits for it must not lose it when this caller is gone.
        return await asyncio.shield(task)

    async def open_all(self, places: Iterable[Place]) -> list[bytes | mmap]:
        """Open several at once. When one fails the rest is finished first, so that nothing is left under way."""
        opened = await asyncio.gather(*(self.open(place) for place in places), return_exceptions=True)
        for outcome in opened:
            if isinstance(outcome, BaseException):
                raise outcome
        return [body for body in opened if not isinstance(body, BaseException)]

    def trim(self, room: int = 0) -> None:
        """Remove copies that nobody uses, least recently used first, until the rest and `room` fit the budget."""
        files = self._files or {}
        total = self.disk_bytes + room
        for name, file in sorted(files.items(), key=lambda entry: entry[1].used):
            if total <= self._budget:
                return
            if not file.is_open:
                file.path.unlink(missing_ok=True)
                del files[name]
                total -= file.size

    async def _open(self, place: Place) -> bytes | mmap:
        if place.size <= _SMALL:
            async with self._few:
                return await self._fetched(place)
        files = self._known()
        name = _file_name(place.key)
        file = files.get(name)
        if file is not None and not file.is_open and not await asyncio.to_thread(_is_whole, file, place):
            file.path.unlink(missing_ok=True)
            del files[name]
            file = None
        if file is None:
            self.trim(place.size)
            path = await self._download(place, self._directory / name)
            file = files[name] = _File(path, place.size, verified=True)
        file.used = next(self._clock)
        body = file.opened() if file.opened is not None else None
        if body is None:
            try:
                body = _map(file.path)
            except FileNotFoundError:
                # Another process of this machine made room.
                del files[name]
                return await self._open(place)
            file.opened = ref(body)
        return body

    async def _fetched(self, place: Place) -> bytes:
        body = await self._blobs.get(place.key)
        if body is None:
            raise CorruptPart(place.key, "missing")
        if await asyncio.to_thread(lambda: hashlib.sha256(body).hexdigest()) != place.name:
            raise CorruptPart(place.key, "checksum differs")
        return body

    async def _download(self, place: Place, path: Path) -> Path:
        """Write the object to a file beside `path`, in ranges at once, and let it take that name when it is whole."""
        await asyncio.to_thread(self._directory.mkdir, parents=True, exist_ok=True)
        beside = path.with_name(f"{path.name}.{os.getpid()}.part")
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            starts = range(0, place.size, RANGE)
            results = await asyncio.gather(
                *(self._range(place, descriptor, start) for start in starts), return_exceptions=True
            )
            for result in results:
                if isinstance(result, BaseException):
                    raise result
            await asyncio.to_thread(_verify, beside, place)
            beside.rename(path)
        finally:
            os.close(descriptor)
            beside.unlink(missing_ok=True)
        return path

    async def _range(self, place: Place, descriptor: int, start: int) -> None:
        length = min(RANGE, place.size - start)
        async with self._ranges:
            body = await self._blobs.get_range(place.key, start, length)
        if body is None:
            raise CorruptPart(place.key, "missing")
        if len(body) != length:
            raise CorruptPart(place.key, "truncated")
        await asyncio.to_thread(os.pwrite, descriptor, body, start)

    def _known(self) -> dict[str, _File]:
        """Return the copies, with those that an earlier process left, oldest first, and without unfinished ones."""
        if self._files is None:
            self._files = {}
            found = [path for path in self._directory.glob("*") if path.is_file()]
            for path in sorted(found, key=lambda each: each.stat().st_mtime):
                if path.suffix == ".part":
                    if path.stat().st_mtime < time.time() - _ABANDONED_SECONDS:
                        path.unlink(missing_ok=True)
                else:
                    self._files[path.name] = _File(path, path.stat().st_size, used=next(self._clock))
        return self._files


def _file_name(key: str) -> str:
    """Return a key as one file name; a tenant's copies are its own, even of equal bytes."""
    return hashlib.sha256(key.encode()).hexdigest()


def _is_whole(file: _File, place: Place) -> bool:
    """Tell whether a copy is what it should be; one of an earlier process is read once."""
    try:
        if file.path.stat().st_size != place.size:
            return False
        if not file.verified:
            _verify(file.path, place)
            file.verified = True
    except (OSError, CorruptPart):
        return False
    return True


def _verify(path: Path, place: Place) -> None:
    with path.open("rb") as stream:
        if hashlib.file_digest(stream, "sha256").hexdigest() != place.name:
            raise CorruptPart(place.key, "checksum differs")


def _map(path: Path) -> mmap:
    with path.open("rb") as stream:
        return mmap(stream.fileno(), 0, access=ACCESS_READ)
