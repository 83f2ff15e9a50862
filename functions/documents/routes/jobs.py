"""The jobs of documents over HTTP."""

from fastapi import APIRouter

from almanac.errors import Busy, Unprocessable
from almanac.web.auth import Editor
from almanac.web.problems import problem_responses
from documents import wiring
from documents.errors import CollectionReadOnly, DocumentNotFound, NothingUploaded
from documents.jobs.service import DocumentNotProcessing, DocumentProcessing
from documents.schemas.documents import Document
from documents.schemas.jobs import Reprocess

router = APIRouter(prefix="/documents", tags=["documents"])


@router.post(
    "/{document_id}/cancel",
    response_model=Document,
    responses=problem_responses(DocumentNotFound, CollectionReadOnly, DocumentNotProcessing, Busy),
)
async def cancel_document(principal: Editor, document_id: str) -> Document:
    """End the job that reads a document; search goes on answering from the version before."""
    return Document.of(await wiring.jobs(principal).cancel(document_id))


@router.post(
    "/{document_id}/reprocess",
    status_code=202,
    response_model=Document,
    responses=problem_responses(
        DocumentNotFound, CollectionReadOnly, NothingUploaded, DocumentProcessing, Unprocessable, Busy
    ),
)
async def reprocess_document(principal: Editor, document_id: str, body: Reprocess | None = None) -> Document:
    """Read the newest version again, also one that failed: with a password, or with the text in its pictures."""
    given = body or Reprocess()
    return Document.of(await wiring.jobs(principal).reprocess(document_id, given.secret(), ocr=given.ocr))
