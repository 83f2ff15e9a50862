"""The slice's records, and the one place where each becomes an item and is read back.

A record holds no tenant: the tenant is in the key, and `to_item` is told it.

Three numbers count: `version` the files that were uploaded to a document, `revision` the times that one of them was
read (the index knows a page's sources by it, so that whatever was read later replaces what was read before), `change`
every write to the document's item.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from almanac.aws import keys
from almanac.aws.table import Item
from almanac.visible import Visibility

MAX_BYTES = 500 * 1024 * 1024
MULTIPART_BYTES = 100 * 1024 * 1024
DIRECT_BYTES = 4 * 1024 * 1024
"""What fits into one call of a function, written in base64."""


class DocumentState(StrEnum):
    """What a document is to its readers.

    `awaiting`: no byte has arrived yet. `processing`: a job reads it. `ready`: all of its newest version is searchable;
    `partial`: all that could be read is, and the rest is named. `failed`, `cancelled`, `expired`: it ended with a
    `cause`; what an earlier version gave stays searchable. `deleting` answers like one that does not exist.
    """

    AWAITING = "awaiting"
    PROCESSING = "processing"
    READY = "ready"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DELETING = "deleting"


class Step(StrEnum):
    """Where a job is, in this order."""

    UPLOADED = "uploaded"
    READING = "reading"
    CHUNKING = "chunking"
    EMBEDDING = "embedding"
    ANALYSING = "analysing"
    READY = "ready"


class Cause(BaseModel):
    """Why something ended: a stable code, what happened, and what to do, in words for a person."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    way_out: str = ""


class BadPage(BaseModel):
    """A page that could not be read. `label` is the one that a reader knows it by."""

    model_config = ConfigDict(frozen=True)

    number: int
    label: str
    code: str
    message: str


class Counts(BaseModel):
    """How far a job is. `pages` and `chunks` grow until reading has ended; `embedded` are chunks.

    Of the `parts`, `parts_read` have been read as far as they can be; `parts_failed` will not be searchable.
    """

    model_config = ConfigDict(frozen=True)

    pages: int = 0
    read: int = 0
    bad: int = 0
    chunks: int = 0
    embedded: int = 0
    parts: int = 0
    parts_read: int = 0
    parts_indexed: int = 0
    parts_failed: int = 0


class Job(BaseModel):
    """The reading of one version as one revision. `deadline_at` and `heartbeat_at` are ISO times.

    `percent` never goes back. `whole`: nothing is sent to the index before all was read, since an earlier version
    answers until then. `planned`: all parts exist, of `unit`s. `ocr`: pages without text are to be
    looked at as images. `told_at` is when those who follow it heard of it last. Its pages are sent under `title`: one
    that the document is given meanwhile is brought to search when the job has ended.
    """

    model_config = ConfigDict(frozen=True)

    revision: int
    version: int
    reason: Literal["upload", "reprocess", "restore", "move"] = "upload"
    step: Step = Step.UPLOADED
    counts: Counts = Counts()
    percent: int = 0
    whole: bool = False
    planned: bool = False
    started_at: str
    heartbeat_at: str
    deadline_at: str
    unit: str = "page"
    ocr: bool = False
    told_at: str = ""
    title: str = ""


class Upload(BaseModel):
    """A file that is expected. `sha256` is hex; `size` and `sha256` are None where the caller did not promise them.

    `begun_by` is who may be named as the one that uploaded it; its arrival goes on under `correlation_id`.
    """

    model_config = ConfigDict(frozen=True)

    version: int
    mode: Literal["post", "multipart", "direct"]
    filename: str
    content_type: str
    size: int | None = None
    sha256: str | None = None
    multipart_id: str | None = None
    begun_by: str
    begun_at: str
    correlation_id: str
    expires_at: str


