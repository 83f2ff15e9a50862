"""What can be asked of a tenant's audit log."""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from almanac.audit import chain
from almanac.audit.chain import Break, Checked, Fault, Line, Link
from almanac.audit.log import AuditLog
from almanac.audit.trail import Result
from almanac.clock import iso
from identity.audit.errors import LogDamaged

_VERIFY = "/api/v1/audit/verify"
_TEXTS = ("id", "at", "sealed_at", "action", "method", "correlation_id", "result", "hash")
_READ_AT_ONCE = 100
_READ_AT_MOST = 1000
# How far the clocks of two environments may be apart.
_SKEW = timedelta(minutes=5)


@dataclass(frozen=True)
class Wanted:
    """Which entries are asked for; what is None is not looked at."""

    actor: str | None = None
    action: str | None = None
    resource: str | None = None
    result: Result | None = None
    since: datetime | None = None
    until: datetime | None = None

    def takes(self, line: Line) -> bool:
        """Tell whether an entry is wanted."""
        return (
            self.actor in {None, line["actor"]["id"]}
            and self.action in {None, line["action"]}
            and (self.resource is None or self.resource in _ids(line))
            and self.result in {None, line["result"]}
            and (self.since is None or line["at"] >= _text(self.since))
            and (self.until is None or line["at"] <= _text(self.until))
        )

    def is_past(self, line: Line) -> bool:
        """Tell whether every older entry is too old: what is sealed before a time began before it."""
        return self.since is not None and line["sealed_at"] < _text(self.since - _SKEW)


@dataclass(frozen=True)
class Found:
    """Some entries, the newest first; `before` continues the search, None when there is nothing further."""

    lines: list[Line]
    before: int | None


async def find(log: AuditLog, wanted: Wanted, limit: int, before: int | None) -> Found:
    """Return the newest wanted entries before a number. It reads so many at most: then the page is short.

    Raises `LogDamaged`.
    """
    found: list[Line] = []
    for _ in range(_READ_AT_MOST // _READ_AT_ONCE):
        lines = await log.before(before, _READ_AT_ONCE)
        for line in lines:
            _must_be_readable(line, before)
            if wanted.is_past(line):
                return Found(await log.with_sources(found), None)
            before = line["seq"]
            found += [line] if wanted.takes(line) else []
            if len(found) == limit:
                return Found(await log.with_sources(found), before if before > 1 else None)
        if len(lines) < _READ_AT_ONCE:
            return Found(await log.with_sources(found), None)
    return Found(await log.with_sources(found), before)


@dataclass(frozen=True)
class Verified:
    """What a check of some entries found. `goes_on` tells whether there are further ones."""

    checked: Checked
    head: Link
    goes_on: bool


async def verify(log: AuditLog, tenant_id: str, after: int, limit: int) -> Verified:
    """Compute the chain again from the entry after `after`, and compare its end with the head.

    The head is read before and after: between the two others may seal.
    """
    head = await log.head()
    begin = await log.link(after)
    if begin is None:
        gone = Break(after, Fault.MISSING, f"there is no entry {after}")
        return Verified(Checked(Link(after, chain.BEFORE_FIRST), broken=gone), head, goes_on=False)
    lines = await log.after(after, limit)
    # In a thread: a thousand hashes would hold the loop.
    checked = await asyncio.to_thread(chain.check, await log.with_sources(lines), tenant_id, begin)
    if checked.broken or len(lines) == limit:
        return Verified(checked, head, goes_on=checked.broken is None and checked.last.seq != head.seq)
    return Verified(_at_the_end(checked, head, await log.head()), head, goes_on=False)


def _at_the_end(checked: Checked, before: Link, now: Link) -> Checked:
    """Hold the end of the log against the head as it was before the log was read, and as it was afterwards."""
    last = checked.last
    if last.seq < before.seq:
        broken = Break(last.seq + 1, Fault.CUT_OFF, f"entries up to {before.seq} were sealed")
    elif last.seq > now.seq:
        broken = Break(now.seq + 1, Fault.BEYOND_HEAD, f"entries up to {now.seq} were sealed")
    elif last.seq == now.seq and last.hash != now.hash:
        broken = Break(last.seq, Fault.CHANGED, "the entry is not the one that was sealed last")
    else:
        return checked
    return replace(checked, broken=broken)


def _must_be_readable(line: Line, before: int | None) -> None:
    """Raise `LogDamaged` for what sealing never wrote."""
    parts = [line.get("actor"), line.get("resource"), line.get("facts", {})]
    texts = [line.get(name) for name in _TEXTS]
    texts += [text for part in parts if isinstance(part, dict) for text in part.values()]
    whole = (
        isinstance(line.get("seq"), int)
        and all(isinstance(part, dict) for part in parts)
        and all(isinstance(text, str) for text in texts)
        and line["result"] in set(Result)
        and "id" in line["actor"]
    )
    if not whole:
        place = f"before {before}" if before else "at the end"
        raise LogDamaged(f"The log holds what is no entry, {place}: `GET {_VERIFY}` says more.")


def _ids(line: Line) -> set[str]:
    return {*line["resource"].values(), *line.get("facts", {}).values()}


def _text(moment: datetime) -> str:
    return iso(moment.timestamp())
