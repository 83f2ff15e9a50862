"""Members of private projects over HTTP."""

from fastapi import APIRouter

from almanac.errors import Busy, Unprocessable
from almanac.private_members import ActorNotFound
from almanac.web.auth import Editor, Reader
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.parameters import ActorId
from almanac.web.problems import problem_responses
from projects import wiring
from projects.errors import MemberNotFound, ProjectNotFound, ProjectNotPrivate
from projects.schemas.members import ProjectMember, ProjectMemberList

router = APIRouter(prefix="/projects/{project_id}/members", tags=["project members"])


@router.get(
    "",
    response_model=ProjectMemberList,
    responses=problem_responses(InvalidCursor, ProjectNotFound, Unprocessable),
)
async def list_project_members(
    principal: Reader, project_id: str, limit: Limit = 50, cursor: Cursor = None
) -> ProjectMemberList:
    """List who sees a private project, beside those who see every project; nobody is listed for any other."""
    listing = f"project-members?project_id={project_id}"
    after = await wiring.cursor_secrets().start_after(principal.tenant_id, listing, cursor)
    page = await wiring.members(principal).list(project_id, limit, after)
    return ProjectMemberList(
        items=[ProjectMember.of(member) for member in page.members],
        next_cursor=await wiring.cursor_secrets().next_cursor(principal.tenant_id, listing, page.next_id),
    )


@router.get(
    "/{actor_id}",
    response_model=ProjectMember,
    responses=problem_responses(ProjectNotFound, MemberNotFound),
)
async def get_project_member(principal: Reader, project_id: str, actor_id: ActorId) -> ProjectMember:
    """Show a member of a private project."""
    return ProjectMember.of(await wiring.members(principal).get(project_id, actor_id))


@router.put(
    "/{actor_id}",
    response_model=ProjectMember,
    responses=problem_responses(ProjectNotFound, ActorNotFound, ProjectNotPrivate, Busy),
)
async def add_project_member(principal: Editor, project_id: str, actor_id: ActorId) -> ProjectMember:
    """Let somebody of the tenant see a private project; whoever is a member stays one."""
    return ProjectMember.of(await wiring.members(principal).add(project_id, actor_id))


@router.delete(
    "/{actor_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(ProjectNotFound, MemberNotFound),
)
async def remove_project_member(principal: Editor, project_id: str, actor_id: ActorId) -> None:
    """Take a member out of a private project: from its next call on the project does not exist for it."""
    await wiring.members(principal).remove(project_id, actor_id)
