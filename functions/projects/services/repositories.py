"""What can be done with repositories: connect, change, sync, rotate the webhook's secret, delete."""

import secrets as randomness
import time
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, TypedDict
from urllib.parse import unquote, urlsplit

from almanac.access import Principal
from almanac.clock import iso, now
from almanac.errors import VersionConflict
from almanac.events import DeleteRepository, SyncRepository
from almanac.ids import new_id
from almanac.observability import correlation_id
from almanac.visible import Sight
from almanac.web.idempotency import Idempotent
from projects.dependencies import ApiDependencies
from projects.errors import InvalidSelection
from projects.model import Hook, Provider, RepositoryRecord, RepositoryState, SyncRun, remote_key
from projects.services.base import Answer, once
from projects.stores.base import Listing
from projects.stores.projects import ProjectStore
from projects.stores.repositories import RepositoryStore
from projects.sync.hosts import check_url

ROTATION_SECONDS = 24 * 3600
_FIRST_CHECK_SECONDS = 900
_NAME_CHARACTERS = 200
_RUNNING = {RepositoryState.SYNCING, RepositoryState.INDEXING}


class RepositoryChanges(TypedDict, total=False):
    """What an update gives; None clears a branch, a pattern or the token."""

    url: str
    branch: str | None
    branch_pattern: str | None
    access_token: str | None


@dataclass(frozen=True)
class Connected:
    """A repository and its webhook's secret, which is None in a repeated answer: it is shown once."""

    repository: RepositoryRecord
    secret: str | None


@dataclass(frozen=True)
class Rotated:
    """A new webhook secret, and until when (ISO time) the one before is valid too."""

    secret: str
    old_valid_until: str


