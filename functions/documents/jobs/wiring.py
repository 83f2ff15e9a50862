"""What the job worker and the watchdog are made of in a deployed function."""

from functools import cache
from pathlib import Path
from typing import cast

from almanac import runtime
from almanac.aws.blobs import Blobs
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table
from almanac.events import Event
from almanac.settings import BucketSettings, EncryptionSettings, ScratchSettings, TableSettings
from documents.jobs.context import Context, Dependencies, Reader
from documents.jobs.files import Originals


class WorkerSettings(TableSettings, BucketSettings, EncryptionSettings, ScratchSettings):
    pass


@cache
def dependencies() -> Dependencies:
    settings = WorkerSettings.load()
    clients = runtime.clients()
    blobs = Blobs(settings.bucket, clients)
    return Dependencies(
        table=Table(settings.table, clients),
        blobs=blobs,
        secrets=Secrets(settings.key_id, clients),
        originals=Originals(blobs, Path(settings.scratch_dir), settings.scratch_bytes),
        reader=reader(),
    )


def reader() -> Reader:
    """Return what reads files."""
    from documents.reading import reader as library

    return cast("Reader", library)


def context(event: Event) -> Context:
    """Return what the work of one message needs."""
    return Context.of(dependencies(), event)
