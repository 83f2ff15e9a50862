"""Sealing: open entries become numbered, chained ones. One logical writer per tenant, whoever carries it out.

A block is one transaction: the sealed entries (which must not exist), the open ones away (which must be as they were
read), and the head on (which must be where the block begins). So of any number of workers one wins a block, the others
look again, and a crash leaves either all of it or nothing.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator
from typing import Any

from almanac.audit.chain import FORMAT, Link, entry_hash
from almanac.audit.trail import GRACE_SECONDS, Result
from almanac.aws import keys
from almanac.aws.keys import Key
from almanac.aws.table import ConditionFailed, Delete, Item, Put, Table, Update, Write
from almanac.clock import iso
from almanac.errors import RetryableError
from almanac.observability import emit, log
from almanac.worker.batch import Deadline

BLOCK = 30
"""Three writes for each entry and one for the head stay under the hundred of a transaction."""
_RESERVE_SECONDS = 10
_ATTEMPTS = 8
_READ_AT_ONCE = 500
_MEMBERS = (
    *("tenant_id", "id", "at", "actor", "action", "method", "resource"),
    *("correlation_id", "source_sha256", "result", "status", "code", "facts"),
)


async def seal(table: Table, tenant_id: str, deadline: Deadline) -> int:
    """Seal the tenant's open entries that have a result, or never will; returns how many this worker sealed."""
    sealed = lost = 0
    while block := await _next_block(table, tenant_id):
        if deadline.remaining() < _RESERVE_SECONDS:
            raise RetryableError("no time was left to seal the rest in")
        try:
            sealed += await _seal_block(table, tenant_id, block)
        except ConditionFailed:
            # Another worker was first, or a late result came in.
            lost += 1
            if lost == _ATTEMPTS:
                raise RetryableError("other workers kept sealing the same log") from None
            await asyncio.sleep(random.uniform(0, 0.02) * 2**lost)  # noqa: S311 - no secret
    if sealed:
        emit({"AuditSealed": (sealed, "Count")}, worker="identity")
    return sealed


async def _next_block(table: Table, tenant_id: str) -> list[Item]:
    """Return the oldest open entries that can be sealed now."""
    until = iso(time.time() - GRACE_SECONDS)
    block = []
    async for item in _open(table, tenant_id):
        if item["result"] != Result.STARTED or item["at"] < until:
            block.append(item)
        if len(block) == BLOCK:
            break
    return block


async def _open(table: Table, tenant_id: str) -> AsyncIterator[Item]:
    after: Item | None = None
    while True:
        page = await table.query(keys.audit_opens(tenant_id), after=after, limit=_READ_AT_ONCE)
        for item in page.items:
            yield item
        if page.last_key is None:
            return
        after = page.last_key


async def _seal_block(table: Table, tenant_id: str, block: list[Item]) -> int:
    head = await table.get(keys.audit_head(tenant_id))
    link = Link(head["seq"], head["hash"]) if head else Link()
    # Never back: a reader may stop at what was sealed before the time that it asks for.
    sealed_at = max(iso(time.time()), head["sealed_at"] if head else "")
    writes: list[Write] = []
    for item in block:
        line = _line(item, link, sealed_at)
        link = Link(line["seq"], line["hash"])
        key = keys.audit_entry(tenant_id, link.seq)
        source = keys.audit_source(tenant_id, line["actor"]["id"], link.seq)
        writes += [
            Put({**key.as_dict(), "entity": "audit_entry", **line}),
            Put({**source.as_dict(), "entity": "audit_source", "source": item["source"]}),
            Delete(Key(item["pk"], item["sk"]), condition="#result = :seen", values={":seen": item["result"]}),
        ]
    await table.transact([_moved(tenant_id, head, link, sealed_at), *writes])
    # A witness that the table's writers cannot reach: the function's own log.
    log("info", "audit sealed", tenant_id=tenant_id, seq=link.seq, hash=link.hash, entries=len(block))
    return len(block)


def _moved(tenant_id: str, head: Item | None, link: Link, sealed_at: str) -> Write:
    key = keys.audit_head(tenant_id)
    values = {"seq": link.seq, "hash": link.hash, "sealed_at": sealed_at}
    if head is None:
        return Put({**key.as_dict(), "entity": "audit_head", **values})
    return Update(
        key,
        set=values,
        condition="#seq = :seq AND #hash = :hash",
        values={":seq": head["seq"], ":hash": head["hash"]},
    )


def _line(item: Item, before: Link, sealed_at: str) -> dict[str, Any]:
    """Return the sealed entry that follows `before`."""
    line = {name: item[name] for name in _MEMBERS if item.get(name) is not None}
    line |= {"v": FORMAT, "seq": before.seq + 1, "prev": before.hash, "sealed_at": sealed_at}
    if line["result"] == Result.STARTED:
        line["result"] = Result.UNKNOWN.value
    if item.get("created") is not None:
        line["resource"] = {**line["resource"], "created": item["created"]}
    return line | {"hash": entry_hash(line)}
