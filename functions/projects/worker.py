"""Queue entry of the projects slice: what the index tells and asks for, and deletes."""

from functools import cache
from typing import Any

from almanac.dependencies import Dependencies
from almanac.events import (
    DeleteCheckpoint,
    DeleteMessage,
    DeleteProject,
    DeleteRepository,
    MessageOrigin,
    ProjectsWork,
    PurgeSecret,
    ResendSources,
    SourcesFailed,
    SourcesIndexed,
    projects_event,
)
from almanac.settings import ProjectsQueueSettings
from almanac.worker.batch import Deadline, Response, Worker
from projects import wiring
from projects.services import cascades, indexing, resending

CONCURRENCY = 4


async def work(message: ProjectsWork, deadline: Deadline) -> None:
    """Do what one message asks for."""
    dependencies = wiring.worker_dependencies()
    match message:
        case SourcesIndexed() | SourcesFailed():
            await show(dependencies, message)
        case DeleteProject():
            await cascades.delete_project(dependencies, message, deadline)
        case DeleteRepository():
            await cascades.delete_repository(dependencies, message, deadline)
        case DeleteCheckpoint():
            await cascades.delete_checkpoint(dependencies, message, deadline)
        case DeleteMessage():
            blobs, tenant_id = dependencies.blobs, message.tenant_id
            await indexing.remove_version(blobs, tenant_id, message.message_id, message.version)
        case ResendSources():
            await resending.resend(dependencies, message, deadline)
        case PurgeSecret():
            await wiring.purging(message.tenant_id).purge(message)


async def show(dependencies: Dependencies, message: SourcesIndexed | SourcesFailed) -> None:
    """Tell the owner of sources how they fared in the index."""
    if isinstance(message.origin, MessageOrigin):
        if isinstance(message, SourcesIndexed):
            await indexing.message_indexed(dependencies, message, message.origin)
        else:
            await indexing.message_failed(dependencies, message, message.origin)
        return
    from projects.sync import completion

    if isinstance(message, SourcesIndexed):
        await completion.batch_indexed(dependencies, message)
    else:
        await completion.batch_failed(dependencies, message)


@cache
def worker() -> Worker[ProjectsWork]:
    queues = ProjectsQueueSettings.load()
    return Worker(
        name="projects",
        queue_url=queues.projects_queue_url,
        dead_letter_queue_url=queues.projects_dead_letter_queue_url,
        parser=projects_event,
        handle=work,
        concurrency=CONCURRENCY,
    )


def handler(event: dict[str, Any], context: Any) -> Response:
    return worker().handler(event, context)
