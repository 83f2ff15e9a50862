"""Uploads as callers begin them and are told of them."""

import unicodedata
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from almanac.web.fields import CollectionId, DocumentId, Metadata, Moment, Name, ProjectId, Request
from documents import model
from documents.model import MAX_BYTES
from documents.schemas.documents import BadPage, Document, DocumentType, DocumentVersion, Number, shown
from documents.services.targets import PART_BYTES, Target
from documents.services.uploads import Described, File

MOST_PARTS = -(-MAX_BYTES // PART_BYTES)
_TURNING = frozenset("\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f")
"""Letters that turn the direction of writing: with them a name reads as another one."""


def check_filename(name: str) -> str:
    for letter in name:
        if unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"} or letter in _TURNING:
            raise ValueError(f"the character U+{ord(letter):04X} is not allowed in a file's name")
    if "/" in name or "\\" in name or name in {".", ".."}:
        raise ValueError("a file's name has no path")
    return name


Filename = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=255),
    AfterValidator(check_filename),
    Field(description="The file's name, without a path.", examples=["Requirements.pdf"]),
]
_WORD = "[0-9A-Za-z_.+-]+"
ContentType = Annotated[
    str,
    StringConstraints(max_length=127, pattern=rf"^{_WORD}/{_WORD}(; ?{_WORD}={_WORD})?$"),
    Field(description="What the upload says of its type; the file is read by what it holds.", examples=["text/plain"]),
]
Size = Annotated[int, Field(ge=1, le=MAX_BYTES, description="Bytes, 500 MB at most.", examples=[48213])]
Sha256 = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{64}$"),
    Field(
        description="Of the file, in hex. No other bytes are taken then; those that are there already are recognised.",
        examples=["9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
    ),
]
ANY_TYPE = "application/octet-stream"


class DocumentVersionCreate(Request):
    """A file that is to be uploaded. Above 100 MB it goes in parts, for which its `size` must be given."""

    filename: Filename
    content_type: ContentType = ANY_TYPE
    size: Size | None = None
    sha256: Sha256 | None = None

    def file(self) -> File:
        return File(self.filename, self.content_type, self.size, self.sha256)


class DocumentCreate(DocumentVersionCreate):
    """A new document, and the file that is to be uploaded. Without a title it is called as the file."""

    title: Name | None = Field(default=None, examples=["Requirements"])
    document_type: DocumentType | None = None
    metadata: Metadata = Field(default_factory=dict)
    project_id: ProjectId | None = None
    collection_id: CollectionId | None = Field(default=None, description="The document is then in its project.")

    def described(self) -> Described:
        return Described(self.project_id or "", self.collection_id or "", self.title, self.document_type, self.metadata)


class DocumentUploadPart(BaseModel):
    """A part of exactly `size` bytes, and where to put it (`PUT`). Its answer has the `ETag` to complete with."""

    number: int = Field(examples=[1])
    size: int = Field(examples=[PART_BYTES])
    url: str = Field(examples=["https://bucket.s3.amazonaws.com/..."])


class DocumentUpload(BaseModel):
    """Where the file goes. `post`: as a form with `fields` first and the file last, as `file`. `multipart`: in `parts`.

    The addresses serve until `addresses_expire_at`; a document that still waits is shown with new ones.
    """

    version: Number
    mode: Literal["post", "multipart"]
    url: str | None = Field(examples=["https://bucket.s3.amazonaws.com/"])
    fields: dict[str, str] = Field(examples=[{"key": "...", "policy": "...", "x-amz-signature": "..."}])
    part_size: int | None = Field(examples=[None])
    parts: list[DocumentUploadPart]
    addresses_expire_at: Moment
    expires_at: Moment

    @classmethod
    def of(cls, target: Target) -> Self:
        parts = [
            DocumentUploadPart(number=number, size=size, url=url)
            for number, (size, url) in enumerate(target.parts, start=1)
        ]
        return cls(
            version=target.upload.version,
            mode="multipart" if parts else "post",
            url=target.url,
            fields=target.fields,
            part_size=PART_BYTES if parts else None,
            parts=parts,
            addresses_expire_at=target.addresses_expire_at,
            expires_at=target.upload.expires_at,
        )


class DocumentAccepted(BaseModel):
    """The document, and where its file goes. `duplicate`: it was there with these bytes, and nothing was created."""

    id: DocumentId
    document: Document
    duplicate: bool
    upload: DocumentUpload | None


class DocumentDetail(Document):
    """A document with its newest versions and, for who may write it, where an expected file goes."""

    bad_pages: list[BadPage] = Field(description="Of the newest version.")
    warnings: list[str] = Field(description="Of the newest version.", examples=[[]])
    versions: list[DocumentVersion] = Field(description="The newest ten, newest first.")
    upload: DocumentUpload | None

    @classmethod
    def with_versions(cls, record: model.Document, versions: list[model.Version], target: Target | None) -> Self:
        newest = next((each for each in versions if each.version == record.version), None)
        return cls.model_validate(
            {
                **shown(record),
                "bad_pages": [page.model_dump() for page in newest.bad_pages] if newest else [],
                "warnings": newest.warnings if newest else [],
                "versions": [DocumentVersion.of(each).model_dump() for each in versions[:10]],
                "upload": DocumentUpload.of(target).model_dump() if target else None,
            }
        )


class DocumentUploadedPart(Request):
    """A part that was uploaded, with the `ETag` that was answered."""

    number: int = Field(ge=1, le=MOST_PARTS, examples=[1])
    etag: Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")] = Field(
        examples=['"d41d8cd98f00b204e9800998ecf8427e"']
    )


def _check_once(parts: list[DocumentUploadedPart]) -> list[DocumentUploadedPart]:
    if len({part.number for part in parts}) != len(parts):
        raise ValueError("a part is named twice")
    return parts


class DocumentUploadComplete(Request):
    """All parts of an upload."""

    parts: Annotated[list[DocumentUploadedPart], AfterValidator(_check_once)] = Field(
        min_length=1,
        max_length=MOST_PARTS,
        examples=[[{"number": 1, "etag": '"d41d8cd98f00b204e9800998ecf8427e"'}]],
    )

    def etags(self) -> dict[int, str]:
        return {part.number: part.etag for part in self.parts}
