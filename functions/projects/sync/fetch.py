"""What a sync does on the network: look at the branches, bring in the objects that are missing."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from almanac.observability import log
from almanac.worker.batch import Deadline
from projects.model import Provider
from projects.sync import failures, hosts
from projects.sync.dependencies import SyncDependencies
from projects.sync.emit import require_whole
from projects.sync.objects import Objects
from projects.sync.packs import Packs
from projects.sync.records import Repository
from projects.sync.remote import Remote, Selection, Target
from projects.sync.transport import GuardedClient, Limits

_USER_NAMES = {Provider.GITHUB: "x-access-token", Provider.GITLAB: "oauth2"}

Credentials = tuple[str, str]
Result = TypeVar("Result")


class Fetcher:
    """One repository's remote, within one invocation. `hold` makes sure of the lease for as long as an upload takes."""

    def __init__(
        self,
        dependencies: SyncDependencies,
        tenant_id: str,
        repository: Repository,
        deadline: Deadline,
        hold: Callable[[], Awaitable[None]],
    ) -> None:
        self._dependencies = dependencies
        self._tuning = dependencies.tuning
        self._tenant_id = tenant_id
        self._repository = repository
        self._deadline = deadline
        self._hold = hold
        self._selection = Selection(repository.branch, repository.branch_pattern)
        self.packs = Packs(dependencies.blobs, tenant_id, repository.id, dependencies.cache)

    async def look(self) -> Target:
        """Return what the remote has of the selected branches; raises `SyncFailed`."""
        credentials = await self._credentials()
        return await self._patiently(lambda: self._advertised(credentials))

    async def _credentials(self) -> Credentials | None:
        if self._repository.token_cipher is None:
            return None
        token = await self._dependencies.secrets.decrypt(
            self._repository.token_cipher, tenant_id=self._tenant_id, resource_id=self._repository.id
        )
        return _USER_NAMES.get(self._repository.provider, "git"), token

    def _client(self, credentials: Credentials | None, seconds: float) -> GuardedClient:
        allow_private = self._dependencies.allow_private_hosts
        try:
            url = hosts.check_url(self._repository.url, allow_private=allow_private)
        except hosts.UnsuitableUrl as error:
            raise failures.SyncFailed("host_refused", f"{self._repository.url} is not synced. {error.detail}") from None
        left = max(10.0, min(seconds, self._deadline.remaining() - 2 * self._tuning.margin))
        limits = Limits(self._tuning.pack_bytes, left)
        return GuardedClient(url, limits, allow_private=allow_private, credentials=credentials)

    def _advertised(self, credentials: Credentials | None) -> Target:
        client = self._client(credentials, self._tuning.look)
        return Remote(client).advertised().choose(self._selection)

    async def fetch(self) -> tuple[Target, Objects]:
        """Bring in the objects that are missing, and store them before anything refers to them."""
        packs, credentials = self.packs, await self._credentials()
        objects = await packs.open()
        try:
            target, name = await self._patiently(lambda: self._receive(credentials, objects))
            # Nothing incomplete is stored: it would count as known from then on.
            await asyncio.to_thread(require_whole, objects, self._known_whole, target.heads)
            if name is not None:
                await self._hold()
                await packs.save(name)
                await packs.tidy(objects)
        except BaseException:
            objects.close()
            raise
        return target, objects

    async def stored(self, failure: failures.SyncFailed) -> tuple[Target, Objects]:
        """Return what was brought in last, when the remote does not give it again: that is why; raises `SyncFailed`."""
        heads, main = self._repository.heads, self._repository.main
        objects = await self.packs.open()
        try:
            if not heads or not all(objects.has_commit(head) for head in heads.values()):
                raise failure
            await asyncio.to_thread(require_whole, objects, {}, heads)
        except BaseException:
            objects.close()
            raise
        return Target(heads, main, failure), objects

    @property
    def _known_whole(self) -> dict[str, str]:
        return {} if self._repository.wants_rebuild else self._repository.heads

    def _receive(self, credentials: Credentials | None, objects: Objects) -> tuple[Target, str | None]:
        client = self._client(credentials, self._tuning.fetch)
        known = {
            *self._repository.heads.values(),
            *(head for a in self._repository.attempted for head in a.heads.values()),
        }
        incoming = objects.incoming(self._tuning.pack_bytes)
        try:
            target = Remote(client).fetch(
                self._selection,
                [head for head in sorted(known) if objects.has_commit(head)],
                objects.graph.parents,
                objects.has_commit,
                incoming.write,
            )
        except BaseException:
            objects.discard(incoming)
            raise
        name = objects.take(incoming, target.heads.values())
        if not all(objects.has_commit(head) for head in target.heads.values()):
            raise failures.protocol_error(client.host)
        return target, name

    async def _patiently(self, blocking: Callable[[], Result]) -> Result:
        """Run in a thread, and again after a pause when the cause may pass; raises `SyncFailed`."""
        for pause in self._tuning.pauses:
            try:
                return await asyncio.to_thread(blocking)
            except failures.SyncFailed as failure:
                if not failure.transient or self._deadline.remaining() < 2 * self._tuning.margin:
                    raise
                log("info", "trying again", code=failure.code)
            await asyncio.sleep(pause)
        return await asyncio.to_thread(blocking)
