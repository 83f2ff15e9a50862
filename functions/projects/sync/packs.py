"""Where a repository's packs live: S3, with a copy on the disk of each environment that works on it.

A pack is written before anything refers to it and never changes, so a killed worker leaves at most one that nobody
needs. Packs are removed only after one that holds their objects is complete.
"""

import asyncio
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.observability import log
from projects.sync import failures
from projects.sync.objects import PARTS, Objects

MAX_PACK_BYTES = 1 << 30
CACHE_BYTES = 3 << 29
"""Beside it, the disk of 4 GB holds a pack twice while it is taken in."""
MAX_PACKS = 12
_SMALL_BYTES = 32 << 20
_TRANSFERS = 8


class Packs:
    """The packs of one repository, in S3 and under `root`, the environment's cache of all repositories."""

    def __init__(self, blobs: Blobs, tenant_id: str, repository_id: str, root: Path) -> None:
        self._blobs = blobs
        self._prefix = keys.pack_prefix(tenant_id, repository_id)
        self._root = root
        self._directory = root / tenant_id / repository_id
        self._slots = asyncio.Semaphore(_TRANSFERS)

    async def open(self) -> Objects:
        """Return the repository's objects with the local copy brought up to date."""
        stored = {key.removeprefix(self._prefix) async for key in self._blobs.list(self._prefix)}
        names = {name.removesuffix(".idx") for name in stored if name.endswith(".idx")}
        await asyncio.to_thread(self._forget_others, {f"{name}{part}" for name in names for part in PARTS})
        missing = [name for name in sorted(names) if not (self._directory / "pack" / f"{name}.idx").exists()]
        await self._download_all(missing)
        await asyncio.to_thread(make_room, self._root, self._directory, CACHE_BYTES)
        return await asyncio.to_thread(Objects, self._directory)

    async def save(self, name: str) -> None:
        """Upload a pack that was taken in; its index last, which makes it count."""
        for part in PARTS:
            await self._blobs.put_file(f"{self._prefix}{name}{part}", str(self._directory / "pack" / f"{name}{part}"))

    async def tidy(self, objects: Objects) -> int:
        """Merge the small packs when there are many; returns how many were merged."""
        names = objects.names()
        if len(names) <= MAX_PACKS:
            return 0
        small = [name for name in names if (objects.packs / f"{name}.pack").stat().st_size < _SMALL_BYTES]
        if len(small) < 2:
            return 0
        merged = await asyncio.to_thread(objects.merge, small)
        await self.save(merged)
        old = [name for name in small if name != merged]
        await self._blobs.delete(f"{self._prefix}{name}{part}" for part in reversed(PARTS) for name in old)
        await asyncio.to_thread(objects.drop, old)
        log("info", "merged packs", packs=len(small))
        return len(small)

    async def _download_all(self, names: Iterable[str]) -> None:
        """Download packs; when one fails, none is left to be written behind the back of the next sync."""
        tasks = [asyncio.create_task(self._download(name)) for name in names]
        try:
            await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _download(self, name: str) -> None:
        async with self._slots:
            for part in PARTS:
                target = self._directory / "pack" / f"{name}{part}"
                partial = target.with_name(f"{target.name}.partial")
                await self._blobs.get_file(f"{self._prefix}{name}{part}", str(partial))
                partial.rename(target)

    def _forget_others(self, known: Iterable[str]) -> None:
        """Remove what is on disk and not in S3: a killed worker left it, and nothing may build on it."""
        packs = self._directory / "pack"
        packs.mkdir(parents=True, exist_ok=True)
        wanted = set(known)
        for path in packs.iterdir():
            if path.name not in wanted:
                path.unlink()
        self._directory.touch()


def cache_root(base: Path) -> Path:
    """Return this process's directory under `base`, and remove what processes that are gone left in theirs."""
    own = base / str(os.getpid())
    own.mkdir(parents=True, exist_ok=True)
    for path in base.iterdir():
        if path != own and not (path.name.isdigit() and Path("/proc", path.name).exists()):
            shutil.rmtree(path, ignore_errors=True)
    return own


def forget(root: Path, tenant_id: str, repository_id: str) -> None:
    """Remove the local copy of a repository; blocks."""
    shutil.rmtree(root / tenant_id / repository_id, ignore_errors=True)


def make_room(root: Path, keep: Path, budget: int) -> None:
    """Delete other repositories' copies, least recently used first, until all fit the budget; blocks.

    Raises `SyncFailed` when `keep` alone does not fit.
    """
    sizes = {path: _size(path) for path in root.glob("*/*")}
    if sizes.get(keep, 0) > budget:
        raise failures.too_large("The repository", f"{budget >> 20} MB")
    total = sum(sizes.values())
    for path in sorted(sizes, key=lambda path: path.stat().st_mtime):
        if total <= budget:
            return
        if path != keep:
            shutil.rmtree(path, ignore_errors=True)
            total -= sizes[path]


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
