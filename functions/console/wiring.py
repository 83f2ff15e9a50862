"""What this function's routes share: its settings, its health checks, and the merged API document."""

import json
from functools import cache
from pathlib import Path

from almanac import runtime
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.events import Queue
from almanac.settings import BucketSettings, PublicUrlSettings, RelaySettings
from console.service import Health, checks, opening

_DOCUMENT = Path(__file__).parent / "openapi.json"


class ConsoleSettings(RelaySettings, BucketSettings, PublicUrlSettings):
    """What the console looks at."""


@cache
def settings() -> ConsoleSettings:
    return ConsoleSettings.load()


@cache
def health() -> Health:
    clients = runtime.clients()
    queue_urls = {queue.value: settings().queue_url(queue) for queue in Queue}
    table, blobs = Table(settings().table, clients), Blobs(settings().bucket, clients)
    return Health(checks(table, blobs, clients, queue_urls), prepare=opening(clients))


@cache
def document() -> bytes:
    """Return the merged OpenAPI document, with this stack's address as its server."""
    merged = json.loads(_DOCUMENT.read_bytes())
    if settings().public_url:
        merged["servers"] = [{"url": settings().public_url}]
    return json.dumps(merged, separators=(",", ":"), ensure_ascii=False).encode()
