"""What the host says of the repository itself: that it has a new address, or is gone."""

import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from almanac.aws import keys, outbox
from almanac.aws.table import ConditionFailed, Delete, Put, Table, Update, Write
from almanac.clock import iso
from almanac.errors import RetryableError
from almanac.events import RepositoryChanged, SyncRepository
from almanac.observability import log
from projects.model import RepositoryRecord, RepositoryState, SyncError, remote_key
from projects.sync import hosts

_ATTEMPTS = 5
_NAME_CHARACTERS = 200


async def apply(table: Table, change: RepositoryChanged, *, allow_private_hosts: bool) -> None:
    """Follow a rename on the same host, or mark the repository as disconnected. Anything else is ignored."""
    key = keys.repository(change.tenant_id, change.repository_id)
    for _ in range(_ATTEMPTS):
        item = await table.get(key)
        if item is None or item["state"] == RepositoryState.DELETING.value:
            return
        repository = RepositoryRecord.from_item(item)
        if change.url is None:
            writes: Sequence[Write] = [_disconnected(key, repository)]
        else:
            url = _new_url(repository.url, change.url, allow_private_hosts=allow_private_hosts)
            if url is None:
                log("warning", "rename ignored", repository_id=repository.id)
                return
            writes = await _renamed(table, change, repository, url)
        try:
            await table.transact(writes)
        except ConditionFailed:
            continue
        return
    raise RetryableError("the repository kept changing")


def _disconnected(key: keys.Key, repository: RepositoryRecord) -> Write:
    now = iso(time.time())
    message = "The host says that the repository was deleted. What was synced stays searchable until you remove it."
    return Update(
        key,
        set={
            "state": RepositoryState.DISCONNECTED.value,
            "last_error": SyncError(code="repository_deleted", message=message, at=now).model_dump(),
        },
        remove=["next_check_at", "gsi2pk", "gsi2sk"],
        condition="attribute_exists(#pk) AND #state = :state",
        values={":state": repository.state.value},
    )


def _new_url(old: str, new: str, *, allow_private_hosts: bool) -> str | None:
    """Return the new address if it may be used: a delivery moves a repository on its host, never to another one."""
    try:
        checked = hosts.check_url(new, allow_private=allow_private_hosts)
    except hosts.UnsuitableUrl:
        return None
    return checked if hosts.origin(checked) == hosts.origin(old) and checked != old else None


async def _renamed(table: Table, change: RepositoryChanged, repository: RepositoryRecord, url: str) -> Sequence[Write]:
    remote = remote_key(url, repository.branch, repository.branch_pattern)
    name = unquote(urlsplit(url).path, errors="replace").strip("/").removesuffix(".git")[:_NAME_CHARACTERS]
    name = "".join(letter if letter.isprintable() else "?" for letter in name)
    changes: dict[str, Any] = {"url": url, "name": name}
    writes: list[Write] = []
    guard = keys.project_remote(change.tenant_id, repository.project_id, remote)
    if remote != repository.remote and await table.get(guard) is None:
        changes["remote"] = remote
        old = keys.project_remote(change.tenant_id, repository.project_id, repository.remote)
        item = {"entity": "project_remote", "repository_id": repository.id, "remote": remote}
        writes += [Delete(old), Put({**guard.as_dict(), **item})]
    moved = Update(
        keys.repository(change.tenant_id, repository.id),
        set=changes,
        add={"version": 1, "wanted": 1},
        condition="#url = :url AND #remote = :remote AND #state <> :deleting",
        values={":url": repository.url, ":remote": repository.remote, ":deleting": RepositoryState.DELETING.value},
    )
    sync = SyncRepository(
        tenant_id=change.tenant_id,
        correlation_id=change.correlation_id,
        repository_id=repository.id,
        reason="requested",
    )
    return [moved, *writes, outbox.message(sync)]
