"""Repositories over HTTP."""

from typing import cast

from fastapi import APIRouter, Response

from almanac.access import Principal
from almanac.errors import Busy, Unprocessable, VersionConflict
from almanac.limits.quotas import QuotaExceeded
from almanac.web.app import API_PREFIX
from almanac.web.auth import Editor, Reader
from almanac.web.idempotency import IdempotencyKey, IdempotencyKeyReused
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from projects import wiring
from projects.errors import AlreadyConnected, InvalidSelection, ProjectNotFound, RepositoryNotFound
from projects.schemas.repositories import (
    Repository,
    RepositoryConnect,
    RepositoryConnected,
    RepositoryList,
    RepositoryUpdate,
    SyncQueued,
    SyncRequest,
    WebhookRotated,
)
from projects.services.repositories import RepositoryChanges
from projects.sync.hosts import UnsuitableUrl

router = APIRouter(prefix="/projects/{project_id}/repositories", tags=["repositories"])


@router.post(
    "",
    status_code=201,
    response_model=RepositoryConnected,
    responses=problem_responses(
        ProjectNotFound,
        AlreadyConnected,
        QuotaExceeded,
        Unprocessable,
        UnsuitableUrl,
        InvalidSelection,
        IdempotencyKeyReused,
        Busy,
    ),
)
async def create_repository(
    principal: Editor,
    project_id: str,
    body: RepositoryConnect,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> RepositoryConnected:
    """Connect a repository to a project; its first sync begins at once.

    The answer is the only place where the webhook's secret is shown.
    """
    connected = await wiring.repositories(principal).connect(
        project_id,
        body.url,
        body.branch,
        body.branch_pattern,
        body.access_token,
        idempotency_key,
        body.model_dump_json(),
    )
    repository_id = connected.repository.id
    response.headers["location"] = f"{API_PREFIX}/projects/{project_id}/repositories/{repository_id}"
    return RepositoryConnected.of_new(connected, _addresses(principal, repository_id))


@router.get(
    "",
    response_model=RepositoryList,
    responses=problem_responses(InvalidCursor, ProjectNotFound, Unprocessable),
)
async def list_repositories(
    principal: Reader, project_id: str, limit: Limit = 50, cursor: Cursor = None
) -> RepositoryList:
    """List a project's repositories, oldest first."""
    listing = f"repositories?project_id={project_id}"
    after = await wiring.cursor_secrets().start_after(principal.tenant_id, listing, cursor)
    page = await wiring.repositories(principal).list(project_id, limit, after)
    return RepositoryList(
        items=[Repository.of(record) for record in page.records],
        next_cursor=await wiring.cursor_secrets().next_cursor(principal.tenant_id, listing, page.next_id),
    )


@router.get(
    "/{repository_id}",
    response_model=Repository,
    responses=problem_responses(ProjectNotFound, RepositoryNotFound),
)
async def get_repository(principal: Reader, project_id: str, repository_id: str) -> Repository:
    """Show a repository: its state, what is searchable of it, and why the last sync failed if it did."""
    return Repository.of(*await wiring.repositories(principal).get(project_id, repository_id))


@router.patch(
    "/{repository_id}",
    response_model=Repository,
    responses=problem_responses(
        ProjectNotFound,
        RepositoryNotFound,
        VersionConflict,
        AlreadyConnected,
        Unprocessable,
        UnsuitableUrl,
        InvalidSelection,
        Busy,
    ),
)
async def update_repository(
    principal: Editor, project_id: str, repository_id: str, body: RepositoryUpdate
) -> Repository:
    """Change a repository's address, branches or access token, and sync it."""
    changes = cast("RepositoryChanges", body.changes())
    return Repository.of(await wiring.repositories(principal).update(project_id, repository_id, body.version, changes))


@router.post(
    "/{repository_id}/sync",
    status_code=202,
    response_model=SyncQueued,
    responses=problem_responses(ProjectNotFound, RepositoryNotFound, Unprocessable, Busy),
)
async def sync_repository(
    principal: Editor, project_id: str, repository_id: str, body: SyncRequest | None = None
) -> SyncQueued:
    """Bring a repository up to date, or with `full` write all of it to the index again."""
    full = body is not None and body.full
    await wiring.repositories(principal).request_sync(project_id, repository_id, full=full)
    return SyncQueued()


@router.post(
    "/{repository_id}/webhook-secret",
    response_model=WebhookRotated,
    responses=problem_responses(ProjectNotFound, RepositoryNotFound, Busy),
)
async def rotate_webhook_secret(principal: Editor, project_id: str, repository_id: str) -> WebhookRotated:
    """Make a new webhook secret; the one before stays valid for 24 hours."""
    rotated = await wiring.repositories(principal).rotate_secret(project_id, repository_id)
    return WebhookRotated.of(rotated, _addresses(principal, repository_id))


@router.delete(
    "/{repository_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(ProjectNotFound, RepositoryNotFound, Busy),
)
async def delete_repository(principal: Editor, project_id: str, repository_id: str) -> None:
    """Disconnect a repository and delete what was indexed from it; it is gone from search at once."""
    await wiring.repositories(principal).delete(project_id, repository_id)


def _addresses(principal: Principal, repository_id: str) -> dict[str, str]:
    base = f"{wiring.dependencies().public_url}{API_PREFIX}/webhooks"
    place = f"{principal.tenant_id}/{repository_id}"
    return {"github_url": f"{base}/github/{place}", "gitlab_url": f"{base}/gitlab/{place}"}
