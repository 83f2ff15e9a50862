"""Analyses of documents, and commitments across a project's, over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import StringConstraints

from almanac.errors import Unprocessable
from almanac.web.auth import Reader
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from documents import wiring
from documents.analysis.commitments import CommitmentStatus
from documents.analysis.reports import MOST_DOCUMENTS, AnalysisNotFound
from documents.errors import DocumentNotFound, DocumentVersionNotFound, NothingUploaded, ProjectNotFound
from documents.schemas.analysis import CommitmentList, DocumentAnalysis, ProjectCommitment

router = APIRouter(tags=["documents"])

OfVersion = Annotated[
    int | None, Query(ge=1, le=10**6, description="Default: the one that search answers from.", examples=[1])
]
ProjectPath = Annotated[str, Path(examples=["prj_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
Who = Annotated[
    Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)] | None,
    Query(description="A name, or part of one: whose promises.", examples=["Ann"]),
]
OfStatus = Annotated[CommitmentStatus | None, Query(description="What became of them.", examples=["open"])]


@router.get(
    "/documents/{document_id}/analysis",
    response_model=DocumentAnalysis,
    responses=problem_responses(
        DocumentNotFound, DocumentVersionNotFound, AnalysisNotFound, NothingUploaded, Unprocessable
    ),
)
async def get_document_analysis(principal: Reader, document_id: str, version: OfVersion = None) -> DocumentAnalysis:
    """Show what a document says about its project: actions, decisions, risks, dates, names and open questions."""
    return DocumentAnalysis.of(await wiring.reports(principal).analysis(document_id, version))


@router.get(
    "/projects/{project_id}/commitments",
    response_model=CommitmentList,
    responses=problem_responses(ProjectNotFound, InvalidCursor, Unprocessable),
)
async def list_commitments(
    principal: Reader,
    project_id: ProjectPath,
    status: OfStatus = None,
    who: Who = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> CommitmentList:
    """List what was promised in a project's documents, and what later ones say of it."""
    listing = f"commitments?project_id={project_id}&status={status or ''}&who={who or ''}"
    after = await wiring.cursor_secrets().start_after(principal.tenant_id, listing, cursor)
    found = await wiring.reports(principal).commitments(project_id, status, who)
    rest = [each for each in found.items if after is None or each.key > after]
    page = rest[:limit]
    return CommitmentList(
        items=[ProjectCommitment.of(each) for each in page],
        next_cursor=await wiring.cursor_secrets().next_cursor(
            principal.tenant_id, listing, page[-1].key if len(rest) > limit else None
        ),
        documents_compared=found.compared,
        documents_not_analysed=found.not_analysed,
        matched_by="words+vectors" if found.by_vectors else "words",
        documents_by_words=found.compared - found.by_vectors,
        document_limit=MOST_DOCUMENTS,
        is_complete=found.is_complete,
    )
