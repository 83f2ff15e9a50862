"""Copies of uploaded files on the function's own disk: the parts of one file do not each download it."""

import asyncio
import atexit
import hashlib
import os
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from almanac.aws.blobs import Blobs

_READ_BYTES = 1 << 20


@dataclass
class _Copy:
    path: Path
    size: int
    users: int = 0


@dataclass
class Originals:
    """Keeps the copies that were used last, within `limit` bytes beside the one that is asked for."""

    blobs: Blobs
    directory: Path
    limit: int
    _copies: OrderedDict[tuple[str, str], _Copy] = field(default_factory=OrderedDict)
    _downloading: dict[tuple[str, str], asyncio.Lock] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Of this process alone: another one would remove what is in use here.
        self.directory = self.directory / str(os.getpid())
        atexit.register(shutil.rmtree, self.directory, ignore_errors=True)

    @asynccontextmanager
    async def open(self, key: str, version_id: str = "") -> AsyncIterator[Path | None]:
        """Hold a copy of an object of the bucket, or of that version of it; None when there is none."""
        copy = await self._copy((key, version_id))
        if copy is None:
            yield None
            return
        copy.users += 1
        try:
            yield copy.path
        finally:
            copy.users -= 1
            await self._make_room()

    async def _copy(self, name: tuple[str, str]) -> _Copy | None:
        async with self._downloading.setdefault(name, asyncio.Lock()):
            if (known := self._copies.get(name)) is not None and known.path.exists():
                self._copies.move_to_end(name)
                return known
            path = self.directory / hashlib.sha256("\n".join(name).encode()).hexdigest()
            await asyncio.to_thread(self.directory.mkdir, parents=True, exist_ok=True, mode=0o700)
            if not await self.blobs.find_file(name[0], str(path), name[1]):
                return None
            copy = self._copies[name] = _Copy(path, path.stat().st_size)
            return copy

    async def _make_room(self) -> None:
        held = sum(copy.size for copy in self._copies.values())
        for name, copy in list(self._copies.items()):
            if held <= self.limit:
                return
            if not copy.users:
                held -= copy.size
                del self._copies[name]
                self._downloading.pop(name, None)
                await asyncio.to_thread(copy.path.unlink, missing_ok=True)


async def sha256_of(path: Path) -> str:
    """Return the hex digest of a file."""
    return await asyncio.to_thread(_digest, path)


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
