"""What the stores of one tenant share: edits by version, listings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from almanac.active import ACTIVE, DELETING, is_active
from almanac.aws import keys
from almanac.aws.keys import Key
from almanac.aws.table import ConditionFailed, Item, Table, Update
from almanac.aws.transactions import Parts, commit
from almanac.dependencies import Dependencies
from almanac.errors import AppError, VersionConflict
from projects.model import Record

UNLISTED = ("gsi1pk", "gsi1sk")
"""Removed from an item, they take it out of its parent's listing."""

Kind = TypeVar("Kind", bound=Record)


@dataclass(frozen=True)
class Listing(Generic[Kind]):
    """One page, oldest first; `next_id` continues after that id, None at the end."""

    records: list[Kind]
    next_id: str | None


class Store:
    """One tenant's items."""

    def __init__(self, dependencies: Dependencies, tenant_id: str) -> None:
        self._table: Table = dependencies.table
        self._manifest = dependencies.manifest(tenant_id)
        self._quotas = dependencies.quotas
        self._tenant_id = tenant_id

    async def _commit(self, parts: Parts) -> None:
        """Carry out every part or none; raises `Refused` for the first that was refused, or `Busy`."""
        await commit(self._table, parts)

    async def _edit(self, key: Key, version: int, changes: Mapping[str, Any], missing: AppError) -> Item:
        """Change attributes of an active item that is still at `version`; raises `missing` or `VersionConflict`."""
        try:
            item = await self._table.write(edit(key, version, changes))
        except ConditionFailed as failed:
            if not is_active(failed.item):
                raise missing from None
            raise VersionConflict(failed.item["version"]) from None
        return item or {}

    async def _list(
        self,
        partition: str,
        kind: type[Kind],
        limit: int,
        after: Item | None,
        shown: Callable[[Item], bool] = lambda _: True,
    ) -> Listing[Kind]:
        """Return a page of what is `shown` of a listing; the item behind it tells whether there is more."""
        found: list[Item] = []
        while len(found) <= limit:
            page = await self._table.query(
                partition, index=keys.CHILDREN_INDEX, after=after, limit=limit + 1 - len(found)
            )
            found += [item for item in page.items if is_active(item) and shown(item)]
            after = page.last_key
            if after is None:
                break
        records = [kind.from_item(item) for item in found[:limit]]
        return Listing(records, records[-1].id if len(found) > limit else None)


def edit(key: Key, version: int, changes: Mapping[str, Any]) -> Update:
    """Return the change of an active item that is still at `version`; None removes an attribute."""
    return Update(
        key,
        set={**_given(changes), "version": version + 1},
        remove=[name for name, value in changes.items() if value is None],
        condition=f"{ACTIVE} AND #version = :version",
        values={**DELETING, ":version": version},
    )


def listing_start(key: Key, partition: str, last_id: str) -> Item:
    """Return where a listing goes on after an item."""
    return {**key.as_dict(), "gsi1pk": partition, "gsi1sk": last_id}


def _given(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in changes.items() if value is not None}
