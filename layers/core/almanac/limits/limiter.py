"""Rate limits in the table: a call is spent with one conditional write and no read.

An item holds the counters of a tenant and of those who act in it, so that one write spends of both or of none. The
environment remembers the last image of each item: what that says is spent stays spent until its window is over, so a
refusal costs no write until the bucket holds a call again.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from almanac.aws.keys import Key
from almanac.aws.table import ConditionFailed, Item, Table, Update
from almanac.limits.windows import Bucket, Level, forgettable
from almanac.observability import emit, log

ENTITY = "limits"
REVISION = "revision"
"""Counts the operator's changes of an item's limits; absent before the first."""
_SECONDS = 2.0
"""How long a call waits for its limit at most. A limit that cannot be looked up does not hold anybody up."""
_UNLIMITED_MILLISECONDS = 60_000
"""How long it is believed that an item lifts all limits: no write then tells that they are back."""
_MOST_REMEMBERED = 2_000
_FORGOTTEN_PER_WRITE = 10
_ATTEMPTS = 3


@dataclass(frozen=True)
class Shelf:
    """An item and what a call spends of it. `lifetime` is how long, in seconds, it is kept after the last call.

    `buckets` are made of the item's own limits, an empty mapping where it has none.
    """

    key: Key
    buckets: Callable[[Mapping[str, Any]], Sequence[Bucket]]
    lifetime: int | None = None


@dataclass(frozen=True)
class Standing:
    """How a call fared: `wait` is 0 when it was admitted, else the milliseconds until it may come again."""

    at: int
    levels: tuple[Level, ...] = ()
    wait: int = 0


@dataclass
class Limiter:
    """Spends calls. One per environment: what it remembers saves writes.

    `_paid` are the counters in which a call was counted that was then refused: the next one is not counted again.
    """

    table: Table
    clock: Callable[[], float] = time.time
    _images: OrderedDict[Key, tuple[int, Item]] = field(default_factory=OrderedDict)
    _paid: dict[Key, list[str]] = field(default_factory=dict)

    async def spend(self, shelf: Shelf) -> Standing:
        """Take a call out of each bucket of an item, or out of none.

        A store that does not answer admits everybody: the route behind it needs the same store, and a limit that fails
        must not be what takes the API down. The metric `RateLimitsOpen` counts those calls.
        """
        # Opening the client is not the store's answer: a cold start would count as a failure.
        await self.table.prepare()
        try:
            async with asyncio.timeout(_SECONDS):
                return await self._spend(shelf)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is not to blame
            log("warning", "rate limit not looked up", error=type(error).__name__)
            emit({"RateLimitsOpen": (1, "Count")})
            return Standing(self._now())

    async def _spend(self, shelf: Shelf) -> Standing:
        for _ in range(_ATTEMPTS):
            at = self._now()
            seen, known = self._images.get(shelf.key, (at, {}))
            buckets = shelf.buckets(known)
            if not buckets and known and at - seen > _UNLIMITED_MILLISECONDS:
                known = {}
                buckets = shelf.buckets(known)
            if not buckets:
                return Standing(at)
            levels = [bucket.level(known, at) for bucket in buckets]
            counters = [bucket.counter(at) for bucket in buckets]
            paid = self._paid.get(shelf.key) == counters
            if any(_before(level, paid=paid).wait(at) for level in levels):
                return _standing(levels, at)
            if paid:
                del self._paid[shelf.key]
                return Standing(at, tuple(levels))
            item, written = await self._write(shelf, known, buckets, levels, at)
            self._remember(shelf.key, at, item)
            # Somebody may have set other limits since: then nothing was spent, and the next attempt knows them.
            if item.get(REVISION) == known.get(REVISION):
                standing = _standing([bucket.level(item, at) for bucket in buckets], at, spent=written)
                if written and standing.wait:
                    self._paid[shelf.key] = counters
                return standing
        return Standing(self._now())

    async def _write(
        self, shelf: Shelf, known: Item, buckets: Sequence[Bucket], levels: Sequence[Level], at: int
    ) -> tuple[Item, bool]:
        """Count the call unless a counter is at its most by now; returns the item as it stands, and whether it was."""
        counters = [bucket.counter(at) for bucket in buckets]
        conditions = [f"#{REVISION} = :revision" if REVISION in known else f"attribute_not_exists(#{REVISION})"]
        conditions += [f"(attribute_not_exists(#{name}) OR #{name} < :{name})" for name in counters]
        values = {f":{name}": level.most(at) for name, level in zip(counters, levels, strict=True)}
        longest = max(bucket.policy.window for bucket in buckets)
        expires = {"expires_at": at // 1000 + shelf.lifetime} if shelf.lifetime else {}
        spend = Update(
            shelf.key,
            set={"entity": ENTITY, **expires},
            remove=forgettable(known, at - 2 * longest, _FORGOTTEN_PER_WRITE),
            add=dict.fromkeys(counters, 1),
            condition=" AND ".join(conditions),
            values=values | ({":revision": known[REVISION]} if REVISION in known else {}),
        )
        try:
            return await self.table.write(spend) or {}, True
        except ConditionFailed as failed:
            return failed.item or {}, False

    def _remember(self, key: Key, at: int, item: Item) -> None:
        self._images[key] = at, item
        self._images.move_to_end(key)
        if len(self._images) > _MOST_REMEMBERED:
            forgotten, _ = self._images.popitem(last=False)
            self._paid.pop(forgotten, None)

    def _now(self) -> int:
        return int(self.clock() * 1000)


def _before(level: Level, *, paid: bool) -> Level:
    """Return a level as it was before the call, if that is counted already."""
    return replace(level, current=level.current - 1) if paid else level


def _standing(levels: Sequence[Level], at: int, *, spent: bool = False) -> Standing:
    """Judge by levels as they are before a call, or after it was `spent`.

    A call may be spent and refused: the write knew the current window's counter only, its answer knows the one before.
    """
    if spent:
        over = [level for level in levels if level.left(at) < 0]
        wait = max((level.wait(at) for level in over), default=0)
    else:
        wait = max([1, *(level.wait(at) for level in levels)])
    return Standing(at, tuple(levels), wait)
