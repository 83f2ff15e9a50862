"""Queue entry of git sync: repositories to bring up to date, and what hosts say of them."""

import tempfile
import time
from functools import cache
from pathlib import Path
from typing import Any

from almanac import runtime
from almanac.aws.blobs import Blobs
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table
from almanac.events import RepositoryChanged, SyncRepository, sync_event
from almanac.limits.quotas import Quotas
from almanac.settings import (
    BucketSettings,
    EmbeddingSettings,
    EncryptionSettings,
    GitSettings,
    QuotaSettings,
    SyncQueueSettings,
    TableSettings,
)
from almanac.worker.batch import Deadline, Response, Worker
from projects.sync import changes, run
from projects.sync.dependencies import SyncDependencies
from projects.sync.packs import cache_root


class SyncSettings(TableSettings, BucketSettings, EncryptionSettings, EmbeddingSettings, GitSettings):
    pass


@cache
def dependencies() -> SyncDependencies:
    settings, clients = SyncSettings.load(), runtime.clients()
    return SyncDependencies(
        table=Table(settings.table, clients),
        blobs=Blobs(settings.bucket, clients),
        secrets=Secrets(settings.key_id, clients),
        allow_private_hosts=settings.allow_private_hosts,
        quotas=Quotas.configured(QuotaSettings.load()),
        cache=cache_root(Path(tempfile.gettempdir()) / "almanac-git"),
        clock=time.time,
    )


async def work(message: SyncRepository | RepositoryChanged, deadline: Deadline) -> None:
    """Do what one message asks for."""
    match message:
        case SyncRepository():
            await run.sync(dependencies(), message, deadline)
        case RepositoryChanged():
            allow_private = dependencies().allow_private_hosts
            await changes.apply(dependencies().table, message, allow_private_hosts=allow_private)


async def give_up(message: SyncRepository | RepositoryChanged, code: str, cause: str) -> None:
    """Show that a sync failed for a reason of ours; the cause itself is in the log and the dead-letter queue."""
    del cause
    if isinstance(message, SyncRepository):
        await run.give_up(dependencies(), message, code)


@cache
def worker() -> Worker[SyncRepository | RepositoryChanged]:
    queues = SyncQueueSettings.load()
    return Worker(
        name="sync",
        queue_url=queues.sync_queue_url,
        dead_letter_queue_url=queues.sync_dead_letter_queue_url,
        parser=sync_event,
        handle=work,
        give_up=give_up,
    )


def handler(event: dict[str, Any], context: Any) -> Response:
    return worker().handler(event, context)
