"""Writing an archive, part by part: a step that is cut off is repeated and writes the same part again.

What the tenant has is found as for an erasure, by the keys of the whole table, so that nothing can be forgotten; the
rows themselves are read with the tenant's own rights.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from almanac import tenancy
from almanac.aws import keys
from almanac.aws.blobs import TRANSIENT, Blobs
from almanac.aws.keys import Key
from almanac.aws.table import Item, Table
from almanac.clock import now
from almanac.observability import correlation_id
from almanac.worker.batch import Deadline
from identity.exports import archive
from identity.exports.documents import DocumentObjects, standing
from identity.exports.entities import EXPORTED
from identity.exports.errors import ExportNotFound
from identity.exports.model import Export, ExportState
from identity.exports.repository import ExportRepository

_RESERVE_SECONDS = 60.0
_AT_ONCE = 16


class Writer:
    """Writes one tenant's archives."""

    def __init__(self, table: Table, blobs: Blobs, tenant_id: str) -> None:
        self._table = table
        self._blobs = blobs
        self._tenant_id = tenant_id
        self._exports = ExportRepository(table, tenant_id)
        self._shelf = DocumentObjects(table, blobs, tenant_id)

    async def advance(self, export_id: str, deadline: Deadline) -> None:
        """Write parts until the archive is whole or the time is up; then the next message goes on."""
        try:
            export = await self._exports.get(export_id)
            while export.state is ExportState.RUNNING:
                if deadline.remaining() < _RESERVE_SECONDS:
                    await self._exports.go_on(export, correlation_id())
                    return
                export = await (self._rows(export) if export.after is None else self._documents(export))
                await self._exports.save(export)
        except ExportNotFound:
            return

    async def fail(self, export_id: str, cause: str) -> None:
        """End an export that cannot be written, with its cause."""
        try:
            export = await self._exports.get(export_id)
            await self._exports.save(replace(export, state=ExportState.FAILED, cause=cause, done_at=now()))
        except ExportNotFound:
            return

    async def _rows(self, export: Export) -> Export:
        """Write what one page of the table holds of the tenant as a part."""
        with tenancy.working_for(None):
            page = await self._table.find(self._tenant_id, export.cursor)
        wanted = [Key(item["pk"], item["sk"]) for item in page.items if self._is_own(item)]
        found = await self._standing(await self._table.batch_get(wanted, consistent=True))
        rows = sorted(found, key=lambda item: (item["pk"], item["sk"]))
        lines = [archive.row_line(row, self._tenant_id) for row in rows]
        objects = await self._objects([key for row in rows for key in archive.objects_of(row)])
        counts = Counter(str(row["entity"]) for row in rows) + Counter(objects=len(objects))
        export = await self._written(export, [*lines, *objects], counts)
        return replace(export, cursor=page.last_key, after="" if page.last_key is None else None)

    async def _documents(self, export: Export) -> Export:
        """Write some of what the bucket holds of documents as a part; the archive is whole after the last of it."""
        found = await self._shelf.read(export.after or "", export.pieces)
        export = await self._written(export, found.lines, Counter(found.counts), files=True)
        export = replace(export, after=found.after, pieces=found.pieces)
        if not found.is_last:
            return export
        export = replace(export, state=ExportState.READY, done_at=now())
        await self._put(export, "manifest.json", archive.manifest(export))
        return export

    async def _written(self, export: Export, lines: list[str], counts: Counter[str], *, files: bool = False) -> Export:
        if not lines:
            return export
        part, body = await asyncio.to_thread(archive.pack, lines, len(export.parts) + 1, files=files)
        await self._put(export, part.name, body)
        return replace(export, parts=[*export.parts, part], counts=dict(Counter(export.counts) + counts))

    async def _standing(self, rows: Sequence[Item]) -> list[Item]:
        """Leave out what is left of documents that are being deleted."""
        owners = {owner for row in rows if (owner := keys.document_of(row["pk"]))}
        stand = await standing(self._table, self._tenant_id, owners)
        return [row for row in rows if (owner := keys.document_of(row["pk"])) is None or owner in stand]

    async def _objects(self, names: list[str]) -> list[str]:
        slots = asyncio.Semaphore(_AT_ONCE)

        async def line(name: str) -> str | None:
            async with slots:
                body = await self._blobs.get(name)
            return None if body is None else archive.object_line(name, body, self._tenant_id)

        found = await asyncio.gather(*(line(name) for name in sorted(set(names))))
        return [each for each in found if each is not None]

    async def _put(self, export: Export, name: str, body: bytes) -> None:
        await self._blobs.put(keys.export_prefix(self._tenant_id, export.id) + name, body, tags=TRANSIENT)

    def _is_own(self, item: Item) -> bool:
        return item["pk"].split("#")[:2] == ["TENANT", self._tenant_id] and item.get("entity") in EXPORTED
