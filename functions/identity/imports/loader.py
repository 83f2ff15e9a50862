"""Carrying an import out: every part is checked before the first row is written; a repeated step writes the same."""

import asyncio
from collections import Counter
from dataclasses import replace

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.clock import now
from almanac.observability import correlation_id
from almanac.worker.batch import Deadline
from identity.imports.errors import BadArchive, ImportNotFound
from identity.imports.files import Files
from identity.imports.model import Import, ImportState
from identity.imports.reading import Object, Piece, Row, read
from identity.imports.repository import ImportRepository

_RESERVE_SECONDS = 60.0
_AT_ONCE = 16


class Loader:
    """Carries one tenant's imports out."""

    def __init__(self, table: Table, blobs: Blobs, tenant_id: str) -> None:
        self._table = table
        self._blobs = blobs
        self._tenant_id = tenant_id
        self._imports = ImportRepository(table, tenant_id)
        self._files = Files(table, blobs, tenant_id)

    async def advance(self, import_id: str, deadline: Deadline) -> None:
        """Go on until everything is written or the time is up; then the next message goes on."""
        try:
            found = await self._imports.get(import_id)
        except ImportNotFound:
            return
        while found.runs:
            if deadline.remaining() < _RESERVE_SECONDS:
                await self._imports.go_on(found, correlation_id())
                return
            try:
                found = await self._step(found)
            except BadArchive as refused:
                await self.fail(import_id, str(refused))
                return

    async def fail(self, import_id: str, cause: str) -> None:
        """End an import that cannot be carried out, with its cause. It may be started again."""
        try:
            found = await self._imports.get(import_id)
        except ImportNotFound:
            return
        await self._imports.save(replace(found, state=ImportState.FAILED, cause=cause))

    async def _step(self, moved: Import) -> Import:
        """Check or write one part, or pass to what comes after the last."""
        if moved.position < len(moved.parts):
            part = moved.parts[moved.position]
            body = await self._blobs.get(keys.import_prefix(self._tenant_id, moved.id) + part.name)
            held = await asyncio.to_thread(lambda: list(read(part, body, self._tenant_id)))
            counts = await self._write(moved, held) if moved.state is ImportState.WRITING else Counter[str]()
            total = dict(Counter(moved.counts) + counts)
            moved = replace(moved, position=moved.position + 1, counts=total)
        elif moved.state is ImportState.CHECKING:
            moved = replace(moved, state=ImportState.WRITING, position=0)
        elif (joined := await self._files.join_next(moved)) is not None:
            return joined
        else:
            moved = replace(moved, state=ImportState.DONE, done_at=now())
            await self._imports.finish(moved, correlation_id())
            async for _ in self._blobs.erase(keys.import_prefix(self._tenant_id, moved.id)):
                pass
            return moved
        await self._imports.save(moved)
        return moved

    async def _write(self, moved: Import, held: list[Row | Object | Piece]) -> Counter[str]:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def put(key: str, body: bytes) -> None:
            async with slots:
                await self._blobs.put(key, body)

        # Objects first: no row of the same part names one that is not there.
        objects = [found for found in held if isinstance(found, Object)]
        await asyncio.gather(*(put(found.key, found.body) for found in objects))
        pieces = [found for found in held if isinstance(found, Piece)]
        await asyncio.gather(*(put(self._files.piece(moved.id, found), found.body) for found in pieces))
        rows = [found.item for found in held if isinstance(found, Row)]
        await self._table.batch_put(rows)
        counted = Counter(str(item["entity"]) for item in rows)
        return counted + Counter(objects=len(objects), pieces=len(pieces))
