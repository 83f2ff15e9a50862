"""The schedule's entry: finds what a lost delivery or a dead worker left behind, and sends it on its way again."""

import asyncio
import time
from functools import cache
from typing import Any

from almanac import runtime, tenancy
from almanac.aws import keys, outbox
from almanac.aws.keys import Key
from almanac.aws.table import ConditionFailed, Item, Table, Update
from almanac.clock import iso
from almanac.errors import RetryableError
from almanac.events import DeleteRepository, Event, SealAudit, SyncRepository
from almanac.observability import bind_correlation_id, emit, log, log_failure
from almanac.settings import RelaySettings
from projects.model import RepositoryState
from projects.sync.records import FIRST_CHECK_SECONDS

OUTBOX_AGE_SECONDS = 60
_PAGE = 100
_MAX_REPOSITORIES = 500
_MAX_MESSAGES = 1_000
_AT_ONCE = 8


@cache
def settings() -> RelaySettings:
    return RelaySettings.load()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Do one round; what is left over is there for the next."""
    del event
    bind_correlation_id(getattr(context, "aws_request_id", None))
    return runtime.run(reconcile(Table(settings().table, runtime.clients())))


async def reconcile(table: Table) -> dict[str, int]:
    """Queue the repositories that are due, send what stayed in the outbox, and end what audit entries wait for."""
    checked = await queue_due(table)
    relayed = await send_stale(table)
    logs = await seal_overdue(table)
    log("info", "reconciled", repositories=checked, messages=relayed, audit_logs=logs)
    emit({"Reconciled": (checked, "Count"), "OutboxRepaired": (relayed, "Count")}, worker="reconciler")
    return {"repositories": checked, "messages": relayed, "audit_logs": logs}


async def queue_due(table: Table) -> int:
    """Ask for a sync of each repository whose next check is due; of one being deleted, for its delete to go on."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(found: Item) -> bool:
        async with slots:
            with tenancy.working_for(keys.tenant_of(found["pk"])):
                return await _queue(table, found)

    queued = 0
    until = iso(time.time())
    for _ in range(_MAX_REPOSITORIES // _PAGE):
        page = await table.query(keys.due_repositories(), index=keys.DUE_INDEX, until=until, limit=_PAGE)
        done = await asyncio.gather(*(one(item) for item in page.items))
        queued += sum(done)
        if page.last_key is None:
            break
    return queued


async def _queue(table: Table, found: Item) -> bool:
    """Queue one repository and move its next check away, unless somebody did so first."""
    key = Key(found["pk"], found["sk"])
    item = await table.get(key)
    if item is None or item.get("gsi2sk") != found["gsi2sk"]:
        return False
    later = iso(time.time() + FIRST_CHECK_SECONDS)
    event = _event(item)
    changes = {"gsi2sk": later} | ({"next_check_at": later} if isinstance(event, SyncRepository) else {})
    moved = Update(key, set=changes, condition="#gsi2sk = :seen", values={":seen": found["gsi2sk"]})
    try:
        await table.transact([moved, outbox.message(event)])
    except ConditionFailed:
        return False
    return True


def _event(item: Item) -> Event:
    common = {
        "tenant_id": keys.tenant_of(item["pk"]),
        "correlation_id": bind_correlation_id(None),
        "repository_id": item["id"],
    }
    if item["state"] == RepositoryState.DELETING.value:
        return DeleteRepository(**common)
    return SyncRepository(**common, reason="reconcile")


async def send_stale(table: Table) -> int:
    """Send the messages that the relay should have sent a while ago."""
    sent = 0
    until = iso(time.time() - OUTBOX_AGE_SECONDS)
    while sent < _MAX_MESSAGES:
        page = await table.query(keys.due_outbox(), index=keys.DUE_INDEX, until=until, limit=_PAGE)
        stale = [Key(item["pk"], item["sk"]) for item in page.items]
        items = await _read(table, stale)
        try:
            sent += await outbox.deliver(items, table, runtime.clients(), settings().queue_url)
        except RetryableError as error:
            log_failure("messages stayed in the outbox", error)
            break
        if page.last_key is None or not items:
            break
    return sent


async def _read(table: Table, stale: list[Key]) -> list[Item]:
    """Read the items of several tenants, each under its own credentials."""
    items: list[Item] = []
    for tenant_id, members in outbox.by_tenant(stale):
        with tenancy.working_for(tenant_id):
            items += await table.batch_get(members, consistent=True)
    return items


async def seal_overdue(table: Table) -> int:
    """Ask for the sealing of audit entries whose calls died: no later call may come that would. Counts tenants."""
    page = await table.query(keys.due_audit(), index=keys.DUE_INDEX, until=iso(time.time()), limit=_MAX_MESSAGES)
    tenants = sorted({keys.tenant_of(item["pk"]) for item in page.items})
    for tenant_id in tenants:
        with tenancy.working_for(tenant_id):
            await table.write(outbox.message(SealAudit(tenant_id=tenant_id, correlation_id=bind_correlation_id(None))))
    return len(tenants)
