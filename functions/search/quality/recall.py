"""Recall of live queries: some are searched again exhaustively, and what both found is counted.

Per tenant, the figures are in the table, one item per day and index. The metric has no dimension for the tenant: each
would be a metric of its own, which CloudWatch bills at $0.30 a month. The log line beside it names the tenant.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from almanac.aws import keys
from almanac.aws.table import Table, Update
from almanac.observability import correlation_id, emit, log, log_failure

if TYPE_CHECKING:
    from almanac.index.retrieval import Hit

DEPTH = 10
_LIFETIME_SECONDS = 400 * 24 * 3600
_SCALE = 1 << 64


@dataclass(frozen=True)
class Day:
    """What was measured on one day of one index: of `expected` best hits, `found` were in the answers."""

    day: str
    index_id: str
    queries: int
    expected: int
    found: int


@dataclass(frozen=True)
class Recall:
    """Measures a share `rate` of all searches, 0 to 1."""

    table: Table
    rate: float

    def chooses(self, name: str) -> bool:
        """Tell whether the search of this name is measured: the same name always or never."""
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8).digest()
        return int.from_bytes(digest, "big") < self.rate * _SCALE

    async def sampled(
        self, tenant_id: str, index_id: str, answered: "Sequence[Hit]", again: "Callable[[int], Sequence[Hit]]"
    ) -> None:
        """Compare a first page with an exhaustive search of the same state, `again(limit)`, if the search is chosen.

        Awaited before the answer leaves, since an environment may be frozen after it. It never fails the answer.
        """
        # The time is part of the name, so that nobody who repeats a correlation id has each of the searches measured.
        if self.rate <= 0 or not self.chooses(f"{correlation_id()} {time.time_ns()}"):
            return
        try:
            depth = min(DEPTH, len(answered)) or DEPTH
            truth = await asyncio.to_thread(again, depth)
            expected = {hit.info.source_id for hit in truth[:depth]}
            found = expected & {hit.info.source_id for hit in answered[:depth]}
            if expected:
                await self._count(tenant_id, index_id, len(expected), len(found))
        except Exception as error:  # noqa: BLE001 - the caller has an answer, whatever becomes of its measurement
            log_failure("recall not measured", error, tenant=tenant_id)

    async def _count(self, tenant_id: str, index_id: str, expected: int, found: int) -> None:
        emit({"SearchRecall": (100 * found / expected, "Percent")})
        log("info", "recall measured", tenant=tenant_id, index=index_id, expected=expected, found=found)
        today = datetime.now(UTC).date().isoformat()
        kept = {"entity": "search_quality", "day": today, "index_id": index_id}
        counted = Update(
            keys.quality_day(tenant_id, today, index_id),
            set={**kept, "expires_at": int(time.time()) + _LIFETIME_SECONDS},
            add={"queries": 1, "expected": expected, "found": found},
            condition="",
        )
        await self.table.write(counted)


async def days(table: Table, tenant_id: str, count: int) -> list[Day]:
    """Return what was measured in the last `count` days, newest first."""
    since = (datetime.now(UTC).date() - timedelta(days=count - 1)).isoformat()
    found: list[Day] = []
    after = None
    while True:
        page = await table.query(keys.quality(tenant_id), prefix=keys.quality_days(), after=after, newest_first=True)
        for item in page.items:
            if item["day"] < since:
                return found
            found.append(Day(item["day"], item["index_id"], item["queries"], item["expected"], item["found"]))
        if page.last_key is None:
            return found
        after = page.last_key
