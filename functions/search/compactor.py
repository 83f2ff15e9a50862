"""Queue entry of the index's upkeep: compaction, sweeps and repairs."""

from functools import cache
from typing import Any

from almanac.events import IndexWork, index_event
from almanac.settings import IndexQueueSettings
from almanac.worker.batch import Response, Worker
from search import upkeep


@cache
def worker() -> Worker[IndexWork]:
    queues = IndexQueueSettings.load()
    return Worker(
        name="index",
        queue_url=queues.index_queue_url,
        dead_letter_queue_url=queues.index_dead_letter_queue_url,
        parser=index_event,
        handle=upkeep.work,
    )


def handler(event: dict[str, Any], context: Any) -> Response:
    return worker().handler(event, context)
