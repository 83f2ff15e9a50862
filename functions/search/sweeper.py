"""The schedule's entry: asks for a sweep of each tenant's indexes, once a day."""

from functools import cache
from typing import Any

from almanac import runtime
from almanac.aws.table import Table
from almanac.index import upkeep
from almanac.observability import bind_correlation_id, emit, log
from almanac.settings import TableSettings


@cache
def settings() -> TableSettings:
    return TableSettings.load()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Do one round; what is left over is there for the next."""
    del event
    bind_correlation_id(getattr(context, "aws_request_id", None))
    queued = runtime.run(upkeep.queue_due(Table(settings().table, runtime.clients())))
    log("info", "sweeps asked for", tenants=queued)
    emit({"SweepsQueued": (queued, "Count")}, worker="sweeper")
    return {"tenants": queued}