class RepositoryService:
    def __init__(self, dependencies: ApiDependencies, principal: Principal) -> None:
        tenant_id = principal.tenant_id
        self._actor_id = principal.actor_id
        self._table = dependencies.table
        self._secrets = dependencies.secrets
        self._allow_private_hosts = dependencies.allow_private_hosts
        self._tenant_id = tenant_id
        self._store = RepositoryStore(dependencies, tenant_id)
        self._projects = ProjectStore(dependencies, tenant_id, Sight(dependencies.table, principal))

    async def get(self, project_id: str, repository_id: str) -> tuple[RepositoryRecord, SyncRun | None]:
        """Return a repository and the run that is going on; raises `ProjectNotFound` or `RepositoryNotFound`."""
        await self._projects.get(project_id)
        repository = await self._store.get(project_id, repository_id)
        run = await self._store.current_run(repository) if repository.state in _RUNNING else None
        return repository, run

    async def list(self, project_id: str, limit: int, after: str | None) -> Listing[RepositoryRecord]:
        """Return a page of a project's repositories; raises `ProjectNotFound`."""
        await self._projects.get(project_id)
        return await self._store.list(project_id, limit, after)

    async def connect(
        self,
        project_id: str,
        url: str,
        branch: str | None,
        branch_pattern: str | None,
        access_token: str | None,
        idempotency_key: str | None,
        request: str,
    ) -> Connected:
        """Connect a repository and queue its first sync.

        Raises `ProjectNotFound`, `UnsuitableUrl`, `InvalidSelection`, `AlreadyConnected` or `IdempotencyKeyReused`.
        """
        _check_selection(branch, branch_pattern)
        url = check_url(url, allow_private=self._allow_private_hosts, field="body.url")
        scope = f"repositories-{project_id}"
        idempotent = Idempotent(self._table, self._tenant_id, self._actor_id, scope, idempotency_key, request)
        secret = _new_secret()
        shown: list[str] = []

        async def create() -> Answer:
            await self._projects.get(project_id)
            repository_id, at = new_id("rep"), now()
            repository = RepositoryRecord(
                id=repository_id,
                project_id=project_id,
                **_address(url, branch, branch_pattern),
                token_cipher=await self._encrypt(access_token, repository_id) if access_token else None,
                wanted=1,
                next_check_at=iso(time.time() + _FIRST_CHECK_SECONDS),
                created_at=at,
                updated_at=at,
            )
            cipher = await self._encrypt(secret, repository_id)
            hook = Hook(repository_id=repository_id, project_id=project_id, secrets_cipher=[cipher])
            answer = repository.model_dump()
            await self._store.create(
                repository, hook, self._sync(repository_id, "connected"), idempotent.record(answer)
            )
            shown.append(secret)
            return answer

        async def still(_: Answer) -> None:
            await self._projects.check_shown(project_id)

        repository = RepositoryRecord.model_validate(await once(idempotent, create, still))
        return Connected(repository, shown[0] if shown else None)

    async def update(
        self, project_id: str, repository_id: str, version: int, changes: RepositoryChanges
    ) -> RepositoryRecord:
        """Change a repository that is still at `version` and queue a sync.

        A branch and a pattern replace one another. Another host does not get the token that was given for the old one.
        Raises `RepositoryNotFound`, `VersionConflict`, `UnsuitableUrl`, `InvalidSelection` or `AlreadyConnected`.
        """
        old, _ = await self.get(project_id, repository_id)
        if old.version != version:
            raise VersionConflict(old.version)
        _check_selection(changes.get("branch"), changes.get("branch_pattern"))
        url = old.url
        if "url" in changes:
            url = check_url(changes["url"], allow_private=self._allow_private_hosts, field="body.url")
        changed: dict[str, Any] = {**_address(url, *_selection(old, changes)), "updated_at": now()}
        token = changes.get("access_token")
        if token is not None:
            changed["token_cipher"] = await self._encrypt(token, repository_id)
        elif "access_token" in changes or _origin(url) != _origin(old.url):
            changed["token_cipher"] = None
        await self._store.update(old, version, changed, self._sync(repository_id, "requested"))
        return await self._store.get(project_id, repository_id)

    async def request_sync(self, project_id: str, repository_id: str, *, full: bool = False) -> None:
        """Queue a sync, a `full` one of everything again; raises `ProjectNotFound` or `RepositoryNotFound`."""
        await self.get(project_id, repository_id)
        if full:
            await self._store.request_rebuild(repository_id, self._sync(repository_id, "rebuild"))
        else:
            await self._store.request_sync(repository_id, self._sync(repository_id, "requested"))

    async def rotate_secret(self, project_id: str, repository_id: str) -> Rotated:
        """Make a new webhook secret; raises `ProjectNotFound` or `RepositoryNotFound`."""
        await self.get(project_id, repository_id)
        secret, until = _new_secret(), int(time.time()) + ROTATION_SECONDS
        await self._store.rotate_secret(repository_id, await self._encrypt(secret, repository_id), until)
        return Rotated(secret, iso(until))

    async def delete(self, project_id: str, repository_id: str) -> None:
        """Hide a repository at once, also from search, and have all of it removed; raises `RepositoryNotFound`."""
        repository, _ = await self.get(project_id, repository_id)
        then = DeleteRepository(tenant_id=self._tenant_id, correlation_id=correlation_id(), repository_id=repository_id)
        await self._store.delete(repository, then)

    async def _encrypt(self, secret: str, repository_id: str) -> bytes:
        return await self._secrets.encrypt(secret, tenant_id=self._tenant_id, resource_id=repository_id)

    def _sync(self, repository_id: str, reason: Any) -> SyncRepository:
        return SyncRepository(
            tenant_id=self._tenant_id, correlation_id=correlation_id(), repository_id=repository_id, reason=reason
        )


def _new_secret() -> str:
    return f"whs_{randomness.token_urlsafe(32)}"


def _check_selection(branch: str | None, branch_pattern: str | None) -> None:
    if branch is not None and branch_pattern is not None:
        raise InvalidSelection("Give a branch or a pattern of branches, not both.", field="body.branch_pattern")


def _selection(old: RepositoryRecord, changes: RepositoryChanges) -> tuple[str | None, str | None]:
    if changes.get("branch") is not None:
        return changes["branch"], None
    if changes.get("branch_pattern") is not None:
        return None, changes["branch_pattern"]
    return changes.get("branch", old.branch), changes.get("branch_pattern", old.branch_pattern)


def _address(url: str, branch: str | None, branch_pattern: str | None) -> dict[str, Any]:
    host = urlsplit(url).hostname or ""
    name = unquote(urlsplit(url).path, errors="replace").strip("/").removesuffix(".git")[:_NAME_CHARACTERS]
    return {
        "url": url,
        "name": "".join(letter if letter.isprintable() else "?" for letter in name) or host,
        "provider": _provider(host),
        "branch": branch,
        "branch_pattern": branch_pattern,
        "remote": remote_key(url, branch, branch_pattern),
    }


def _provider(host: str) -> Provider:
    if fnmatchcase(host, "github.*") or host.endswith(".github.com"):
        return Provider.GITHUB
    return Provider.GITLAB if "gitlab" in host.split(".") else Provider.OTHER


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
