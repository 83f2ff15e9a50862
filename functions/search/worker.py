"""Queue entry of the search slice: batches of sources become searchable, and indexes are built from one another."""

from functools import cache
from typing import Any

from almanac.events import BuildIndex, EmbeddingWork, EmbedStatements, IndexSources, embedding_event
from almanac.settings import EmbeddingQueueSettings
from almanac.worker.batch import Deadline, Response, Worker
from search import indexing

CONCURRENCY = 4
"""Messages in hand at once: while one is embedded, others wait for the store."""


async def work(message: EmbeddingWork, deadline: Deadline) -> None:
    """Do what one message asks for."""
    match message:
        case IndexSources():
            await indexing.index(message, deadline)
        case EmbedStatements():
            from search import statements

            await statements.embed(message, deadline)
        case BuildIndex():
            from search.indexes.build import run

            await run(message, deadline)


async def give_up(message: EmbeddingWork, code: str, cause: str) -> None:
    """Tell the owner of sources that they will not be searchable; a build waits for whoever reads its dead letter.

    Statements without vectors are compared by their words, and the answer says so: nobody waits for these.
    """
    if isinstance(message, IndexSources):
        await indexing.give_up(message, code, cause)


@cache
def worker() -> Worker[EmbeddingWork]:
    queues = EmbeddingQueueSettings.load()
    return Worker(
        name="embedding",
        queue_url=queues.embedding_queue_url,
        dead_letter_queue_url=queues.embedding_dead_letter_queue_url,
        parser=embedding_event,
        handle=work,
        give_up=give_up,
        concurrency=CONCURRENCY,
    )


def handler(event: dict[str, Any], context: Any) -> Response:
    return worker().handler(event, context)
