"""Counting again what a tenant has: mends what a lost addition left, and what was there before anything was counted.

Writing the index keeps its counts by adding; merging it leaves less behind than was added. So each merge and each daily
sweep count it again from the manifest. An addition between the reading and the writing is lost until the next recount.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from almanac.aws import keys
from almanac.aws.table import ConditionFailed, Item, Table, Update
from almanac.clock import now
from almanac.errors import Unavailable
from almanac.limits.quotas import RECOUNTED, Quota

if TYPE_CHECKING:
    from almanac.index.manifest import ManifestState

_ATTEMPTS = 5
_AT_ONCE = 16
_EXACT = (Quota.PROJECTS, Quota.REPOSITORIES)


class CountChanged(Unavailable):
    """Projects or repositories kept being created and deleted while they were counted."""

    code = "count_changed"


async def index(table: Table, tenant_id: str, state: "ManifestState") -> None:
    """Write down how many chunks and bytes a manifest names."""
    serving = state.directory.serving.id if state.directory.indexes else ""
    chunks = sum(entry.rows for entry in state.segments(serving).values())
    size = 0
    for index_id in state.log.keys() | state.snapshots.keys():
        size += sum(entry.size for entry in state.segments(index_id).values())
        for snapshot in state.snapshots.get(index_id, {}).values():
            current = [snapshot.current] if snapshot.current else []
            size += sum(part.size for part in (*current, *snapshot.history))
            chunks += sum(part.rows for part in current) if index_id == serving else 0
    counted = {Quota.CHUNKS.value: chunks, Quota.STORAGE.value: size, RECOUNTED: now()}
    await table.write(Update(keys.usage(tenant_id), set={"entity": "usage", **counted}, condition=""))


async def containers(table: Table, tenant_id: str) -> Item:
    """Count projects and repositories again; returns the usage item. Raises `CountChanged`.

    They are listed by an index that lags behind the table for a moment: what was created in the last second may be
    missed, unless the counters moved meanwhile, in which case they are counted once more.
    """
    for _ in range(_ATTEMPTS):
        before = await table.get(keys.usage(tenant_id)) or {}
        projects = [item["id"] async for item in _listed(table, keys.projects(tenant_id))]
        repositories = await _repositories(table, tenant_id, projects)
        conditions, seen = [], {}
        for quota in _EXACT:
            if quota.value in before:
                conditions.append(f"#{quota.value} = :{quota.value}")
                seen[f":{quota.value}"] = before[quota.value]
            else:
                conditions.append(f"attribute_not_exists(#{quota.value})")
        counted = {Quota.PROJECTS.value: len(projects), Quota.REPOSITORIES.value: repositories, RECOUNTED: now()}
        write = Update(
            keys.usage(tenant_id),
            set={"entity": "usage", **counted},
            condition=" AND ".join(conditions),
            values=seen,
        )
        try:
            return await table.write(write) or {}
        except ConditionFailed:
            continue
    raise CountChanged("Projects and repositories are being created or deleted: try again in a moment.")


async def _repositories(table: Table, tenant_id: str, projects: list[str]) -> int:
    slots = asyncio.Semaphore(_AT_ONCE)

    async def one(project_id: str) -> int:
        async with slots:
            return len([item async for item in _listed(table, keys.repositories(tenant_id, project_id))])

    return sum(await asyncio.gather(*(one(project_id) for project_id in projects)))


async def _listed(table: Table, partition: str) -> AsyncIterator[Item]:
    """Iterate over what a listing shows; what is being deleted was taken out of it."""
    async for item in table.query_all(partition, index=keys.CHILDREN_INDEX):
        yield item
