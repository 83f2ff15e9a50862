"""Comparing an index with the sources themselves: for when the serving index cannot be read, and so nothing with it.

Of an index that was filled from the sources it can be told whether everything was sent again since it was begun:
a repository's run makes itself the floor when all of it is in, and each message, like each page that search shows of a
document, is in the index or awaited.
"""

import asyncio
from collections.abc import AsyncIterator

from almanac.aws import keys
from almanac.aws.table import Table
from almanac.events import DocumentOrigin
from almanac.index.manifest import ManifestState
from search.indexes.builds import Build
from search.indexes.opening import Difference, Opened


async def difference(table: Table, tenant_id: str, build: Build, other: Opened) -> Difference:
    """Return how many repositories, messages and pages there are, and how many of them the index cannot have yet.

    What should not be there cannot be told without the serving index; both obey the same facts, so there is nothing.
    """
    state = other.state
    expected, late = _repositories(state, build)
    awaited = {entry.source_id for entry in state.awaiting.values()}
    names = [name async for name in _messages(table, tenant_id, state)]
    names += [name async for name in _pages(table, tenant_id, state)]
    missing = await asyncio.to_thread(
        lambda: [name for name in names if name not in awaited and other.find(name) is None]
    )
    return Difference(expected + len(names), late + len(missing), 0)


def _repositories(state: ManifestState, build: Build) -> tuple[int, int]:
    """Return how many repositories the index shows, and of how many not all was sent since the build began."""
    heads = list(state.standing.values())
    return len(heads), sum(head.floor <= build.runs.get(head.repository_id, 0) for head in heads)


async def _messages(table: Table, tenant_id: str, state: ManifestState) -> AsyncIterator[str]:
    """Iterate over the source ids of all messages, by the guards in the checkpoints' partitions: they are small."""
    async for project in table.query_all(keys.projects(tenant_id), index=keys.CHILDREN_INDEX):
        first = keys.project_checkpoint(tenant_id, project["id"], "")
        async for link in table.query_all(first.pk, prefix=first.sk):
            checkpoint_id = link["sk"].removeprefix(first.sk)
            if {project["id"], checkpoint_id} & state.drops:
                continue
            guards = keys.message_hash(tenant_id, checkpoint_id, "")
            async for guard in table.query_all(guards.pk, prefix=guards.sk):
                yield f"message:{guard['message_id']}"


async def _pages(table: Table, tenant_id: str, state: ManifestState) -> AsyncIterator[str]:
    """Iterate over the source ids of the pages that search shows of documents, but for what is on its way."""
    origins = (entry.origin for entry in state.awaiting.values())
    waiting = {origin.document_id for origin in origins if isinstance(origin, DocumentOrigin)}
    async for item in table.query_all(keys.documents(tenant_id), index=keys.CHILDREN_INDEX):
        owners = {item["id"], item.get("project_id", ""), item.get("collection_id", "")}
        if item["id"] in waiting or owners & state.drops:
            continue
        for number in range(1, item.get("shown_pages", 0) + 1):
            yield f"document:{item['id']}:{number:06d}"
