"""Collections and the members of private ones over HTTP."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from almanac.errors import Busy, Unprocessable, VersionConflict
from almanac.private_members import ActorNotFound
from almanac.web.app import API_PREFIX
from almanac.web.auth import Editor, Reader
from almanac.web.fields import ProjectId
from almanac.web.idempotency import IdempotencyKey, IdempotencyKeyReused
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.parameters import ActorId
from almanac.web.problems import problem_responses
from documents import wiring
from documents.errors import (
    CollectionNotEmpty,
    CollectionNotFound,
    CollectionNotPrivate,
    CollectionReadOnly,
    MemberNotFound,
    ProjectNotFound,
)
from documents.schemas.collections import (
    Collection,
    CollectionCreate,
    CollectionList,
    CollectionMember,
    CollectionMemberList,
    CollectionMemberSet,
    CollectionShown,
    CollectionUpdate,
)

router = APIRouter(prefix="/collections", tags=["collections"])

InProject = Annotated[ProjectId | None, Query(description="Of this project alone.")]


@router.post(
    "",
    status_code=201,
    response_model=Collection,
    responses=problem_responses(CollectionNotFound, ProjectNotFound, Unprocessable, IdempotencyKeyReused, Busy),
)
async def create_collection(
    principal: Editor, body: CollectionCreate, response: Response, idempotency_key: IdempotencyKey = None
) -> Collection:
    """Create a collection."""
    given = {**body.model_dump(), "project_id": body.project_id or ""}
    created = await wiring.collections(principal).create(given, idempotency_key, body.model_dump_json())
    response.headers["location"] = f"{API_PREFIX}/collections/{created.id}"
    return Collection.of(created)


@router.get(
    "",
    response_model=CollectionList,
    responses=problem_responses(InvalidCursor, ProjectNotFound, Unprocessable),
)
async def list_collections(
    principal: Reader, project_id: InProject = None, limit: Limit = 50, cursor: Cursor = None
) -> CollectionList:
    """List the collections, oldest first."""
    listing = f"collections?project_id={project_id or ''}"
    after = await wiring.cursor_secrets().start_after(principal.tenant_id, listing, cursor)
    page = await wiring.collections(principal).list(project_id, limit, after)
    return CollectionList(
        items=[Collection.of(each) for each in page.collections],
        next_cursor=await wiring.cursor_secrets().next_cursor(principal.tenant_id, listing, page.next_id),
    )


@router.get("/{collection_id}", response_model=CollectionShown, responses=problem_responses(CollectionNotFound))
async def get_collection(principal: Reader, collection_id: str) -> CollectionShown:
    """Show a collection, with how many documents are in it."""
    collection = await wiring.collections(principal).get(collection_id)
    counts = await wiring.listing(principal).counts(collection_id=collection_id)
    shown = Collection.of(collection).model_dump()
    return CollectionShown(**shown, documents=counts.states, is_complete=counts.is_complete)


@router.patch(
    "/{collection_id}",
    response_model=Collection,
    responses=problem_responses(CollectionNotFound, CollectionReadOnly, VersionConflict, Unprocessable, Busy),
)
async def update_collection(principal: Editor, collection_id: str, body: CollectionUpdate) -> Collection:
    """Change a collection's name or description, or who sees it."""
    return Collection.of(await wiring.collections(principal).update(collection_id, body.version, body.changes()))


@router.delete(
    "/{collection_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(CollectionNotFound, CollectionReadOnly, CollectionNotEmpty, Unprocessable, Busy),
)
async def delete_collection(
    principal: Editor,
    collection_id: str,
    documents: Annotated[
        Literal["refuse", "delete"], Query(description="What to do if there are documents in it.")
    ] = "refuse",
) -> None:
    """Delete a collection, with the documents in it if you say so; it is gone at once, also from search."""
    await wiring.collections(principal).delete(collection_id, with_documents=documents == "delete")


@router.get(
    "/{collection_id}/members",
    response_model=CollectionMemberList,
    responses=problem_responses(InvalidCursor, CollectionNotFound, Unprocessable),
)
async def list_collection_members(
    principal: Reader, collection_id: str, limit: Limit = 50, cursor: Cursor = None
) -> CollectionMemberList:
    """List who sees a private collection, beside those who see everything; nobody is listed for any other."""
    listing = f"collection-members?collection_id={collection_id}"
    after = await wiring.cursor_secrets().start_after(principal.tenant_id, listing, cursor)
    page = await wiring.collections(principal).members(collection_id, limit, after)
    return CollectionMemberList(
        items=[CollectionMember.of(each) for each in page.members],
        next_cursor=await wiring.cursor_secrets().next_cursor(principal.tenant_id, listing, page.next_id),
    )


@router.get(
    "/{collection_id}/members/{actor_id}",
    response_model=CollectionMember,
    responses=problem_responses(CollectionNotFound, MemberNotFound),
)
async def get_collection_member(principal: Reader, collection_id: str, actor_id: ActorId) -> CollectionMember:
    """Show a member of a private collection."""
    return CollectionMember.of(await wiring.collections(principal).member(collection_id, actor_id))


@router.put(
    "/{collection_id}/members/{actor_id}",
    response_model=CollectionMember,
    responses=problem_responses(
        CollectionNotFound, CollectionReadOnly, ActorNotFound, CollectionNotPrivate, Unprocessable, Busy
    ),
)
async def set_collection_member(
    principal: Editor, collection_id: str, actor_id: ActorId, body: CollectionMemberSet
) -> CollectionMember:
    """Let somebody of the tenant see a private collection, or give a member another right."""
    return CollectionMember.of(await wiring.collections(principal).put_member(collection_id, actor_id, body.right))


@router.delete(
    "/{collection_id}/members/{actor_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(CollectionNotFound, CollectionReadOnly, MemberNotFound),
)
async def remove_collection_member(principal: Editor, collection_id: str, actor_id: ActorId) -> None:
    """Take a member out of a private collection: from its next call on the collection does not exist for it."""
    await wiring.collections(principal).remove_member(collection_id, actor_id)
