"""Lists, numbers and suggestions of documents over HTTP."""

import json
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import StringConstraints

from almanac import moments
from almanac.clock import iso
from almanac.errors import Unprocessable
from almanac.web.auth import Reader
from almanac.web.fields import CollectionId, ProjectId
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.parameters import Moment
from almanac.web.problems import problem_responses
from documents import wiring
from documents.errors import CollectionNotFound, ProjectNotFound
from documents.listing.reading import Wanted
from documents.model import DocumentState
from documents.schemas.documents import Document
from documents.schemas.listing import DocumentCounts, DocumentList, DocumentSuggestion, DocumentSuggestionList

router = APIRouter(prefix="/documents", tags=["documents"])

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
InProject = Annotated[ProjectId | None, Query(description="Of this project alone.")]
InCollection = Annotated[CollectionId | None, Query(description="Of this collection alone.")]


@router.get(
    "",
    response_model=DocumentList,
    responses=problem_responses(InvalidCursor, ProjectNotFound, CollectionNotFound, Unprocessable),
)
async def list_documents(
    principal: Reader,
    type: Annotated[  # noqa: A002 - the parameter's name
        Text | None, Query(description="A media type as in `application/pdf`, or a document type as in `contract`.")
    ] = None,
    state: DocumentState | None = None,
    project_id: InProject = None,
    collection_id: InCollection = None,
    q: Annotated[Text | None, Query(description="What stands in the title or file name, in whatever case.")] = None,
    since: Moment = None,
    until: Moment = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> DocumentList:
    """List the documents, newest first. A page is short where a thousand were looked at; `next_cursor` goes on."""
    given = [type, state, project_id, collection_id, q, since, until]
    listing = json.dumps(["documents", *given])
    after = await wiring.cursor_secrets().start_after(principal.tenant_id, listing, cursor)
    wanted = Wanted(type, state, project_id, collection_id, q, _moment(since), _moment(until))
    found = await wiring.listing(principal).page(wanted, limit, after)
    return DocumentList(
        items=[Document.of(each) for each in found.documents],
        next_cursor=await wiring.cursor_secrets().next_cursor(principal.tenant_id, listing, found.next_id),
    )


@router.get("/suggestions", response_model=DocumentSuggestionList, responses=problem_responses(Unprocessable))
async def suggest_documents(
    principal: Reader,
    q: Annotated[Text, Query(description="The beginnings of words of a name.", examples=["ann rep"])],
) -> DocumentSuggestionList:
    """Suggest documents and collections whose names have words that begin so."""
    return DocumentSuggestionList(
        items=[DocumentSuggestion.of(each) for each in await wiring.listing(principal).suggest(q)]
    )


@router.get(
    "/counts",
    response_model=DocumentCounts,
    responses=problem_responses(ProjectNotFound, CollectionNotFound, Unprocessable),
)
async def count_documents(
    principal: Reader, project_id: InProject = None, collection_id: InCollection = None
) -> DocumentCounts:
    """Count the documents by state, type and collection."""
    return DocumentCounts.of(await wiring.listing(principal).counts(project_id, collection_id))


def _moment(text: str | None) -> str | None:
    return iso(moments.parse(text, datetime.now(UTC)).timestamp()) if text else None
