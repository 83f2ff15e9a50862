"""Queue entry of the search slice: batches of sources become searchable."""

from functools import cache
from typing import Any

from almanac import runtime
from almanac.events import IndexSources, embedding_event
from almanac.settings import EmbeddingQueueSettings
from almanac.worker.batch import Response, Worker
from search import indexing

CONCURRENCY = 4
"""Messages in hand at once: while one is embedded, others wait for the store."""


@cache
def worker() -> Worker[IndexSources]:
    queues = EmbeddingQueueSettings.load()
    return Worker(
        name="embedding",
        queue_url=queues.embedding_queue_url,
        dead_letter_queue_url=queues.embedding_dead_letter_queue_url,
        parser=embedding_event,
        handle=indexing.index,
        give_up=indexing.give_up,
        concurrency=CONCURRENCY,
    )


def handler(event: dict[str, Any], context: Any) -> Response:
    runtime.loop()
    return worker().handler(event, context)
