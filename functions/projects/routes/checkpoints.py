"""Checkpoints over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from almanac.errors import Busy, Unprocessable, VersionConflict
from almanac.ids import id_pattern
from almanac.web.app import API_PREFIX
from almanac.web.auth import Editor, Reader
from almanac.web.idempotency import IdempotencyKey, IdempotencyKeyReused
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from projects import wiring
from projects.errors import CheckpointNotFound, ProjectNotFound
from projects.schemas.checkpoints import Checkpoint, CheckpointCreate, CheckpointList, CheckpointUpdate

router = APIRouter(tags=["checkpoints"])

OfProject = Annotated[
    str,
    Query(pattern=id_pattern("prj"), description="The project.", examples=["prj_01k9zq3v7m8x2c4b6n0d1f5g7h"]),
]


@router.post(
    "/checkpoints",
    status_code=201,
    response_model=Checkpoint,
    responses=problem_responses(ProjectNotFound, Unprocessable, IdempotencyKeyReused, Busy),
)
async def create_checkpoint(
    principal: Editor, body: CheckpointCreate, response: Response, idempotency_key: IdempotencyKey = None
) -> Checkpoint:
    """Create a checkpoint in a project."""
    created = await wiring.checkpoints(principal).create(
        body.project_id, body.name, body.description, body.metadata, idempotency_key, body.model_dump_json()
    )
    response.headers["location"] = f"{API_PREFIX}/checkpoints/{created.id}"
    return Checkpoint.of(created)


@router.get(
    "/checkpoints",
    response_model=CheckpointList,
    responses=problem_responses(InvalidCursor, ProjectNotFound, Unprocessable),
)
async def list_checkpoints(
    principal: Reader, project_id: OfProject, limit: Limit = 50, cursor: Cursor = None
) -> CheckpointList:
    """List a project's checkpoints, oldest first."""
    listing = f"checkpoints?project_id={project_id}"
    after = await wiring.cursor_secrets().start_after(principal.tenant_id, listing, cursor)
    page = await wiring.checkpoints(principal).list(project_id, limit, after)
    return CheckpointList(
        items=[Checkpoint.of(record) for record in page.records],
        next_cursor=await wiring.cursor_secrets().next_cursor(principal.tenant_id, listing, page.next_id),
    )


@router.get(
    "/checkpoints/{checkpoint_id}",
    response_model=Checkpoint,
    responses=problem_responses(CheckpointNotFound),
)
async def get_checkpoint(principal: Reader, checkpoint_id: str) -> Checkpoint:
    """Show a checkpoint."""
    return Checkpoint.of(await wiring.checkpoints(principal).get(checkpoint_id))


@router.patch(
    "/checkpoints/{checkpoint_id}",
    response_model=Checkpoint,
    responses=problem_responses(CheckpointNotFound, VersionConflict, Unprocessable),
)
async def update_checkpoint(principal: Editor, checkpoint_id: str, body: CheckpointUpdate) -> Checkpoint:
    """Change a checkpoint's name, description or metadata."""
    return Checkpoint.of(await wiring.checkpoints(principal).update(checkpoint_id, body.version, body.changes()))


@router.delete(
    "/checkpoints/{checkpoint_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(CheckpointNotFound, Busy),
)
async def delete_checkpoint(principal: Editor, checkpoint_id: str) -> None:
    """Delete a checkpoint and its messages; they are gone at once, also from search."""
    await wiring.checkpoints(principal).delete(checkpoint_id)
