"""Documents as callers see and change them."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, StringConstraints

from almanac.web.fields import CollectionId, DocumentId, Metadata, Moment, Name, ProjectId, Request, optional
from documents import model
from documents.model import DocumentState, Step

DocumentType = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[\w .:/&-]+$"),
    Field(description="What the document is to you.", examples=["contract"]),
]
Edits = Annotated[int, Field(description="Counts the edits; an update sends it back.", examples=[1])]
Number = Annotated[int, Field(description="Counts the files that were uploaded.", examples=[1])]
_NAME, _SHA256 = "Requirements.pdf", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


class DocumentCause(BaseModel):
    """Why something ended as it did, and what to do."""

    code: str = Field(examples=["encrypted"])
    message: str = Field(examples=["The file can only be read with its password."])
    way_out: str = Field(examples=["Reprocess the document with the password."])


class BadPage(BaseModel):
    """A page that could not be read; the others could."""

    number: int = Field(examples=[12])
    label: str = Field(description="What a reader knows it by.", examples=["page 12"])
    code: str = Field(examples=["corrupt"])
    message: str = Field(examples=["The page is damaged."])


class JobCounts(BaseModel):
    """How far a job is. `pages` and `chunks` grow until all is read; `embedded` are chunks."""

    pages: int = Field(examples=[120])
    read: int = Field(examples=[60])
    bad: int = Field(examples=[0])
    chunks: int = Field(examples=[180])
    embedded: int = Field(examples=[90])
    parts: int = Field(description="Groups of pages that are read on their own.", examples=[7])
    parts_read: int = Field(examples=[3])
    parts_indexed: int = Field(examples=[1])
    parts_failed: int = Field(examples=[0])


class DocumentJob(BaseModel):
    """How a version is being read, or was. `percent` never goes back."""

    version: Number
    reason: Literal["upload", "reprocess", "restore", "move"]
    step: Step
    percent: int = Field(ge=0, le=100, examples=[42])
    counts: JobCounts
    started_at: Moment
    deadline_at: Moment


class Document(BaseModel):
    """A document. `version` is its newest file, 0 before the first; search answers from `shown_version`."""

    id: DocumentId
    project_id: ProjectId | None
    collection_id: CollectionId | None
    filename: str = Field(examples=[_NAME])
    title: str = Field(examples=["Requirements"])
    document_type: str | None = Field(examples=["contract"])
    metadata: dict[str, str] = Field(examples=[{"environment": "production"}])
    media_type: str | None = Field(description="Of the content, whatever the name says.", examples=["application/pdf"])
    size: int = Field(description="Bytes of the newest file.", examples=[48213])
    sha256: str | None = Field(description="Of the newest file, in hex.", examples=[_SHA256])
    state: DocumentState
    cause: DocumentCause | None = Field(description="Why it ended so, where it is not ready.")
    version: Number
    shown_version: int = Field(description="What search answers from; 0 for none yet.", examples=[1])
    pages: int = Field(description="Of the shown version.", examples=[120])
    job: DocumentJob | None
    edits: Edits
    created_by: str = Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    created_at: Moment
    updated_at: Moment

    @classmethod
    def of(cls, record: model.Document) -> Self:
        return cls.model_validate(shown(record))


class DocumentVersion(BaseModel):
    """One file of a document. `duplicate_of` is the version that has the same bytes: then this one was not kept."""

    version: Number
    filename: str = Field(examples=[_NAME])
    media_type: str | None = Field(examples=["application/pdf"])
    size: int = Field(examples=[48213])
    sha256: str = Field(examples=[_SHA256])
    state: DocumentState
    cause: DocumentCause | None
    pages: int = Field(examples=[120])
    bad_pages: list[BadPage]
    warnings: list[str] = Field(examples=[["The hidden sheet Draft was left out."]])
    duplicate_of: int | None
    uploaded_by: str = Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    written_at: Moment
    ended_at: Moment | None

    @classmethod
    def of(cls, record: model.Version) -> Self:
        return cls.model_validate(record.model_dump())


class DocumentVersionList(BaseModel):
    """All versions, newest first."""

    items: list[DocumentVersion]


class DocumentUpdate(Request):
    """Changes of a document. `metadata` is replaced as a whole; null takes a document out of its type or its place.

    One that is moved leaves the old place at once, also in search, and is found in the new one when its text was sent
    there.
    """

    edits: int = Field(
        ge=1,
        le=2**53,
        description="The `edits` that were read. When they are no longer current, nothing is changed (409).",
        examples=[1],
    )
    title: Name = optional(examples=["Requirements"])
    document_type: DocumentType | None = optional(examples=["contract"])
    metadata: Metadata = optional()
    project_id: ProjectId | None = optional()
    collection_id: CollectionId | None = optional()

    def changes(self) -> dict[str, object]:
        """Return what was given, without the edits."""
        return self.model_dump(exclude_unset=True, exclude={"edits"})


class DocumentDownload(BaseModel):
    """Where the file can be had for a while, by whoever has the address."""

    filename: str = Field(examples=[_NAME])
    url: str = Field(examples=["https://bucket.s3.amazonaws.com/..."])
    expires_at: Moment


class PagePlace(BaseModel):
    """Where a page stands in its file."""

    unit: Literal["page", "slide", "sheet", "section", "attachment"]
    number: int = Field(examples=[12])
    label: str = Field(examples=["page 12"])
    sheet: str | None = Field(examples=[None])
    first_row: int | None = Field(examples=[None])
    first_column: int | None = Field(examples=[None])
    columns: int | None = Field(examples=[None])
    data_row: int | None = Field(examples=[None])


class DocumentPage(BaseModel):
    """The text of a page, as Markdown. `whole`: nothing was cut off."""

    number: int = Field(examples=[12])
    place: PagePlace | None
    text: str = Field(examples=["# Scope\n\nInvoices are kept for ten years."])
    whole: bool


class DocumentText(BaseModel):
    """Pages of a version; secrets in them are masked. `next_first` is the page to go on with, null at the end."""

    version: Number
    items: list[DocumentPage]
    next_first: int | None = Field(examples=[None])


def shown(record: model.Document) -> dict[str, Any]:
    """Return a document as its schemas take it."""
    empty = {"project_id": record.project_id or None, "collection_id": record.collection_id or None}
    return {**record.model_dump(exclude={"upload"}), **empty, "pages": record.shown_pages}
