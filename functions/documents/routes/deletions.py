"""Deletions of documents over HTTP."""

from fastapi import APIRouter, Response

from almanac.errors import Busy
from almanac.web.app import API_PREFIX
from almanac.web.auth import Editor, Reader
from almanac.web.problems import problem_responses
from documents import wiring
from documents.errors import CollectionReadOnly, DocumentNotDeleted, DocumentNotFound, ReceiptNotFound
from documents.schemas.deletions import DeletionReceipt

router = APIRouter(prefix="/documents", tags=["documents"])


@router.delete(
    "/{document_id}",
    status_code=202,
    response_model=DeletionReceipt,
    responses=problem_responses(DocumentNotFound, CollectionReadOnly, Busy),
)
async def delete_document(principal: Editor, document_id: str, response: Response) -> DeletionReceipt:
    """Delete a document in whatever state it is: it is gone at once, also from search; the receipt says what went."""
    receipt = await wiring.deletions(principal).delete(document_id)
    response.headers["location"] = f"{API_PREFIX}/documents/{document_id}/receipt"
    return DeletionReceipt.of(receipt)


@router.get(
    "/{document_id}/receipt",
    response_model=DeletionReceipt,
    responses=problem_responses(ReceiptNotFound, DocumentNotDeleted),
)
async def get_document_receipt(principal: Reader, document_id: str) -> DeletionReceipt:
    """Show what was removed of a deleted document, and when the last backup of it is gone."""
    return DeletionReceipt.of(await wiring.deletions(principal).receipt(document_id))
