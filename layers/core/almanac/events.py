"""The published language: every message on a queue. Messages carry ids and S3 keys, never payloads.

A body is the JSON of one model below; `kind` chooses the model, `schema_version` its form.
`queue_of` says where each goes.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter


class Queue(StrEnum):
    """The stack's queues by their logical names."""

    SYNC = "sync"
    PROJECTS = "projects"
    EMBEDDING = "embedding"
    INDEX = "index"
    IDENTITY = "identity"
    DOCUMENTS = "documents"
    REALTIME = "realtime"


class Event(BaseModel):
    """What every message carries. `correlation_id` is that of the request or delivery that started the work."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    schema_version: Literal[1] = 1
    tenant_id: str
    correlation_id: str


class SyncRepository(Event):
    """Bring a repository to the newest heads of its remote.

    `rebuild` is the request to send all of it again, which its sender has noted at the repository.
    """

    kind: Literal["repository.sync"] = "repository.sync"
    repository_id: str
    reason: Literal["connected", "push", "requested", "reconcile", "continue", "rebuild"]


class RepositoryChanged(Event):
    """The host says that the repository was renamed (`url` is the new address) or deleted (`url` is empty)."""

    kind: Literal["repository.changed"] = "repository.changed"
    repository_id: str
    url: str | None = None


class BatchOrigin(BaseModel):
    """Which batch of which sync run a set of sources came from."""

    model_config = ConfigDict(frozen=True)

    type: Literal["batch"] = "batch"
    repository_id: str
    run: int
    batch: int


class MessageOrigin(BaseModel):
    """Which version of which message a source came from."""

    model_config = ConfigDict(frozen=True)

    type: Literal["message"] = "message"
    message_id: str
    version: int


class DocumentOrigin(BaseModel):
    """Which part of which revision of which document a set of sources came from."""

    model_config = ConfigDict(frozen=True)

    type: Literal["document"] = "document"
    document_id: str
    revision: int
    part: int


Origin = Annotated[BatchOrigin | MessageOrigin | DocumentOrigin, Field(discriminator="type")]


class IndexSources(Event):
    """Chunk, embed and index the sources of one `SourceBatch` object at `batch_key` in the bucket."""

    kind: Literal["sources.index"] = "sources.index"
    batch_key: str
    origin: Origin


class SourcesIndexed(Event):
    """The sources of `origin` are searchable. Counts are of chunks; `embedded` of them were not in the vector cache."""

    kind: Literal["sources.indexed"] = "sources.indexed"
    origin: Origin
    chunks: int
    embedded: int


class SourcesFailed(Event):
    """The sources of `origin` could not be indexed and will not be tried again by themselves."""

    kind: Literal["sources.failed"] = "sources.failed"
    origin: Origin
    code: str
    cause: str


class DeleteProject(Event):
    """Remove everything under a project that is already hidden from readers and from search."""

    kind: Literal["project.delete"] = "project.delete"
    project_id: str


class DeleteRepository(Event):
    """Remove the packs, runs and items of a repository that is already hidden."""

    kind: Literal["repository.delete"] = "repository.delete"
    repository_id: str


class DeleteCheckpoint(Event):
    """Remove the messages of a checkpoint that is already hidden."""

    kind: Literal["checkpoint.delete"] = "checkpoint.delete"
    checkpoint_id: str


class DeleteMessage(Event):
    """Remove the objects of a version of a message that is already gone or has a newer version."""

    kind: Literal["message.delete"] = "message.delete"
    message_id: str
    version: int


class PurgeSecret(Event):
    """Remove what was found to be a secret from every copy that we can change, and say which those were."""

    kind: Literal["secret.purge"] = "secret.purge"
    finding_id: str


class ResendSources(Event):
    """Send sources to the index once more: a message's, a repository's, or, with neither, all that the tenant has.

    A repository is sent by a run that starts from nothing and makes itself the floor. `cursor` is where the event
    before this one stopped.
    """

    kind: Literal["sources.resend"] = "sources.resend"
    repository_id: str | None = None
    message_id: str | None = None
    cursor: str | None = None


class EmbedStatements(Event):
    """Embed what a document's newest analysis found it to state; nothing is left to do for an older `revision`."""

    kind: Literal["statements.embed"] = "statements.embed"
    document_id: str
    revision: int


