"""Reads and writes of one tenant's exports."""

from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs
from almanac.aws.table import ConditionFailed, Delete, Put, Table, Update
from almanac.events import ExportTenant
from identity.exports.errors import ExportNotFound, ExportUnderWay
from identity.exports.model import Export, ExportState


class ExportRepository:
    """One tenant's exports: few, since each is kept for days only."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def begin(self, export: Export, correlation_id: str) -> None:
        """Write an export and have it carried out; raises `ExportUnderWay`."""
        for known in await self.list():
            if known.state is ExportState.RUNNING:
                raise ExportUnderWay(f"{known.id} is under way: wait for it, or delete it.")
        await self._table.transact([Put(export.to_item()), self._step(export, correlation_id)])

    async def list(self) -> "list[Export]":
        """Return the exports that are kept, newest first."""
        found = [Export.from_item(item) async for item in self._table.query_all(keys.exports(self._tenant_id))]
        return [export for export in reversed(found) if not export.is_over]

    async def get(self, export_id: str) -> Export:
        """Return an export; raises `ExportNotFound`."""
        item = await self._table.get(keys.export(self._tenant_id, export_id))
        if item is None or Export.from_item(item).is_over:
            raise ExportNotFound("There is no export with this id; exports are kept for seven days.")
        return Export.from_item(item)

    async def save(self, export: Export) -> None:
        """Write down how far an export is, unless it was deleted meanwhile."""
        try:
            await self._table.write(Update(export.key, set=export.progress()))
        except ConditionFailed:
            raise ExportNotFound("The export was deleted meanwhile.") from None

    async def go_on(self, export: Export, correlation_id: str) -> None:
        """Have the rest of an export written by another message."""
        await self._table.write(self._step(export, correlation_id))

    async def delete(self, export: Export, blobs: Blobs) -> None:
        """Remove an export and what it wrote."""
        await self._table.write(Delete(export.key))
        async for _ in blobs.erase(keys.export_prefix(self._tenant_id, export.id)):
            pass

    def _step(self, export: Export, correlation_id: str) -> Put:
        event = ExportTenant(tenant_id=self._tenant_id, correlation_id=correlation_id, export_id=export.id)
        return outbox.message(event)
