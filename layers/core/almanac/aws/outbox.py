"""The transactional outbox: a message is an item written in the transaction of the change that causes it.

The table's stream feeds the relay, which sends the message and removes the item; the reconciler finds what stayed.
"""

import time

from almanac.aws import keys
from almanac.aws.table import Put
from almanac.clock import iso
from almanac.events import QUEUE_OF, Event
from almanac.ids import new_ulid
from almanac.observability import trace_header

ENTITY = "outbox"


def message(event: Event) -> Put:
    """Return the write that sends `event` when the transaction holding it commits."""
    key = keys.outbox(event.tenant_id, new_ulid())
    return Put(
        {
            **key.as_dict(),
            "entity": ENTITY,
            "queue": QUEUE_OF[type(event)].value,
            "body": event.model_dump_json(),
            "trace": trace_header(),
            "gsi2pk": keys.due_outbox(),
            "gsi2sk": f"{iso(time.time())}#{key.sk}",
        }
    )
