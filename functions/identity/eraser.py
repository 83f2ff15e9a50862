"""The schedule's entry: carries erasures on whose next step is due."""

import time
from dataclasses import replace
from functools import cache
from typing import Any

from almanac import runtime
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.clock import iso, now
from almanac.observability import bind_correlation_id, emit, log, log_failure
from almanac.settings import EraserSettings
from identity.erasure.removal import Removal
from identity.erasure.repository import ErasureRepository

# No step takes longer; what is begun later than this before the end may be cut off.
_RESERVE_MS = 60_000
_CLAIM_SECONDS = 16 * 60


@cache
def settings() -> EraserSettings:
    return EraserSettings.load()


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Do one round; what is left over is there for the next."""
    del event
    bind_correlation_id(getattr(context, "aws_request_id", None))
    advanced = runtime.run(_round(lambda: context.get_remaining_time_in_millis() > _RESERVE_MS))
    emit({"ErasuresAdvanced": (advanced, "Count")}, worker="eraser")
    return {"erasures": advanced}


async def _round(has_time: Any) -> int:
    table = Table(settings().table, runtime.clients())
    erasures, removal = ErasureRepository(table), Removal(table, Blobs(settings().bucket, runtime.clients()), has_time)
    advanced = 0
    for erasure_id in await erasures.due(now()):
        claimed = await erasures.claim(await erasures.get(erasure_id), iso(time.time() + _CLAIM_SECONDS))
        if claimed is None or not has_time():
            continue
        try:
            left = await removal.advance(claimed)
        except Exception as error:  # noqa: BLE001 - another erasure is none of its concern; the claim's end brings it again
            log_failure("erasure failed", error, erasure=erasure_id)
            seen = await erasures.get(erasure_id)
            await erasures.save(replace(seen, cause=f"{type(error).__name__}: it is tried again"))
            continue
        log("info", "erasure advanced", erasure=erasure_id, state=left.state.value)
        advanced += 1
    return advanced
