"""Entry of the functions that hold shards of large indexes. Only the search function invokes them."""

from functools import cache
from typing import TYPE_CHECKING, Any

from almanac import runtime
from almanac.observability import bind_correlation_id
from search import wiring

if TYPE_CHECKING:
    from almanac.index.holding import Holding


@cache
def holding() -> "Holding":
    """Return what the environment holds, beside the reader that tells of damaged parts."""
    from almanac.index.holding import Holding

    return Holding(wiring.reader().bodies, wiring.blobs(), wiring.copies(), budget=wiring.settings().copy_memory_bytes)


def handler(event: dict[str, Any], _: Any) -> dict[str, str]:
    from almanac.index.remote import serve

    bind_correlation_id(event.get("correlation_id"))
    return {"message": runtime.run(serve(event["message"], holding().view))}
