"""Messages as callers send and see them."""

from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints

from almanac.clock import iso
from almanac.text.secrets import clean
from almanac.web.fields import (
    CheckpointId,
    MessageId,
    Metadata,
    Moment,
    Name,
    NextCursor,
    ProjectId,
    Request,
    Update,
    Version,
    optional,
)
from projects import model
from projects.model import IndexedState

MAX_CONTENT_BYTES = 1_048_576
LISTED_CONTENT_BYTES = 4096
"""Content up to this size is listed whole; of larger content, only the beginning."""
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _check_size(content: str) -> str:
    size = len(content.encode())
    if size > MAX_CONTENT_BYTES:
        raise ValueError(f"the content has {size} bytes of UTF-8; at most {MAX_CONTENT_BYTES} (1 MB) are taken")
    return content


def _check_moment(moment: datetime) -> datetime:
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError("the time lies outside the years 1900 to 2199")
    return moment


Content = Annotated[
    str,
    StringConstraints(min_length=1),
    AfterValidator(_check_size),
    Field(description="Text of 1 character up to 1 MB (1,048,576 bytes of UTF-8)."),
]
Author = Annotated[Name | None, Field(description="Who wrote it.", examples=["Ann Lee"])]
Occurred = Annotated[AwareDatetime, AfterValidator(_check_moment)]
_CONTENT = "We decided to keep invoices for ten years."


class MessageCreate(Request):
    """A new message of a checkpoint."""

    checkpoint_id: CheckpointId
    content: Content = Field(examples=[_CONTENT])
    author: Author = None
    metadata: Metadata = Field(default_factory=dict)
    occurred_at: Occurred | None = Field(
        default=None, description="When it was written. Default: now.", examples=["2026-01-31T12:00:00+01:00"]
    )

    def occurred(self) -> str | None:
        return _utc(self.occurred_at) if self.occurred_at else None


class MessageUpdate(Update):
    """Changes of a message. `metadata` is replaced as a whole; a null `author` is removed."""

    content: Content = optional(examples=[_CONTENT])
    author: Author = optional()
    metadata: Metadata = optional()
    occurred_at: Occurred = optional(examples=["2026-01-31T12:00:00+01:00"])

    def changes(self) -> dict[str, object]:
        given = super().changes()
        return given | {"occurred_at": _utc(self.occurred_at)} if "occurred_at" in given else given


class MessageAccepted(BaseModel):
    """Which message holds the content now."""

    id: MessageId
    status: Literal["created", "duplicate"] = Field(
        description="`duplicate`: the checkpoint had a message with this content, and `id` is its id."
    )


class Indexed(BaseModel):
    """Whether search finds the current version, and if it never will, why."""

    state: IndexedState
    at: str | None = Field(default=None, description="When it became searchable, or failed.")
    chunks: int | None = Field(default=None, examples=[1])
    code: str | None = Field(default=None, description="Of the failure.")
    cause: str | None = Field(default=None, description="Of the failure, in words.")


class MessageBase(BaseModel):
    id: MessageId
    project_id: ProjectId
    checkpoint_id: CheckpointId
    author: str | None = Field(examples=["Ann Lee"])
    metadata: dict[str, str] = Field(examples=[{"environment": "production"}])
    occurred_at: Moment
    content_sha256: str = Field(description="Of the UTF-8 text.")
    content_bytes: int = Field(description="Of the UTF-8 text.", examples=[42])
    indexed: Indexed
    version: Version
    created_at: Moment
    updated_at: Moment


class Message(MessageBase):
    """A message with its whole content."""

    content: str = Field(examples=[_CONTENT])

    @classmethod
    def of(cls, record: model.Message, content: str) -> Self:
        return cls.model_validate({**record.model_dump(), "content": content})


class MessageSummary(MessageBase):
    """A message as lists show it: with asterisks in the place of secrets."""

    preview: str = Field(description="The first 1,000 characters.", examples=[_CONTENT])
    content: str | None = Field(
        description="The whole content, or null when it has more than 4,096 bytes: then get the message itself.",
        examples=[_CONTENT],
    )

    @classmethod
    def of(cls, record: model.Message) -> Self:
        """Render a message. Blocks while its text is looked through: for threads."""
        short = record.content is not None and record.content_bytes <= LISTED_CONTENT_BYTES
        content = clean(record.content) if short and record.content is not None else None
        return cls.model_validate({**record.model_dump(), "content": content, "preview": clean(record.preview)})


class MessageList(BaseModel):
    """One page of messages, oldest first."""

    items: list[MessageSummary]
    next_cursor: NextCursor


def _utc(moment: datetime) -> str:
    return iso(moment.timestamp())
