"""Writing the log ahead of what it tells of: no change without an entry, whatever dies in between.

    open (`started`)  ->  the call runs  ->  its result, and a message that asks for sealing, in one transaction

Each call writes an item of its own, so callers never wait for one another. One that was left open is sealed as
`unknown` after `GRACE_SECONDS`, which no call outlives.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from almanac.access import Principal
from almanac.audit.chain import source_hash
from almanac.aws import keys, outbox
from almanac.aws.table import Item, Put, Table, Update, Write
from almanac.clock import iso
from almanac.events import SealAudit
from almanac.ids import new_ulid
from almanac.observability import correlation_id

GRACE_SECONDS = 900
OPERATOR = "operator"
_SALT_BYTES = 16
_LONGEST_TEXT = 200


class Result(StrEnum):
    """What became of a call. `STARTED` is never sealed; `UNKNOWN` is a call whose end nobody saw."""

    STARTED = "started"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Call:
    """Who wants to do what to which resource, from where. Ids only: no names, bodies, secrets or tokens."""

    tenant_id: str
    actor: Mapping[str, str]
    action: str
    method: str
    resource: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """How a call ended: the HTTP status, the code of its problem, what it made, and what else its route noted."""

    status: int
    code: str | None = None
    created: str | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def result(self) -> Result:
        if self.status >= 500:
            return Result.FAILED
        return Result.REFUSED if self.status >= 400 else Result.SUCCEEDED


@dataclass(frozen=True)
class Opened:
    """An entry that waits for its result."""

    tenant_id: str
    id: str


def actor_of(principal: Principal) -> dict[str, str]:
    """Return who calls, as entries say it."""
    given = {
        "id": principal.actor_id,
        "role": principal.role,
        "key_id": principal.key_id,
        "session_id": principal.session_id,
    }
    return {name: str(value) for name, value in given.items() if value}


async def begin(table: Table, call: Call) -> Opened:
    """Write an entry ahead of the call that it tells of."""
    item = _open_item(call, time.time(), new_ulid())
    await table.write(Put(item))
    return Opened(call.tenant_id, item["sk"])


async def finish(table: Table, opened: Opened, outcome: Outcome) -> None:
    """Give an entry its result and ask for its sealing; raises `ConditionFailed` when it was sealed without one."""
    given = {
        "result": outcome.result.value,
        "status": outcome.status,
        "code": outcome.code,
        "created": outcome.created,
        "facts": dict(outcome.facts) or None,
    }
    await table.transact(
        [
            Update(
                keys.audit_open(opened.tenant_id, opened.id),
                set=given,
                remove=("gsi2pk", "gsi2sk"),
                condition="#result = :started",
                values={":started": Result.STARTED.value},
            ),
            _sealing(opened.tenant_id),
        ]
    )


def by_operator(tenant_id: str, action: str, **resource: str) -> Call:
    """Return what an operator does, who calls with AWS credentials: CloudTrail knows whose, and from where."""
    return Call(tenant_id, {"id": OPERATOR}, action, "INVOKE", resource)


def with_change(call: Call, status: int, **facts: str) -> list[Write]:
    """Return the writes of an entry that is made in the transaction of the change itself.

    For what happens where no call could be announced before: a tenant's creation, a person who joins.
    """
    item = _open_item(call, time.time(), new_ulid())
    del item["gsi2pk"], item["gsi2sk"]
    ended = {"result": Outcome(status).result.value, "status": status, "facts": facts or None}
    return [Put(item | ended), _sealing(call.tenant_id)]


def _sealing(tenant_id: str) -> Put:
    return outbox.message(SealAudit(tenant_id=tenant_id, correlation_id=correlation_id()))


def _open_item(call: Call, now: float, entry_id: str) -> Item:
    # The salt keeps an address from being found by trying them all against `source_sha256` after its erasure.
    source = {"salt": os.urandom(_SALT_BYTES).hex()} | {name: printable(text) for name, text in call.source.items()}
    return {
        **keys.audit_open(call.tenant_id, entry_id).as_dict(),
        "entity": "audit_open",
        "tenant_id": call.tenant_id,
        "id": entry_id,
        "at": iso(now),
        "actor": dict(call.actor),
        "action": call.action,
        "method": call.method,
        "resource": dict(call.resource),
        "correlation_id": correlation_id(),
        "source": source,
        "source_sha256": source_hash(source),
        "result": Result.STARTED.value,
        # What stays open is found by the reconciler.
        "gsi2pk": keys.due_audit(),
        "gsi2sk": f"{iso(now + GRACE_SECONDS)}#{entry_id}",
    }


def printable(text: Any) -> str:
    """Return what a caller sent about itself, short and in printable ASCII."""
    return "".join(c if " " <= c <= "~" else "?" for c in str(text)[:_LONGEST_TEXT])
