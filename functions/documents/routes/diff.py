"""What changed between two versions, over HTTP."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query

from almanac.aws.clients import StoreUnavailable
from almanac.errors import Unprocessable
from almanac.web.auth import Reader
from almanac.web.pagination import Cursor, InvalidCursor
from almanac.web.problems import problem_responses
from documents import wiring
from documents.diff import saying
from documents.diff.errors import TooLongToCompare, VersionWithoutText
from documents.errors import DocumentNotFound, DocumentVersionNotFound
from documents.schemas.diff import DiffChange, DocumentDiff

MOST_SUMMED_UP = 20

router = APIRouter(prefix="/documents", tags=["documents"])

From = Annotated[int, Query(alias="from", ge=1, le=999_999, description="The version to begin with.", examples=[3])]
To = Annotated[int, Query(alias="to", ge=1, le=999_999, description="The version to compare it with.", examples=[5])]


@router.get(
    "/{document_id}/diff",
    response_model=DocumentDiff,
    responses=problem_responses(
        DocumentNotFound,
        DocumentVersionNotFound,
        VersionWithoutText,
        TooLongToCompare,
        InvalidCursor,
        Unprocessable,
        StoreUnavailable,
    ),
)
async def compare_document_versions(
    principal: Reader,
    document_id: str,
    from_version: From,
    to_version: To,
    limit: Annotated[int, Query(ge=1, le=100, description="How many changes to return.")] = 50,
    cursor: Cursor = None,
) -> DocumentDiff:
    """Show what changed from one version of a document to another, in words and in passages; secrets are masked."""
    compared = await wiring.diffs(principal).compare(document_id, from_version, to_version)
    cursors = await wiring.cursor_secrets().cursors(principal.tenant_id)
    # A version that was read anew since the page before may differ elsewhere: its cursor is of another list.
    query = f"diff/{document_id}/{from_version}/{to_version}/{compared.revisions}"
    start = int(cursors.decode(query, cursor)["after"]) if cursor else 0
    found = compared.passages
    shown = await asyncio.to_thread(lambda: [DiffChange.of(each) for each in found[start : start + limit]])
    counts = saying.counted(found)
    return DocumentDiff.model_validate(
        {
            "document_id": document_id,
            "from_version": from_version,
            "to_version": to_version,
            "summary": [saying.overview(counts), *(saying.sentence(each) for each in found[:MOST_SUMMED_UP])],
            "counts": counts,
            "items": shown,
            "next_cursor": cursors.encode(query, {"after": start + limit}) if start + limit < len(found) else None,
        }
    )
