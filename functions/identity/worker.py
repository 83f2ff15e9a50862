"""Queue entry of the identity slice: sealing the audit log."""

from functools import cache
from typing import Any

from almanac.events import IdentityWork, SealAudit, identity_event
from almanac.observability import log
from almanac.settings import IdentityQueueSettings
from almanac.worker.batch import Deadline, Response, Worker

CONCURRENCY = 4


async def work(message: IdentityWork, deadline: Deadline) -> None:  # noqa: ARG001
    """Do what one message asks for."""
    match message:
        case SealAudit():
            log("info", "nothing to seal", tenant_id=message.tenant_id)


@cache
def worker() -> Worker[IdentityWork]:
    queues = IdentityQueueSettings.load()
    return Worker(
        name="identity",
        queue_url=queues.identity_queue_url,
        dead_letter_queue_url=queues.identity_dead_letter_queue_url,
        parser=identity_event,
        handle=work,
        concurrency=CONCURRENCY,
    )


def handler(event: dict[str, Any], context: Any) -> Response:
    return worker().handler(event, context)
