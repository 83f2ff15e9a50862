"""Repositories in the table beside what the index shows of them.

The search function has no git: it cannot read a blob. It compares what the sync has written down of its completed
state with the index, and what a source says of itself with its id.
"""

import asyncio
import hashlib
from collections.abc import Sequence

import numpy as np

from almanac.aws import keys
from almanac.aws.table import Item, Table
from almanac.index.manifest import Head
from almanac.index.parts import KINDS
from almanac.index.sources import Kind, SourceInfo
from search.indexes.opening import Opened
from search.quality.report import Difference

_SYNCED = "synced"


def citation_differences(info: SourceInfo) -> list[Difference]:
    """Return what a file or commit says of itself that does not go with its id."""
    cited, found = info.citation, []
    if cited.repository_id is not None and cited.repository_id != info.container_id:
        found.append(_differs(info, "repository_differs", info.container_id, cited.repository_id))
    if info.kind is Kind.COMMIT and info.source_id.rpartition(":")[2] != cited.commit:
        found.append(_differs(info, "commit_differs", info.source_id.rpartition(":")[2], cited.commit))
    # A path with a backslash may stand for other bytes, of which the id was made.
    if info.kind is Kind.CODE and cited.blob and info.path is not None and "\\" not in info.path:
        digest = hashlib.sha256(f"{info.path}\0{cited.blob}".encode()).hexdigest()[:32]
        if info.source_id.rpartition(":")[2] != digest:
            found.append(_differs(info, "path_or_blob_differs", info.source_id, f"{info.path} at {cited.blob}"))
    return found


async def differences(
    table: Table, tenant_id: str, opened: Opened, heads: Sequence[Head]
) -> tuple[int, list[Difference]]:
    """Return how many repositories stand still and were compared, and what differs."""
    items = await asyncio.gather(*(table.get(keys.repository(tenant_id, head.repository_id)) for head in heads))
    compared, found = 0, list[Difference]()
    for head, item in zip(heads, items, strict=True):
        if item is None:
            found.append(Difference(head.repository_id, "repository", "repository_gone", None, f"run {head.run}"))
        elif not _stands_still(item, head):
            continue
        else:
            found += await asyncio.to_thread(_compared, opened, head, item)
        compared += 1
    return compared, found


def _stands_still(item: Item, head: Head) -> bool:
    """Tell whether the table's and the manifest's accounts are of the same moment."""
    at_rest = item.get("state") == _SYNCED and item.get("wanted", 0) <= item.get("served", 0)
    return at_rest and not item.get("last_error") and item.get("run", 0) >= head.run


def _compared(opened: Opened, head: Head, item: Item) -> list[Difference]:
    def differs(problem: str, expected: object, found: object) -> Difference:
        project_id = item.get("project_id")
        return Difference(head.repository_id, "repository", problem, str(expected), str(found), project_id)

    found = []
    if item.get("heads", {}) != head.branches:
        found.append(differs("heads_differ", item.get("heads", {}), head.branches))
    files, commits = _counted(opened, head.repository_id)
    counts = item.get("counts", {})
    if counts.get("files", 0) != files:
        found.append(differs("files_differ", counts.get("files", 0), files))
    if counts.get("commits", 0) != commits:
        found.append(differs("commits_differ", counts.get("commits", 0), commits))
    return found


def _counted(opened: Opened, repository_id: str) -> tuple[int, int]:
    """Return how many files and commits of a repository are visible."""
    files = commits = 0
    for shown in opened.visible():
        owners = shown.part.names("owners")
        if repository_id not in owners:
            continue
        mine = shown.part.column("containers") == owners.index(repository_id)
        mine = mine if shown.documents is None else mine & shown.documents
        kinds = shown.part.column("kinds")
        files += int(np.count_nonzero(mine & (kinds == KINDS[Kind.CODE])))
        commits += int(np.count_nonzero(mine & (kinds == KINDS[Kind.COMMIT])))
    return files, commits


def _differs(info: SourceInfo, problem: str, expected: str | None, found: str | None) -> Difference:
    return Difference(info.source_id, info.kind.value, problem, expected, found, info.project_id)
