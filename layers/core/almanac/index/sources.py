"""What becomes searchable: sources, and the batches in which they travel to the embedding worker."""

from datetime import datetime
from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class Kind(StrEnum):
    """What a hit is, as a user filters for it."""

    CODE = "code"
    COMMIT = "commit"
    MESSAGE = "message"


class SourceRef(BaseModel):
    """One version of one source: the unit of visibility in the index."""

    model_config = ConfigDict(frozen=True)

    source_id: str
    version: int = Field(ge=1)


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


class SourceInfo(BaseModel):
    """What is known of a source besides its text: what filters and citations need.

    `container_id` is the repository or checkpoint that owns it: dropping the container or the project hides the source.
    `occurred_at` is when the author wrote it: the time of a commit or message. Files have none: which commit a file is
    seen at depends on which pushes were seen, and an index must not. `written_at` is when this version of a message was
    acknowledged; what comes from a repository is true as of its runs instead.
    """

    model_config = ConfigDict(frozen=True)

    source_id: str
    version: int = Field(ge=1)
    kind: Kind
    project_id: str
    container_id: str
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
