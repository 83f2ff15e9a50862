"""The transactional outbox: a message is an item written in the transaction of the change that causes it.

The table's stream feeds the relay, which sends the message and removes the item; the reconciler finds what stayed.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import Any

from almanac import tenancy
from almanac.aws import keys
from almanac.aws.clients import Clients
from almanac.aws.table import Item, Put, Table
from almanac.clock import iso
from almanac.errors import RetryableError
from almanac.events import Event, Queue, queue_of
from almanac.ids import new_ulid
from almanac.observability import trace_header

ENTITY = "outbox"
_SEND_LIMIT = 10
_TENANTS_AT_ONCE = 8


def message(event: Event) -> Put:
    """Return the write that sends `event` when the transaction holding it commits."""
    key = keys.outbox(event.tenant_id, new_ulid())
    return Put(
        {
            **key.as_dict(),
            "entity": ENTITY,
            "queue": queue_of(event).value,
            "body": event.model_dump_json(),
            "trace": trace_header(),
            "gsi2pk": keys.due_outbox(),
            "gsi2sk": f"{iso(time.time())}#{key.sk}",
        }
    )


async def deliver(items: Sequence[Item], table: Table, clients: Clients, queue_url: Callable[[Queue], str]) -> int:
    """Send outbox items to their queues, then remove them; returns how many were sent.

    An item that was sent and not yet removed is sent again: every consumer is idempotent. Raises `RetryableError` when
    a queue refused some; those stay in the outbox.
    """
    sqs = await clients.get("sqs")
    refused = 0
    sent: list[keys.Key] = []
    for queue, members in groupby(sorted(items, key=_queue_of), key=_queue_of):
        for chunk in _chunks(members, _SEND_LIMIT):
            entries = [_entry(position, item) for position, item in enumerate(chunk)]
            answer = await sqs.send_message_batch(QueueUrl=queue_url(Queue(queue)), Entries=entries)
            positions = [int(entry["Id"]) for entry in answer.get("Successful", [])]
            sent += [keys.Key(chunk[position]["pk"], chunk[position]["sk"]) for position in positions]
            refused += len(chunk) - len(positions)
    await _remove(table, sent)
    if refused:
        raise RetryableError(f"{refused} messages were refused by their queue")
    return len(sent)


async def _remove(table: Table, sent: Iterable[keys.Key]) -> None:
    """Remove what was sent, under the credentials of each tenant."""
    slots = asyncio.Semaphore(_TENANTS_AT_ONCE)

    async def one(tenant_id: str, members: list[keys.Key]) -> None:
        async with slots:
            with tenancy.working_for(tenant_id):
                await table.batch_delete(members)

    await asyncio.gather(*(one(tenant_id, members) for tenant_id, members in by_tenant(sent)))


def by_tenant(found: Iterable[keys.Key]) -> list[tuple[str, list[keys.Key]]]:
    """Return the keys of each tenant together, for work that is done tenant after tenant."""
    groups: dict[str, list[keys.Key]] = {}
    for key in found:
        groups.setdefault(keys.tenant_of(key.pk), []).append(key)
    return list(groups.items())


def _queue_of(item: Item) -> str:
    return str(item["queue"])


def _entry(position: int, item: Item) -> dict[str, Any]:
    # The queue is a fair one by this name: who has sent much waits behind who has sent little.
    group = {"MessageGroupId": keys.tenant_of(item["pk"])}
    entry: dict[str, Any] = {"Id": str(position), "MessageBody": item["body"], **group}
    if item["queue"] == Queue.REALTIME.value:
        # A first-in-first-out queue: what was sent twice within five minutes arrives once.
        entry["MessageDeduplicationId"] = item["sk"]
    if item.get("trace"):
        entry["MessageSystemAttributes"] = {"AWSTraceHeader": {"DataType": "String", "StringValue": item["trace"]}}
    return entry


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
