"""Which tenants have an index, and when each is swept next: a schedule that is read without a scan."""

import time

from almanac.aws import keys, outbox
from almanac.aws.keys import Key
from almanac.aws.table import ConditionFailed, Item, Put, Table, Update
from almanac.clock import iso
from almanac.events import SweepIndex
from almanac.observability import correlation_id

SWEEP_SECONDS = 86_400
ENTITY = "index_upkeep"
_PAGE = 100
_MOST = 1_000


def schedule(tenant_id: str) -> Put:
    """Put a tenant on the schedule, a day from now; repeated, it only puts the sweep off."""
    due = {"gsi2pk": keys.due_indexes(), "gsi2sk": iso(time.time() + SWEEP_SECONDS)}
    return Put({**keys.index_upkeep(tenant_id).as_dict(), "entity": ENTITY, **due}, overwrite=True)


async def queue_due(table: Table) -> int:
    """Ask for a sweep of each tenant's indexes whose time has come; returns how many. The rest is for the next call."""
    queued = 0
    until = iso(time.time())
    for _ in range(_MOST // _PAGE):
        page = await table.query(keys.due_indexes(), index=keys.DUE_INDEX, until=until, limit=_PAGE)
        for item in page.items:
            queued += await _queue(table, item)
        if page.last_key is None:
            break
    return queued


async def _queue(table: Table, found: Item) -> int:
    """Ask for one sweep and move the next a day away, unless somebody did so first."""
    later = {"gsi2sk": iso(time.time() + SWEEP_SECONDS)}
    seen = {":seen": found["gsi2sk"]}
    moved = Update(Key(found["pk"], found["sk"]), set=later, condition="#gsi2sk = :seen", values=seen)
    sweep = SweepIndex(tenant_id=keys.tenant_of(found["pk"]), correlation_id=correlation_id())
    try:
        await table.transact([moved, outbox.message(sweep)])
    except ConditionFailed:
        return 0
    return 1