class BuildIndex(Event):
    """Copy the serving index's sources into one that is being built; `cursor` is where the event before stopped."""

    kind: Literal["index.build"] = "index.build"
    index_id: str
    cursor: str | None = None


class CompactIndex(Event):
    """Merge the log of one shard of an index into its snapshot."""

    kind: Literal["index.compact"] = "index.compact"
    index_id: str
    shard: int = 0


class SweepIndex(Event):
    """Remove the objects of a tenant's indexes that nothing names any more, and compact what waited for it."""

    kind: Literal["index.sweep"] = "index.sweep"


class RepairPart(Event):
    """Bring back the object of an index's part, which a reader found to be missing or damaged (`reason`)."""

    kind: Literal["index.repair"] = "index.repair"
    index_id: str
    sha256: str
    key: str
    reason: str


class SealAudit(Event):
    """Chain the audit entries that the tenant's calls have left since the last time."""

    kind: Literal["audit.seal"] = "audit.seal"


class MemberRemoved(Event):
    """Take a person who is no member any more, since `removed_at`, out of what is private in the tenant."""

    kind: Literal["member.removed"] = "member.removed"
    person_id: str
    removed_at: str


class ExportTenant(Event):
    """Write an archive of the tenant, or go on with it."""

    kind: Literal["tenant.export"] = "tenant.export"
    export_id: str


class ImportTenant(Event):
    """Carry out an import whose files are uploaded, or go on with it."""

    kind: Literal["tenant.import"] = "tenant.import"
    import_id: str


class CloseTenant(Event):
    """Let nobody into a tenant any more that is to be erased."""

    kind: Literal["tenant.close"] = "tenant.close"
    erasure_id: str


class TenantRenamed(Event):
    """Bring the tenant's name to where its members read it."""

    kind: Literal["tenant.renamed"] = "tenant.renamed"


class ReadDocument(Event):
    """Find out what the file of a document's revision is, divide it into parts, and have them read."""

    kind: Literal["document.read"] = "document.read"
    document_id: str
    revision: int


class ReadPart(Event):
    """Read one part of a document's revision: a group of its pages."""

    kind: Literal["document.part"] = "document.part"
    document_id: str
    revision: int
    part: int


class TakeInFile(Event):
    """Take in the file of an upload, which lies in the bucket though nobody was told of it in time."""

    kind: Literal["document.take_in"] = "document.take_in"
    document_id: str
    version: int


class AnalyseDocument(Event):
    """Find what a document's revision, all of which is searchable, says about the project."""

    kind: Literal["document.analyse"] = "document.analyse"
    document_id: str
    revision: int


class RestoreDocument(Event):
    """Have search answer again from the version before, after the revision that was to follow it was given up."""

    kind: Literal["document.restore"] = "document.restore"
    document_id: str
    revision: int


class ResendDocuments(Event):
    """Send the texts of a document to the index once more, or of all documents; `cursor` is where it goes on."""

    kind: Literal["documents.resend"] = "documents.resend"
    document_id: str | None = None
    cursor: str | None = None


class DeleteDocument(Event):
    """Remove everything of a document that is already hidden."""

    kind: Literal["document.delete"] = "document.delete"
    document_id: str


class DeleteDocuments(Event):
    """Delete the documents of a project or collection that is gone; `cursor` is where the event before stopped.

    `requested_by` deleted the project or collection.
    """

    kind: Literal["documents.delete"] = "documents.delete"
    owner_id: str
    requested_by: str = ""
    cursor: str | None = None


ACCESS_ENDED = "access.ended"
"""Of no topic: the actor `resource_id` may not read any more, and whatever it still listens on is closed."""


class Happened(Event):
    """Something that people may follow has happened: the resource stands as `data` says.

    `topics` are names such as `document:doc_1`. Whoever does not see one of the `owners` (a private project or
    collection) is not told. `resource_version` grows with each change of the resource: an older state that arrives
    after a newer one is left out; 0 is never left out. `event_id` is the same however often the message comes.
    """

    kind: Literal["happened"] = "happened"
    event_id: str
    type: str
    topics: tuple[str, ...]
    resource_id: str
    resource_version: int = 0
    owners: tuple[str, ...] = ()
    at: str
    data: dict[str, JsonValue]


