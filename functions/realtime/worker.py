"""Queue entry: what happened, in order, to be told to who follows it."""

from functools import cache
from typing import Any

from almanac.events import Happened, realtime_event
from almanac.settings import RealtimeQueueSettings
from almanac.worker.batch import Deadline, Response, Worker
from realtime import wiring


async def work(event: Happened, _deadline: Deadline) -> None:
    """Tell one event."""
    await wiring.teller().tell(event)


async def give_up(event: Happened, _code: str, _cause: str) -> None:
    """Leave nobody waiting for an event that is not sent any more."""
    await wiring.teller().give_up(event)


@cache
def worker() -> Worker[Happened]:
    queues = RealtimeQueueSettings.load()
    return Worker(
        name="realtime",
        queue_url=queues.realtime_queue_url,
        dead_letter_queue_url=queues.realtime_dead_letter_queue_url,
        parser=realtime_event,
        handle=work,
        give_up=give_up,
        concurrency=10,
        ordered=True,
    )


def handler(event: dict[str, Any], context: Any) -> Response:
    return worker().handler(event, context)
