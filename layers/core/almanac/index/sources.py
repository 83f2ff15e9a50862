"""What becomes searchable: sources, and the batches in which they travel to the embedding worker."""

from datetime import datetime
from enum import StrEnum
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """What a hit is, as a user filters for it."""

    CODE = "code"
    COMMIT = "commit"
    MESSAGE = "message"
    DOCUMENT = "document"


class SourceRef(BaseModel):
    """One version of one source: the unit of visibility in the index."""

    model_config = ConfigDict(frozen=True)

    source_id: str
    version: int = Field(ge=1)


class Place(BaseModel):
    """Where in a document a source stands: the `number`-th page, slide, sheet or section, from 1.

    `label` is what a person looks for: "page 12", "slide 3", "sheet Costs", "Scope > Out of scope". Of a sheet, the
    text is a Markdown table: `first_row` and `first_column` (from 1) are the cell of its header row's first cell,
    `columns` how many there are; `data_row` is the sheet's row of the first line below the rule, as the header may be
    repeated from above.
    """

    model_config = ConfigDict(frozen=True)

    unit: Literal["page", "slide", "sheet", "section", "attachment"]
    number: int = Field(ge=1)
    label: str
    sheet: str | None = None
    first_row: int | None = None
    first_column: int | None = None
    columns: int | None = None
    data_row: int | None = None


class Citation(BaseModel):
    """Where a source can be looked up. Fields that do not apply to the kind stay empty.

    `commit` is the commit that the writer saw the source at; `blob` the git object with the bytes.
    """

    model_config = ConfigDict(frozen=True)

    repository_id: str | None = None
    repository: str | None = None
    commit: str | None = None
    branches: tuple[str, ...] = ()
    blob: str | None = None
    checkpoint_id: str | None = None
    message_id: str | None = None
    document_id: str | None = None
    document_version: int | None = None
    place: Place | None = None


class SourceInfo(BaseModel):
    """What is known of a source besides its text: what filters and citations need.

    `container_id` is the repository, checkpoint or collection that owns it: dropping the container or the project hides
    the source. A document that is in no collection has its project as container; without a project, both are empty.
    `group_id` is the document that the source is a page of. `occurred_at` is when the author wrote it: the time of a
    commit or message. Files have none: which commit a file is seen at depends on which pushes were seen, and an index
    must not. `written_at` is when this version of a message or document was acknowledged; what comes from a repository
    is true as of its runs instead.
    """

    model_config = ConfigDict(frozen=True)

    source_id: str
    version: int = Field(ge=1)
    kind: Kind
    project_id: str
    container_id: str
    group_id: str | None = None
    title: str
    path: str | None = None
    language: str | None = None
    author: str | None = None
    occurred_at: datetime | None = None
    written_at: datetime | None = None
    citation: Citation = Citation()

    @property
    def ref(self) -> SourceRef:
        return SourceRef(source_id=self.source_id, version=self.version)


class Source(SourceInfo):
    """A text to be searched."""

    text: str

    @property
    def info(self) -> SourceInfo:
        return SourceInfo.model_construct(**{name: getattr(self, name) for name in SourceInfo.model_fields})


class SourceBatch(BaseModel):
    """The body of one S3 object: sources that are chunked and embedded together, and refs to hide in the same step."""

    sources: list[Source] = Field(default_factory=list)
    deleted: list[SourceRef] = Field(default_factory=list)

    def encode(self) -> bytes:
        """Return the batch as gzip-compressed JSON; equal batches give equal bytes."""
        import gzip

        return gzip.compress(self.model_dump_json(exclude_none=True).encode(), compresslevel=6, mtime=0)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read what `encode` wrote; raises `ValueError` on anything else."""
        import gzip
        import zlib

        try:
            return cls.model_validate_json(gzip.decompress(body))
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"not a source batch: {error}") from error
