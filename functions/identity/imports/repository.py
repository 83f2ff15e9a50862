"""Reads and writes of one tenant's imports."""

from almanac.aws import keys, outbox
from almanac.aws.table import Check, ConditionFailed, Put, Table, Update
from almanac.events import ImportTenant, ResendSources
from almanac.limits.quotas import DOCUMENT_BYTES, added
from identity.imports.errors import ImportNotFound, ImportUnderWay, TenantNotEmpty
from identity.imports.model import Import, ImportState


class ImportRepository:
    """One tenant's imports."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def create(self, created: Import) -> None:
        """Write an import down; raises `TenantNotEmpty`."""
        for partition in (keys.projects(self._tenant_id), keys.documents(self._tenant_id)):
            if (await self._table.query(partition, index=keys.CHILDREN_INDEX, limit=1)).items:
                detail = "An archive is imported into a tenant without projects and documents: create one for it."
                raise TenantNotEmpty(detail)
        await self._table.transact([Check(keys.tenant(self._tenant_id)), Put(created.to_item())])

    async def get(self, import_id: str) -> Import:
        """Return an import; raises `ImportNotFound`."""
        item = await self._table.get(keys.import_(self._tenant_id, import_id))
        if item is None or Import.from_item(item).is_over:
            raise ImportNotFound("There is no import with this id.")
        return Import.from_item(item)

    async def start(self, waiting: Import, correlation_id: str) -> None:
        """Have an import carried out whose files are uploaded; one that failed begins again. Or `ImportUnderWay`."""
        begin = Update(
            waiting.key,
            set={"state": ImportState.CHECKING.value, "position": 0, "cause": None, "counts": {}, "stored": 0},
            condition="#state IN (:waiting, :failed)",
            values={":waiting": ImportState.WAITING.value, ":failed": ImportState.FAILED.value},
        )
        try:
            given_back = added(self._tenant_id, **{DOCUMENT_BYTES: -waiting.stored})
            await self._table.transact([begin, given_back, self._step(waiting, correlation_id)])
        except ConditionFailed:
            raise ImportUnderWay("The import is under way, or done.") from None

    async def save(self, moved: Import) -> None:
        """Write down how far an import is."""
        await self._table.write(Update(moved.key, set=moved.progress()))

    async def go_on(self, moved: Import, correlation_id: str) -> None:
        """Have the rest carried out by another message."""
        await self._table.write(self._step(moved, correlation_id))

    async def finish(self, done: Import, correlation_id: str) -> None:
        """Write down that everything is in its place, and have it indexed."""
        index = outbox.message(ResendSources(tenant_id=self._tenant_id, correlation_id=correlation_id))
        await self._table.transact([Update(done.key, set=done.progress()), index])

    def _step(self, moved: Import, correlation_id: str) -> Put:
        return outbox.message(
            ImportTenant(tenant_id=self._tenant_id, correlation_id=correlation_id, import_id=moved.id)
        )
