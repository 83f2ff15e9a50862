"""What keeps indexes in shape: when a log is to be merged, and a schedule of sweeps that is read without a scan."""

import time

from almanac import tenancy
from almanac.aws import keys, outbox
from almanac.aws.keys import Key
from almanac.aws.table import ConditionFailed, Item, Put, Table, Update
from almanac.clock import iso
from almanac.events import SweepIndex
from almanac.index.manifest import ManifestState, SegmentEntry
from almanac.observability import correlation_id

LONG_LOG = 32
MANY_TOMBSTONES = 16
SWEEP_SECONDS = 86_400
_SMALL_LOG_ROWS = 2_000
_ROWS_PER_LENGTH = 100_000
ENTITY = "index_upkeep"
_PAGE = 100
_MOST = 1_000


def is_overdue(state: ManifestState, index_id: str, shard: int, *, adding: SegmentEntry | None = None) -> bool:
    """Tell whether a shard's log is too long, too large, or waits with too many tombstones.

    A merge writes the whole snapshot again, so a large one is merged with a longer log: the work for each row that is
    added grows with the square root of an index at most, and a reader opens few parts in proportion to its rows.
    """
    snapshot, log = state.snapshot(index_id, shard), state.segments(index_id, shard)
    if adding is not None:
        log[adding.sha256] = adding
    if not log and snapshot is None:
        return False
    held = snapshot.current.rows if snapshot and snapshot.current else 0
    rows = sum(entry.rows for entry in log.values())
    unknown = state.tombstones.keys() - set(snapshot.folded if snapshot else ())
    return (
        len(log) >= LONG_LOG * (1 + held // _ROWS_PER_LENGTH)
        or rows > max(_SMALL_LOG_ROWS, held // 4)
        or len(unknown) >= MANY_TOMBSTONES
    )


def is_stale(state: ManifestState, index_id: str, shard: int) -> bool:
    """Tell whether a shard still holds what was erased or dropped since its last merge."""
    snapshot = state.snapshot(index_id, shard)
    if snapshot is None:
        return bool(state.segments(index_id, shard)) and bool(state.tombstones or state.drops)
    return bool(state.tombstones.keys() - set(snapshot.folded)) or snapshot.drops != state.drops_digest


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
            with tenancy.working_for(keys.tenant_of(item["pk"])):
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
