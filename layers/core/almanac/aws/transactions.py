"""Transactions of named parts, so that a refusal says which of them was refused."""

from collections.abc import Mapping, Sequence

from almanac.aws.table import ConditionFailed, Item, Table, Write
from almanac.errors import Busy, RetryableError

Parts = Mapping[str, Write | Sequence[Write]]


class Refused(Exception):
    """A transaction did not happen: its part `part` found `item` in the way, or nothing where something had to be."""

    def __init__(self, part: str, item: Item | None) -> None:
        super().__init__(f"the {part} part was refused")
        self.part = part
        self.item = item


async def commit(table: Table, parts: Parts) -> None:
    """Carry out every part or none; raises `Refused` for the first that was refused, or `Busy`."""
    named = [(name, write) for name, part in parts.items() for write in _writes(part)]
    try:
        await table.transact([write for _, write in named])
    except ConditionFailed as failed:
        raise Refused(named[failed.position][0], failed.item) from None
    except RetryableError:
        raise Busy from None


def _writes(part: Write | Sequence[Write]) -> Sequence[Write]:
    return part if isinstance(part, Sequence) else [part]
