"""The sweep: removes the objects of a tenant's indexes that no manifest names any more.

It never removes one that is named, or is about to be:

1. It lists versions first and reads the manifest after that. What the manifest names then, stays.
2. It deletes versions that it listed, by their ids, and nothing else. Whoever names an object later has put it later:
   names are given by whoever put the bytes, in the same invocation, as its last step. A put in a bucket that keeps
   versions makes a version with an id of its own, also where the same content lay before. So a put after the listing
   survives whatever is deleted, as the newest version of its key.
3. Left is a put before the listing whose name is given after the manifest was read. Such a version is younger than an
   invocation may last, and nothing is deleted before it is four times as old.

Versions with the id `null` were put while the bucket kept none. They are deleted only where it keeps them now: else a
new put would have the same id.
"""

import time
from dataclasses import dataclass

from almanac.aws import keys
from almanac.aws.blobs import Blobs, ObjectVersion
from almanac.aws.table import Table
from almanac.clock import iso
from almanac.index.manifest import Directory, Manifest, ManifestState
from almanac.observability import log

GRACE_SECONDS = 3_600
"""How long what was replaced stays: for readers that go on with the manifest that they read, and see above."""
ORPHAN_SECONDS = 86_400
"""How long an upload stays that was never named, or that nobody remembers."""


@dataclass(frozen=True)
class Swept:
    """How many versions of objects were deleted, and their bytes."""

    versions: int = 0
    size: int = 0


async def sweep(table: Table, blobs: Blobs, tenant_id: str, *, at: float | None = None) -> Swept:
    """Remove what none of a tenant's indexes names. `at` is the present, in seconds since the epoch."""
    listed = [version async for version in blobs.versions(keys.indexes_prefix(tenant_id))]
    if not listed:
        return Swept()
    state = await Manifest(table, tenant_id, Directory({})).read()
    present = time.time() if at is None else at
    named, retired = named_objects(tenant_id, state), _retired_objects(tenant_id, state)
    gone = [version for version in listed if version.key not in named and _is_due(version, retired, present)]
    if any(version.version_id == "null" for version in gone) and not await blobs.keeps_versions():
        log("warning", "unversioned objects are not swept", tenant_id=tenant_id)
        gone = [version for version in gone if version.version_id != "null"]
    await blobs.delete_versions(gone)
    swept = Swept(len(gone), sum(version.size for version in gone))
    log("info", "index swept", listed=len(listed), named=len(named), deleted=swept.versions, bytes=swept.size)
    return swept


def named_objects(tenant_id: str, state: ManifestState) -> set[str]:
    """Return the keys of all parts that a manifest names, of whatever index."""
    named = {keys.part_object(tenant_id, index_id, name) for index_id, entries in state.log.items() for name in entries}
    for index_id, snapshots in state.snapshots.items():
        for snapshot in snapshots.values():
            refs = [*snapshot.history, *([snapshot.current] if snapshot.current else [])]
            named.update(keys.part_object(tenant_id, index_id, ref.sha256) for ref in refs)
    return named


def _retired_objects(tenant_id: str, state: ManifestState) -> dict[str, str]:
    """Return when objects were replaced, by key."""
    return {
        keys.part_object(tenant_id, index_id, name): at
        for index_id, snapshots in state.snapshots.items()
        for snapshot in snapshots.values()
        for name, at in snapshot.retired.items()
    }


def _is_due(version: ObjectVersion, retired: dict[str, str], present: float) -> bool:
    age = present - version.written_at.timestamp()
    replaced = retired.get(version.key)
    if replaced is not None and replaced <= iso(present - GRACE_SECONDS):
        return age >= GRACE_SECONDS
    return age >= ORPHAN_SECONDS
