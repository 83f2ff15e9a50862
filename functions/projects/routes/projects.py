"""Projects over HTTP."""

from fastapi import APIRouter, Response

from almanac.errors import Busy, Unprocessable, VersionConflict
from almanac.limits.quotas import QuotaExceeded
from almanac.web.app import API_PREFIX
from almanac.web.auth import Editor, Reader
from almanac.web.idempotency import IdempotencyKey, IdempotencyKeyReused
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from projects import wiring
from projects.errors import ProjectNotFound
from projects.schemas.projects import Project, ProjectCreate, ProjectList, ProjectUpdate

router = APIRouter(tags=["projects"])

_LISTING = "projects"


@router.post(
    "/projects",
    status_code=201,
    response_model=Project,
    responses=problem_responses(ProjectNotFound, QuotaExceeded, Unprocessable, IdempotencyKeyReused, Busy),
)
async def create_project(
    principal: Editor, body: ProjectCreate, response: Response, idempotency_key: IdempotencyKey = None
) -> Project:
    """Create a project."""
    created = await wiring.projects(principal).create(
        body.name, body.description, body.visibility, idempotency_key, body.model_dump_json()
    )
    response.headers["location"] = f"{API_PREFIX}/projects/{created.id}"
    return Project.of(created)


@router.get("/projects", response_model=ProjectList, responses=problem_responses(InvalidCursor, Unprocessable))
async def list_projects(principal: Reader, limit: Limit = 50, cursor: Cursor = None) -> ProjectList:
    """List the projects, oldest first."""
    after = await wiring.cursor_secrets().start_after(principal.tenant_id, _LISTING, cursor)
    page = await wiring.projects(principal).list(limit, after)
    return ProjectList(
        items=[Project.of(record) for record in page.records],
        next_cursor=await wiring.cursor_secrets().next_cursor(principal.tenant_id, _LISTING, page.next_id),
    )


@router.get("/projects/{project_id}", response_model=Project, responses=problem_responses(ProjectNotFound))
async def get_project(principal: Reader, project_id: str) -> Project:
    """Show a project."""
    return Project.of(await wiring.projects(principal).get(project_id))


@router.patch(
    "/projects/{project_id}",
    response_model=Project,
    responses=problem_responses(ProjectNotFound, VersionConflict, Unprocessable, Busy),
)
async def update_project(principal: Editor, project_id: str, body: ProjectUpdate) -> Project:
    """Change a project's name or description, or who sees it."""
    return Project.of(await wiring.projects(principal).update(project_id, body.version, body.changes()))


@router.delete(
    "/projects/{project_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(ProjectNotFound, Busy),
)
async def delete_project(principal: Editor, project_id: str) -> None:
    """Delete a project and everything in it; it is gone at once, also from search."""
    await wiring.projects(principal).delete(project_id)
