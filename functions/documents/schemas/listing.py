"""Lists, numbers and suggestions of documents as callers see them."""

from typing import Literal, Self

from pydantic import BaseModel, Field

from almanac.web.fields import CollectionId, NextCursor
from documents import model
from documents.listing import reading
from documents.schemas.documents import Document

_PER = "How many documents there are of each."


class DocumentList(BaseModel):
    """One page of documents, newest first."""

    items: list[Document]
    next_cursor: NextCursor


class DocumentSuggestion(BaseModel):
    """A document or collection whose name has words that begin so."""

    kind: Literal["document", "collection"] = Field(examples=["document"])
    id: str = Field(examples=["doc_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    name: str = Field(description="The title of a document, the name of a collection.", examples=["Annual report"])
    filename: str | None = Field(description="Of a document.", examples=["report-2026.pdf"])

    @classmethod
    def of(cls, found: model.Document | model.Collection) -> Self:
        if isinstance(found, model.Collection):
            return cls(kind="collection", id=found.id, name=found.name, filename=None)
        return cls(kind="document", id=found.id, name=found.title, filename=found.filename)


class DocumentSuggestionList(BaseModel):
    """At most ten suggestions: collections, then documents, the newest first."""

    items: list[DocumentSuggestion]


class CollectionCount(BaseModel):
    """How many documents are in a collection."""

    collection_id: CollectionId
    count: int = Field(examples=[12])


class DocumentCounts(BaseModel):
    """How many documents the caller sees."""

    total: int = Field(examples=[14])
    is_complete: bool = Field(description="False where there are more than the 10,000 newest, which were counted.")
    states: dict[str, int] = Field(description=_PER, examples=[{"ready": 12, "failed": 2}])
    media_types: dict[str, int] = Field(description=_PER, examples=[{"application/pdf": 14}])
    document_types: dict[str, int] = Field(description=_PER, examples=[{"contract": 3}])
    collections: list[CollectionCount]

    @classmethod
    def of(cls, counts: reading.Counts) -> Self:
        collections = [
            CollectionCount(collection_id=name, count=count) for name, count in counts.collections.most_common()
        ]
        return cls(
            total=counts.total,
            is_complete=counts.is_complete,
            states=counts.states,
            media_types=counts.media_types,
            document_types=counts.document_types,
            collections=collections,
        )