class Document(BaseModel):
    """A document. `project_id` and `collection_id` are empty for none; one in a collection is in that one's project.

    `version` is the newest that arrived, 0 before the first. `uploads` were begun: each has a number of its own, the
    version that it becomes, so that numbers of uploads that came to nothing are missing. Search answers from
    `shown_revision`, which read `shown_version` and gave `shown_pages` sources under `shown_title`. `pages_sent` is the
    most that any revision gave the index: so many sources may exist. `sent_revision` is the newest that gave it any:
    search answers from one revision alone where it is the one shown. A move took all up to `erased_revision` out of
    search. `edits` counts what users changed (their optimistic lock), `due_at` is when the watchdog looks.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    project_id: str = ""
    collection_id: str = ""
    filename: str
    title: str
    document_type: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    media_type: str | None = None
    size: int = 0
    sha256: str | None = None
    state: DocumentState = DocumentState.AWAITING
    cause: Cause | None = None
    version: int = 0
    uploads: int = 0
    revision: int = 0
    shown_version: int = 0
    shown_revision: int = 0
    shown_pages: int = 0
    shown_title: str = ""
    sent_revision: int = 0
    pages_sent: int = 0
    erased_revision: int = 0
    job: Job | None = None
    upload: Upload | None = None
    change: int = 1
    edits: int = 1
    created_by: str
    created_at: str
    updated_at: str
    due_at: str | None = None

    @property
    def container_id(self) -> str:
        """Whose drop hides it, and what search narrows by: its collection, else its project."""
        return self.collection_id or self.project_id

    @property
    def owners(self) -> tuple[str, ...]:
        """What a caller must see to see the document."""
        return tuple(owner for owner in (self.project_id, self.collection_id) if owner)

    def source_id(self, page: int) -> str:
        """What the index knows a page by, numbered from 1. Example: `document:doc_1:000012`."""
        return f"document:{self.id}:{page:06d}"

    def to_item(self, tenant_id: str) -> Item:
        item = {
            **keys.document(tenant_id, self.id).as_dict(),
            "entity": "document",
            "gsi1pk": keys.documents(tenant_id),
            "gsi1sk": self.id,
            **self.model_dump(),
        }
        if self.state is DocumentState.DELETING:
            del item["gsi1pk"], item["gsi1sk"]
        if self.due_at is not None:
            item |= {"gsi2pk": keys.due_documents(), "gsi2sk": f"{self.due_at}#{self.id}"}
        return item

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate(item)


class Version(BaseModel):
    """One file of a document. `revision` is the one that read it last; `written_at` is when its bytes arrived.

    Search as of `written_at` answers from it. `object_version` is what the bucket calls these very bytes, empty where
    it keeps no versions. `duplicate_of` is the version that has the same bytes; then these were not kept.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int
    revision: int = 0
    filename: str
    media_type: str | None = None
    size: int
    sha256: str
    state: DocumentState
    pages: int = 0
    parts: int = 0
    bad_pages: list[BadPage] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)
    cause: Cause | None = None
    uploaded_by: str
    object_version: str = ""
    duplicate_of: int | None = None
    written_at: str
    ended_at: str | None = None

    def to_item(self, tenant_id: str, document_id: str) -> Item:
        key = keys.document_version(tenant_id, document_id, self.version)
        return {**key.as_dict(), "entity": "document_version", **self.model_dump()}

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate(item)


class PartState(StrEnum):
    """How far a part is. `read`: its text lies in the bucket. `sent`: the index has it. `indexed`: it is searchable."""

    WAITING = "waiting"
    READ = "read"
    SENT = "sent"
    INDEXED = "indexed"
    FAILED = "failed"


class Part(BaseModel):
    """A group of pages of one revision. Pages `first` to `last` are of the file; they give sources from `offset` + 1.

    The text is the object `keys.document_text`: a source for each of its `pages`, without text for one that could not
    be read. A part whose `first` is 0 is the last of a revision: sources that only hide what an earlier one gave.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    part: int
    first: int
    last: int
    offset: int = 0
    state: PartState = PartState.WAITING
    pages: int = 0
    chunks: int = 0
    characters: int = 0
    bad_pages: list[BadPage] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)

    def to_item(self, tenant_id: str, document_id: str, revision: int) -> Item:
        key = keys.document_part(tenant_id, document_id, revision, self.part)
        return {**key.as_dict(), "entity": "document_part", "revision": revision, **self.model_dump()}

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate(item)


class Collection(BaseModel):
    """Documents that belong together, in a project or in none. A private one is seen by its members alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    project_id: str = ""
    name: str
    description: str = ""
    visibility: Visibility = Visibility.TENANT
    state: Literal["active", "deleting"] = "active"
    version: int = 1
    created_by: str
    created_at: str
    updated_at: str

    def to_item(self, tenant_id: str) -> Item:
        return {
            **keys.collection(tenant_id, self.id).as_dict(),
            "entity": "collection",
            "gsi1pk": keys.collections(tenant_id),
            "gsi1sk": self.id,
            **self.model_dump(),
        }

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate(item)
