"""Which items still count: one that is being deleted answers like one that does not exist, wherever it is met."""

from collections.abc import Mapping
from typing import Any, TypeGuard

from almanac.aws.table import Item

_STATE = "deleting"
ACTIVE = "attribute_exists(#pk) AND #state <> :deleting"
"""The condition of a write that depends on an active item; `DELETING` are its values."""
DELETING: Mapping[str, Any] = {":deleting": _STATE}


def is_active(item: Item | None) -> TypeGuard[Item]:
    """Tell whether an item is there and not being deleted."""
    return item is not None and item.get("state") != _STATE
