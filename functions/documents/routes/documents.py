"""Documents over HTTP: what they are, their versions, their files and texts."""

import time
from typing import Annotated

from fastapi import APIRouter, Path, Query

from almanac.access import Permission
from almanac.aws.clients import StoreUnavailable
from almanac.clock import iso
from almanac.errors import Busy, Unprocessable
from almanac.web.auth import Editor, Reader
from almanac.web.problems import problem_responses
from documents import wiring
from documents.errors import (
    CollectionNotFound,
    CollectionReadOnly,
    DocumentNotFound,
    DocumentVersionNotFound,
    DuplicateDocument,
    EditConflict,
    NothingUploaded,
    ProjectNotFound,
    WrongProject,
)
from documents.schemas.documents import (
    Document,
    DocumentDownload,
    DocumentPage,
    DocumentText,
    DocumentUpdate,
    DocumentVersion,
    DocumentVersionList,
)
from documents.schemas.uploads import DocumentDetail
from documents.services.documents import DOWNLOAD_SECONDS
from documents.services.texts import MOST_PAGES

router = APIRouter(prefix="/documents", tags=["documents"])

OfVersion = Annotated[int | None, Query(ge=1, le=10**6, description="Default: the newest.", examples=[1])]


@router.get("/{document_id}", response_model=DocumentDetail, responses=problem_responses(DocumentNotFound))
async def get_document(principal: Reader, document_id: str) -> DocumentDetail:
    """Show a document: how far it is, what could not be read, its versions, and where an expected file goes."""
    document, versions, writable = await wiring.documents(principal).get(document_id)
    may_upload = writable and principal.may(Permission.CONTENT_WRITE)
    target = await wiring.uploads(principal).target(document) if may_upload else None
    return DocumentDetail.with_versions(document, versions, target)


@router.patch(
    "/{document_id}",
    response_model=Document,
    responses=problem_responses(
        DocumentNotFound,
        ProjectNotFound,
        CollectionNotFound,
        CollectionReadOnly,
        EditConflict,
        DuplicateDocument,
        WrongProject,
        Unprocessable,
        Busy,
    ),
)
async def update_document(principal: Editor, document_id: str, body: DocumentUpdate) -> Document:
    """Change what is said of a document, or move it to another project or collection."""
    return Document.of(await wiring.documents(principal).update(document_id, body.edits, body.changes()))


@router.get(
    "/{document_id}/download",
    response_model=DocumentDownload,
    responses=problem_responses(DocumentNotFound, DocumentVersionNotFound, NothingUploaded, Unprocessable),
)
async def download_document(principal: Reader, document_id: str, version: OfVersion = None) -> DocumentDownload:
    """Say where a version's file can be downloaded for a quarter of an hour, as it was uploaded."""
    until = iso(time.time() + DOWNLOAD_SECONDS)
    filename, url = await wiring.documents(principal).download(document_id, version)
    return DocumentDownload(filename=filename, url=url, expires_at=until)


@router.get(
    "/{document_id}/text",
    response_model=DocumentText,
    responses=problem_responses(
        DocumentNotFound, DocumentVersionNotFound, NothingUploaded, Unprocessable, StoreUnavailable
    ),
)
async def get_document_text(
    principal: Reader,
    document_id: str,
    version: Annotated[
        int | None, Query(ge=1, le=10**6, description="Default: the one that search answers from.", examples=[1])
    ] = None,
    first: Annotated[int, Query(ge=1, le=10**6, description="The first page.")] = 1,
    last: Annotated[
        int | None, Query(ge=1, le=10**6, description=f"The last page. An answer holds at most {MOST_PAGES}.")
    ] = None,
) -> DocumentText:
    """Show the text of a document's pages; secrets in it are masked."""
    text = await wiring.texts(principal).read(document_id, version, first, last)
    items = [
        DocumentPage.model_validate({**vars(page), "place": page.place.model_dump() if page.place else None})
        for page in text.pages
    ]
    return DocumentText(version=text.version, items=items, next_first=text.next)


@router.get(
    "/{document_id}/versions", response_model=DocumentVersionList, responses=problem_responses(DocumentNotFound)
)
async def list_document_versions(principal: Reader, document_id: str) -> DocumentVersionList:
    """List the files that were uploaded to a document, newest first."""
    versions = await wiring.documents(principal).versions(document_id)
    return DocumentVersionList(items=[DocumentVersion.of(each) for each in versions])


@router.get(
    "/{document_id}/versions/{version}",
    response_model=DocumentVersion,
    responses=problem_responses(DocumentNotFound, DocumentVersionNotFound, Unprocessable),
)
async def get_document_version(
    principal: Reader, document_id: str, version: Annotated[int, Path(ge=1, le=10**6, examples=[1])]
) -> DocumentVersion:
    """Show one version of a document."""
    return DocumentVersion.of(await wiring.documents(principal).version(document_id, version))
