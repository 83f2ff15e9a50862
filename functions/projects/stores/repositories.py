"""Repositories and their hooks in the table. The guard of a remote lies in the project's partition: it keeps the remote
unique there, and it lets the project's delete find each repository.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from almanac.active import ACTIVE, DELETING, is_active
from almanac.aws import keys, outbox
from almanac.aws.keys import Key
from almanac.aws.table import ConditionFailed, Delete, Put, Update, Write
from almanac.aws.transactions import Parts, Refused
from almanac.clock import iso
from almanac.errors import Busy, VersionConflict
from almanac.events import DeleteRepository, SyncRepository
from almanac.ids import is_id
from almanac.limits.quotas import Quota, one_less
from projects import news
from projects.errors import AlreadyConnected, ProjectNotFound, RepositoryNotFound
from projects.model import Hook, RepositoryRecord, RepositoryState, SyncRun
from projects.stores.base import UNLISTED, Listing, Store, listing_start
from projects.stores.projects import still_active

_ATTEMPTS = 5
_DELETE_CHECK_SECONDS = 1800
"""When the reconciler looks whether a delete came to its end."""


class RepositoryStore(Store):
    async def get(self, project_id: str, repository_id: str) -> RepositoryRecord:
        """Return a repository of that project; raises `RepositoryNotFound`."""
        item = await self._table.get(self._key(repository_id)) if is_id(repository_id, "rep") else None
        if not is_active(item) or item["project_id"] != project_id:
            raise RepositoryNotFound
        return RepositoryRecord.from_item(item)

    async def list(self, project_id: str, limit: int, after: str | None) -> Listing[RepositoryRecord]:
        partition = keys.repositories(self._tenant_id, project_id)
        start = listing_start(self._key(after), partition, after) if after else None
        return await self._list(partition, RepositoryRecord, limit, start)

    async def current_run(self, repository: RepositoryRecord) -> SyncRun | None:
        """Return the run that is going on, or the last one, or None before the first."""
        item = await self._table.get(keys.sync_run(self._tenant_id, repository.id, repository.run))
        return SyncRun.from_item(item) if item else None

    async def create(
        self, repository: RepositoryRecord, hook: Hook, then: SyncRepository, remembered: Sequence[Put]
    ) -> None:
        """Write a new repository with its hook.

        Raises `ProjectNotFound`, `AlreadyConnected`, `QuotaExceeded`, or `Refused` when another call remembered its
        answer first.
        """
        try:
            await self._commit(
                {
                    "project": still_active(self._tenant_id, repository.project_id),
                    "repository": Put(repository.to_item(self._tenant_id)),
                    "hook": Put(hook.to_item(self._tenant_id)),
                    "guard": self._guard(repository.project_id, repository.remote, repository.id),
                    "quota": self._quotas.one_more(self._tenant_id, Quota.REPOSITORIES),
                    "outbox": outbox.message(then),
                    "idempotency": remembered,
                }
            )
        except Refused as refused:
            if refused.part == "project":
                raise ProjectNotFound from None
            if refused.part == "guard":
                raise await self._connected(repository.project_id, repository.remote) from None
            if refused.part == "quota":
                raise self._quotas.exceeded(refused.item, Quota.REPOSITORIES) from None
            raise

    async def update(
        self, old: RepositoryRecord, version: int, changes: Mapping[str, Any], then: SyncRepository
    ) -> None:
        """Change a repository that is still at `version` and have it synced; None removes an attribute.

        Raises `RepositoryNotFound`, `VersionConflict` or `AlreadyConnected`.
        """
        remote = changes.get("remote", old.remote)
        guards: list[Write] = []
        if remote != old.remote:
            released = self._unguard(old.project_id, old.remote, old.id)
            guards = [released, self._guard(old.project_id, remote, old.id)]
        try:
            await self._commit(
                {
                    "repository": Update(
                        self._key(old.id),
                        set={
                            name: value
                            for name, value in {**changes, "version": version + 1}.items()
                            if value is not None
                        },
                        remove=[name for name, value in changes.items() if value is None],
                        add={"wanted": 1},
                        condition=f"{ACTIVE} AND #version = :version AND #remote = :known",
                        values={**DELETING, ":version": version, ":known": old.remote},
                    ),
                    "guards": guards,
                    "outbox": outbox.message(then),
                }
            )
        except Refused as refused:
            raise await self._cause(refused, old, remote) from None

    async def request_sync(self, repository_id: str, then: SyncRepository) -> None:
        """Count a request and queue it; raises `RepositoryNotFound`."""
        wanted = Update(self._key(repository_id), add={"wanted": 1}, condition=ACTIVE, values=DELETING)
        try:
            await self._commit({"repository": wanted, "outbox": outbox.message(then)})
        except Refused:
            raise RepositoryNotFound from None

    async def request_rebuild(self, repository_id: str, then: SyncRepository) -> None:
        """Have the next run to begin send everything again; asked for again before then, it is one run.

        Raises `RepositoryNotFound`, or `Busy` when runs keep beginning.
        """
        for _ in range(_ATTEMPTS):
            item = await self._table.get(self._key(repository_id)) if is_id(repository_id, "rep") else None
            if not is_active(item):
                raise RepositoryNotFound
            wanted = Update(
                self._key(repository_id),
                set={"rebuild_from": item["run"] + 1},
                add={"wanted": 1},
                condition=f"{ACTIVE} AND #run = :run",
                values={**DELETING, ":run": item["run"]},
            )
            with suppress(Refused):
                return await self._commit({"repository": wanted, "outbox": outbox.message(then)})
        raise Busy

    async def rotate_secret(self, repository_id: str, cipher: bytes, old_valid_until: int) -> None:
        """Put a new secret before the current one, which stays valid a while; raises `RepositoryNotFound` or `Busy`."""
        key = keys.hook(self._tenant_id, repository_id)
        item = await self._table.get(key)
        if item is None:
            raise RepositoryNotFound
        current = Hook.from_item(item).secrets_cipher
        rotation = Update(
            key,
            set={"secrets_cipher": [cipher, current[0]], "rotated_until": old_valid_until},
            condition="#secrets_cipher = :current",
            values={":current": current},
        )
        try:
            await self._table.write(rotation)
        except ConditionFailed as failed:
            raise (Busy() if failed.item else RepositoryNotFound()) from None

    async def delete(self, repository: RepositoryRecord, then: DeleteRepository) -> None:
        """Hide a repository, from readers and from search; raises `RepositoryNotFound` or, on a race, `Busy`."""
        parts = {
            **self.deletion(repository.project_id, repository.remote, then),
            "index": self._manifest.drop(repository.id),
            "news": news.repository(
                self._tenant_id, then.correlation_id, repository, RepositoryState.DELETING, time.time()
            ),
        }
        try:
            await self._commit(parts)
        except Refused as refused:
            raise (Busy() if is_active(refused.item) else RepositoryNotFound()) from None

    async def delete_with_project(self, project_id: str, remote: str, then: DeleteRepository) -> None:
        """Begin the delete of a repository whose project is hidden already; begun before, it only loses its guard."""
        try:
            await self._commit(self.deletion(project_id, remote, then))
        except Refused:
            guard = self._unguard(project_id, remote, then.repository_id)
            with suppress(ConditionFailed):
                await self._table.write(guard)

    def deletion(self, project_id: str, remote: str, then: DeleteRepository) -> Parts:
        """Return the parts of a transaction that hide a repository, close its hook and have it removed."""
        return {
            "repository": Update(
                self._key(then.repository_id),
                set={
                    "state": RepositoryState.DELETING,
                    "gsi2pk": keys.due_repositories(),
                    "gsi2sk": iso(time.time() + _DELETE_CHECK_SECONDS),
                },
                remove=UNLISTED,
                condition=f"{ACTIVE} AND #remote = :remote",
                values={**DELETING, ":remote": remote},
            ),
            "hook": Delete(keys.hook(self._tenant_id, then.repository_id)),
            "guard": self._unguard(project_id, remote, then.repository_id),
            "quota": one_less(self._tenant_id, Quota.REPOSITORIES),
            "outbox": outbox.message(then),
        }

    def _key(self, repository_id: str) -> Key:
        return keys.repository(self._tenant_id, repository_id)

    def _guard(self, project_id: str, remote: str, repository_id: str) -> Put:
        key = keys.project_remote(self._tenant_id, project_id, remote)
        return Put({**key.as_dict(), "entity": "project_remote", "repository_id": repository_id, "remote": remote})

    def _unguard(self, project_id: str, remote: str, repository_id: str) -> Delete:
        return Delete(
            keys.project_remote(self._tenant_id, project_id, remote),
            condition="attribute_not_exists(#pk) OR #repository_id = :repository",
            values={":repository": repository_id},
        )

    async def _connected(self, project_id: str, remote: str) -> AlreadyConnected | Busy:
        item = await self._table.get(keys.project_remote(self._tenant_id, project_id, remote))
        return AlreadyConnected(item["repository_id"]) if item else Busy()

    async def _cause(self, refused: Refused, old: RepositoryRecord, remote: str) -> Exception:
        if refused.part == "guards":
            return await self._connected(old.project_id, remote)
        if not is_active(refused.item):
            return RepositoryNotFound()
        return VersionConflict(refused.item["version"])
