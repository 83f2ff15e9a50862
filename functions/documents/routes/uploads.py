"""Uploads over HTTP. Files go straight to the bucket; small ones may come along with the call."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from almanac.errors import Busy, Unprocessable
from almanac.limits.quotas import QuotaExceeded
from almanac.web.app import API_PREFIX
from almanac.web.auth import Editor
from almanac.web.fields import CollectionId, Name, ProjectId
from almanac.web.idempotency import IdempotencyKey, IdempotencyKeyReused
from almanac.web.problems import problem_responses
from documents import wiring
from documents.errors import (
    CollectionNotFound,
    CollectionReadOnly,
    DirectUploadTooLarge,
    DocumentNotFound,
    EmptyFile,
    InvalidParts,
    ProjectNotFound,
    UploadNotFound,
    UploadNotInParts,
    UploadPending,
    WrongProject,
)
from documents.model import DIRECT_BYTES
from documents.schemas.documents import Document, DocumentType
from documents.schemas.uploads import (
    ANY_TYPE,
    ContentType,
    DocumentAccepted,
    DocumentCreate,
    DocumentUpload,
    DocumentUploadComplete,
    DocumentVersionCreate,
    Filename,
)
from documents.services.uploads import Begun, Described

router = APIRouter(prefix="/documents", tags=["documents"])

_THERE: dict[int | str, dict[str, Any]] = {
    200: {"model": DocumentAccepted, "description": "There is a document with these bytes in the place"}
}
_RAW: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "The file, at most 4 MB.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_PLACE = (ProjectNotFound, CollectionNotFound, CollectionReadOnly, WrongProject, QuotaExceeded, Unprocessable, Busy)

Named = Annotated[Filename, Query()]
Typed = Annotated[ContentType, Query()]


@router.post(
    "",
    status_code=201,
    response_model=DocumentAccepted,
    responses={**_THERE, **problem_responses(*_PLACE, IdempotencyKeyReused)},
)
async def create_document(
    principal: Editor, body: DocumentCreate, response: Response, idempotency_key: IdempotencyKey = None
) -> DocumentAccepted:
    """Create a document, and be told where its file goes. It is read when the file has arrived."""
    begun = await wiring.uploads(principal).begin(
        body.described(), body.file(), idempotency_key, body.model_dump_json()
    )
    return _accepted(begun, response, 201)


@router.post(
    "/content",
    status_code=202,
    response_model=DocumentAccepted,
    responses={
        **_THERE,
        **problem_responses(*_PLACE, IdempotencyKeyReused, EmptyFile, DirectUploadTooLarge),
    },
    openapi_extra=_RAW,
)
async def create_document_from_content(
    principal: Editor,
    request: Request,
    response: Response,
    filename: Named,
    content_type: Typed = ANY_TYPE,
    title: Annotated[Name | None, Query()] = None,
    document_type: Annotated[DocumentType | None, Query()] = None,
    project_id: Annotated[ProjectId | None, Query()] = None,
    collection_id: Annotated[CollectionId | None, Query()] = None,
    idempotency_key: IdempotencyKey = None,
) -> DocumentAccepted:
    """Create a document from the body of the call, and have it read."""
    described = Described(project_id or "", collection_id or "", title, document_type)
    body = await _body(request)
    begun = await wiring.uploads(principal).bring(described, filename, content_type, body, idempotency_key)
    return _accepted(begun, response, 202)


@router.post(
    "/{document_id}/versions",
    status_code=201,
    response_model=DocumentAccepted,
    responses={
        **_THERE,
        **problem_responses(DocumentNotFound, CollectionReadOnly, UploadPending, QuotaExceeded, Unprocessable, Busy),
    },
)
async def create_document_version(
    principal: Editor, document_id: str, body: DocumentVersionCreate, response: Response
) -> DocumentAccepted:
    """Have a document expect a further file; search answers from the one before until it is read."""
    return _accepted(await wiring.uploads(principal).begin_version(document_id, body.file()), response, 201)


@router.put(
    "/{document_id}/content",
    status_code=202,
    response_model=DocumentAccepted,
    responses={
        **_THERE,
        **problem_responses(
            DocumentNotFound, CollectionReadOnly, QuotaExceeded, Unprocessable, EmptyFile, DirectUploadTooLarge, Busy
        ),
    },
    openapi_extra=_RAW,
)
async def put_document_content(
    principal: Editor,
    document_id: str,
    request: Request,
    response: Response,
    filename: Named,
    content_type: Typed = ANY_TYPE,
) -> DocumentAccepted:
    """Give a document the body of the call as the file that it expects, or else as a further one."""
    body = await _body(request)
    begun = await wiring.uploads(principal).bring_version(document_id, filename, content_type, body)
    return _accepted(begun, response, 202)


@router.post(
    "/{document_id}/upload/complete",
    status_code=202,
    response_model=Document,
    responses=problem_responses(
        DocumentNotFound, CollectionReadOnly, UploadNotFound, UploadNotInParts, InvalidParts, Unprocessable
    ),
)
async def complete_document_upload(principal: Editor, document_id: str, body: DocumentUploadComplete) -> Document:
    """Put the parts of an upload together; the document is read then."""
    return Document.of(await wiring.uploads(principal).complete(document_id, body.etags()))


@router.delete(
    "/{document_id}/upload",
    status_code=204,
    response_model=None,
    responses=problem_responses(DocumentNotFound, CollectionReadOnly, UploadNotFound, Busy),
)
async def give_up_document_upload(principal: Editor, document_id: str) -> None:
    """Expect a file no longer; what was uploaded of it is removed."""
    await wiring.uploads(principal).give_up(document_id)


async def _body(request: Request) -> bytes:
    """Return the file that came along; raises `DirectUploadTooLarge`."""
    body = await request.body()
    if len(body) > DIRECT_BYTES:
        raise DirectUploadTooLarge(DIRECT_BYTES)
    return body


def _accepted(begun: Begun, response: Response, status: int) -> DocumentAccepted:
    document = begun.document
    response.status_code = 200 if begun.duplicate else status
    response.headers["location"] = f"{API_PREFIX}/documents/{document.id}"
    upload = DocumentUpload.of(begun.target) if begun.target else None
    return DocumentAccepted(id=document.id, document=Document.of(document), duplicate=begun.duplicate, upload=upload)