SyncEvent = Annotated[SyncRepository | RepositoryChanged, Field(discriminator="kind")]
ProjectsWork = (
    SourcesIndexed
    | SourcesFailed
    | ResendSources
    | DeleteProject
    | DeleteRepository
    | DeleteCheckpoint
    | DeleteMessage
    | PurgeSecret
)
ProjectsEvent = Annotated[ProjectsWork, Field(discriminator="kind")]
EmbeddingWork = IndexSources | EmbedStatements | BuildIndex
EmbeddingEvent = Annotated[EmbeddingWork, Field(discriminator="kind")]
IndexWork = CompactIndex | SweepIndex | RepairPart
IndexEvent = Annotated[IndexWork, Field(discriminator="kind")]
IdentityWork = SealAudit | MemberRemoved | TenantRenamed | CloseTenant | ExportTenant | ImportTenant
IdentityEvent = Annotated[IdentityWork, Field(discriminator="kind")]
DocumentsWork = (
    ReadDocument
    | ReadPart
    | AnalyseDocument
    | RestoreDocument
    | TakeInFile
    | ResendDocuments
    | DeleteDocument
    | DeleteDocuments
    | SourcesIndexed
    | SourcesFailed
)
DocumentsEvent = Annotated[DocumentsWork, Field(discriminator="kind")]
AnyEvent = (
    SyncRepository
    | RepositoryChanged
    | ProjectsWork
    | EmbeddingWork
    | IndexWork
    | IdentityWork
    | DocumentsWork
    | Happened
)

sync_event: TypeAdapter[SyncRepository | RepositoryChanged] = TypeAdapter(SyncEvent)
projects_event: TypeAdapter[ProjectsWork] = TypeAdapter(ProjectsEvent)
embedding_event: TypeAdapter[EmbeddingWork] = TypeAdapter(EmbeddingEvent)
index_event: TypeAdapter[IndexWork] = TypeAdapter(IndexEvent)
identity_event: TypeAdapter[IdentityWork] = TypeAdapter(IdentityEvent)
documents_event: TypeAdapter[DocumentsWork] = TypeAdapter(DocumentsEvent)
realtime_event: TypeAdapter[Happened] = TypeAdapter(Happened)

QUEUE_OF: dict[type[Event], Queue] = {
    SyncRepository: Queue.SYNC,
    RepositoryChanged: Queue.SYNC,
    IndexSources: Queue.EMBEDDING,
    EmbedStatements: Queue.EMBEDDING,
    BuildIndex: Queue.EMBEDDING,
    SourcesIndexed: Queue.PROJECTS,
    SourcesFailed: Queue.PROJECTS,
    ResendSources: Queue.PROJECTS,
    DeleteProject: Queue.PROJECTS,
    DeleteRepository: Queue.PROJECTS,
    DeleteCheckpoint: Queue.PROJECTS,
    DeleteMessage: Queue.PROJECTS,
    PurgeSecret: Queue.PROJECTS,
    CompactIndex: Queue.INDEX,
    SweepIndex: Queue.INDEX,
    RepairPart: Queue.INDEX,
    SealAudit: Queue.IDENTITY,
    MemberRemoved: Queue.IDENTITY,
    TenantRenamed: Queue.IDENTITY,
    CloseTenant: Queue.IDENTITY,
    ExportTenant: Queue.IDENTITY,
    ImportTenant: Queue.IDENTITY,
    ReadDocument: Queue.DOCUMENTS,
    ReadPart: Queue.DOCUMENTS,
    AnalyseDocument: Queue.DOCUMENTS,
    RestoreDocument: Queue.DOCUMENTS,
    TakeInFile: Queue.DOCUMENTS,
    ResendDocuments: Queue.DOCUMENTS,
    DeleteDocument: Queue.DOCUMENTS,
    DeleteDocuments: Queue.DOCUMENTS,
    Happened: Queue.REALTIME,
}


def queue_of(event: Event) -> Queue:
    """Return where an event goes: how sources fared is told to the slice that they came from."""
    if isinstance(event, SourcesIndexed | SourcesFailed) and isinstance(event.origin, DocumentOrigin):
        return Queue.DOCUMENTS
    return QUEUE_OF[type(event)]
