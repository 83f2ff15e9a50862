"""Queue entry of the identity slice: sealing the audit log, writing archives, and what follows changes of members."""

from functools import cache
from typing import Any

from almanac.audit import sealing
from almanac.events import (
    CloseTenant,
    ExportTenant,
    IdentityWork,
    ImportTenant,
    MemberRemoved,
    SealAudit,
    TenantRenamed,
    identity_event,
)
from almanac.settings import IdentityQueueSettings
from almanac.worker.batch import Deadline, Response, Worker
from identity import wiring
from identity.erasure import closing
from identity.exports.writer import Writer
from identity.imports.loader import Loader
from identity.tenants import follow_up

CONCURRENCY = 4


async def work(message: IdentityWork, deadline: Deadline) -> None:
    """Do what one message asks for."""
    match message:
        case SealAudit():
            await sealing.seal(wiring.table(), message.tenant_id, deadline)
        case MemberRemoved():
            await follow_up.member_removed(wiring.table(), message)
        case TenantRenamed():
            await follow_up.tenant_renamed(wiring.table(), message)
        case CloseTenant():
            await closing.close(wiring.table(), message.tenant_id)
        case ExportTenant():
            await Writer(wiring.table(), wiring.blobs(), message.tenant_id).advance(message.export_id, deadline)
        case ImportTenant():
            await Loader(wiring.table(), wiring.blobs(), message.tenant_id).advance(message.import_id, deadline)


async def give_up(message: IdentityWork, code: str, cause: str) -> None:
    """Leave the cause where the tenant can see it."""
    text = f"{code}: {cause}"
    match message:
        case ExportTenant():
            await Writer(wiring.table(), wiring.blobs(), message.tenant_id).fail(message.export_id, text)
        case ImportTenant():
            await Loader(wiring.table(), wiring.blobs(), message.tenant_id).fail(message.import_id, text)
        case _:
            pass


@cache
def worker() -> Worker[IdentityWork]:
    queues = IdentityQueueSettings.load()
    return Worker(
        name="identity",
        queue_url=queues.identity_queue_url,
        dead_letter_queue_url=queues.identity_dead_letter_queue_url,
        parser=identity_event,
        handle=work,
        give_up=give_up,
        concurrency=CONCURRENCY,
    )


def handler(event: dict[str, Any], context: Any) -> Response:
    return worker().handler(event, context)
