"""The schedule's entry: no job stays where it is. What fell silent is sent on its way, what took too long is ended."""

import asyncio
import time
from functools import cache
from typing import Any

from almanac import runtime, tenancy
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Item, Table
from almanac.clock import iso
from almanac.observability import bind_correlation_id, emit, log, log_failure
from almanac.settings import BucketSettings, TableSettings
from documents.jobs.overdue import Overdue

_PAGE = 100
_MOST = 1_000
_AT_ONCE = 8


class WatchdogSettings(TableSettings, BucketSettings):
    pass


@cache
def settings() -> WatchdogSettings:
    return WatchdogSettings.load()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Do one round; what is left over is there for the next."""
    del event
    bind_correlation_id(getattr(context, "aws_request_id", None))
    clients = runtime.clients()
    return runtime.run(watch(Table(settings().table, clients), Blobs(settings().bucket, clients)))


async def watch(table: Table, blobs: Blobs) -> dict[str, int]:
    """Look at every document that is due; one that cannot be helped keeps none of the others waiting."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(found: Item) -> bool:
        tenant_id = keys.tenant_of(found["pk"])
        async with slots:
            with tenancy.working_for(tenant_id):
                try:
                    return await Overdue(table, blobs, tenant_id).look(keys.Key(found["pk"], found["sk"]))
                except Exception as error:  # noqa: BLE001 - it is due in the next round too
                    log_failure("document could not be looked at", error, tenant_id=tenant_id)
                    return False

    seen, until, after = 0, iso(time.time()), None
    helped = failed = 0
    while seen < _MOST:
        page = await table.query(keys.due_documents(), index=keys.DUE_INDEX, until=until, after=after, limit=_PAGE)
        done = await asyncio.gather(*(one(item) for item in page.items))
        seen, helped, failed = seen + len(done), helped + sum(done), failed + done.count(False)
        after = page.last_key
        if after is None:
            break
    log("info", "documents looked at", documents=seen, helped=helped)
    emit({"DocumentsOverdue": (seen, "Count")}, worker="documents-watchdog")
    return {"documents": seen, "helped": helped}
