"""What the compactor does with one message."""

from almanac.events import CompactIndex, IndexWork, RepairPart, SweepIndex
from almanac.observability import log
from almanac.worker.batch import Deadline


async def work(message: IndexWork, deadline: Deadline) -> None:
    """Do what one message asks for."""
    match message:
        case CompactIndex() | SweepIndex() | RepairPart():
            log("info", "left for later", kind=message.kind, seconds=round(deadline.remaining()))
