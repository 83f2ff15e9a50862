"""What can be done with uploads: begin one, finish it, give it up, or bring a small file along at once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from almanac.access import Principal
from almanac.aws import keys
from almanac.aws.clients import error_code
from almanac.clock import now
from almanac.dependencies import Dependencies
from almanac.errors import AppError, Busy, RetryableError
from almanac.ids import new_id
from almanac.observability import correlation_id, log_failure
from almanac.web.idempotency import Idempotent
from documents.errors import DocumentNotFound, EmptyFile, InvalidParts, UploadNotFound, UploadNotInParts, UploadPending
from documents.jobs import progress
from documents.model import MULTIPART_BYTES, Cause, Document, DocumentState, Upload
from documents.rights import Place, Rights
from documents.services import duplicates, targets
from documents.services.arrivals import Arrivals
from documents.services.calm import calm
from documents.services.targets import Target
from documents.store import AlsoRefused, Changed, DocumentStore

_ATTEMPTS = 6
_GIVEN_UP = Cause(
    code="upload_given_up", message="The upload was given up.", way_out="Upload the file as a further version."
)
_NO_SUCH_UPLOAD = {"NoSuchUpload", "404"}
_BAD_PARTS = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "MalformedXML", "InvalidRequest"}


@dataclass(frozen=True)
class File:
    """A file that somebody means to upload. `sha256` is hex."""

    filename: str
    content_type: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Described:
    """What a new document is besides its file. Without a title it is called as the file."""

    project_id: str = ""
    collection_id: str = ""
    title: str | None = None
    document_type: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Begun:
    """A document and where its file goes. A `duplicate` was there already, with these bytes, and expects none."""

    document: Document
    target: Target | None = None
    duplicate: bool = False


class UploadService:
    def __init__(self, dependencies: Dependencies, principal: Principal) -> None:
        self._table = dependencies.table
        self._blobs = dependencies.blobs
        self._usage = dependencies.usage
        self._tenant_id = principal.tenant_id
        self._actor_id = principal.actor_id
        self._store = DocumentStore(dependencies.table, principal.tenant_id)
        self._rights = Rights(dependencies.table, principal.tenant_id, principal)
        self._arrivals = Arrivals(dependencies, principal.tenant_id)

    async def begin(self, described: Described, file: File, idempotency_key: str | None, request: str) -> Begun:
        """Create a document that expects a file, unless the place has one with these bytes.

        Raises `ProjectNotFound`, `CollectionNotFound`, `CollectionReadOnly`, `WrongProject`, `QuotaExceeded` or
        `IdempotencyKeyReused`.
        """
        idempotent = Idempotent(self._table, self._tenant_id, self._actor_id, "documents", idempotency_key, request)
        if (again := await self._earlier(idempotent)) is not None:
            return again
        place = await self._rights.place(described.project_id, described.collection_id)
        same = await self._same(place, file.sha256)
        if same is not None:
            return Begun(same, duplicate=True)
        await self._usage.refuse_content(self._tenant_id)
        document = await self._new(described, place, file)
        try:
            await self._create(document, place, idempotent)
        except (AlsoRefused, AppError) as error:
            await self._forget(document)
            if (again := await self._earlier(idempotent)) is not None:
                return again
            if isinstance(error, AlsoRefused):
                raise Busy from None
            raise
        return Begun(document, await self.target(document))

    async def begin_version(self, document_id: str, file: File) -> Begun:
        """Have a document expect a further file.

        Raises `DocumentNotFound`, `CollectionReadOnly`, `UploadPending` or `QuotaExceeded`.
        """
        await self._usage.refuse_content(self._tenant_id)
        for _ in range(_ATTEMPTS):
            document = await self._rights.write(document_id)
            if document.upload is not None:
                raise UploadPending
            if file.sha256 is not None and duplicates.holds(document, file.sha256):
                return Begun(document, duplicate=True)
            upload = await self._upload(document_id, document.uploads + 1, file)
            try:
                after = await self._expect(document, upload)
            except (Changed, AppError) as error:
                await self._forget(document.model_copy(update={"upload": upload}))
                if isinstance(error, AppError):
                    raise
                continue
            return Begun(after, await self.target(after))
        raise Busy

    async def target(self, document: Document) -> Target | None:
        """Return where an expected file goes; addresses are made anew, since each serves for a while only."""
        return await targets.of(self._blobs, self._tenant_id, document)

    async def complete(self, document_id: str, etags: Mapping[int, str]) -> Document:
        """Put the parts of an upload together; a repeat changes nothing.

        Raises `DocumentNotFound`, `CollectionReadOnly`, `UploadNotFound`, `UploadNotInParts` or `InvalidParts`.
        """
        document = await self._rights.write(document_id)
        upload = document.upload
        if upload is None:
            raise UploadNotFound
        if upload.multipart_id is None:
            raise UploadNotInParts
        key = keys.document_original(self._tenant_id, document_id, upload.version)
        try:
            await self._blobs.end_parts(key, upload.multipart_id, etags)
        except Exception as error:
            if error_code(error) in _BAD_PARTS:
                raise InvalidParts from None
            # Put together by an earlier call: then the file is there.
            if error_code(error) not in _NO_SUCH_UPLOAD:
                raise
            if await self._blobs.head(key) is None:
                raise UploadNotFound from None
        return document

    async def give_up(self, document_id: str) -> None:
        """Expect a file no longer. Raises `DocumentNotFound`, `CollectionReadOnly` or `UploadNotFound`."""
        for _ in range(_ATTEMPTS):
            document = await self._rights.write(document_id)
            if document.upload is None:
                raise UploadNotFound
            changes: dict[str, Any] = {"upload": None, "due_at": targets.due_without_upload(document)}
            if document.state is DocumentState.AWAITING:
                changes |= {"state": DocumentState.CANCELLED, "cause": _GIVEN_UP}
            try:
                with calm():
                    await self._store.save(document, correlation_id(), **changes)
            except Changed:
                continue
            await self._forget(document)
            return
        raise Busy

    async def bring(
        self, described: Described, filename: str, content_type: str, body: bytes, idempotency_key: str | None
    ) -> Begun:
        """Create a document from a file that is at hand; raises as `begin` does, or `EmptyFile`."""
        file = _at_hand(filename, content_type, body)
        begun = await self.begin(described, file, idempotency_key, f"{described!r} {file!r}")
        upload = begun.document.upload
        # After a repeat the document may expect another file: this one was its first.
        if begun.duplicate or upload is None or upload.version > 1:
            return begun
        return Begun(await self._put(begun.document, upload, body))

    async def bring_version(self, document_id: str, filename: str, content_type: str, body: bytes) -> Begun:
        """Give a document a further version from a file that is at hand, or the one that it expects.

        Raises `DocumentNotFound`, `CollectionReadOnly`, `QuotaExceeded` or `EmptyFile`.
        """
        file = _at_hand(filename, content_type, body)
        for _ in range(_ATTEMPTS):
            document = await self._rights.write(document_id)
            if document.upload is None:
                begun = await self.begin_version(document_id, file)
                if begun.duplicate or begun.document.upload is None:
                    return begun
                return Begun(await self._put(begun.document, begun.document.upload, body))
            upload = self._described(document.upload.version, file, "post")
            try:
                after = await self._expect(document, upload)
            except Changed:
                continue
            await self._forget(document)
            return Begun(await self._put(after, upload, body))
        raise Busy

    async def _put(self, document: Document, upload: Upload, body: bytes) -> Document:
        """Write an expected file and take it in, without waiting for the bucket to tell of it."""
        await self._blobs.put(keys.document_original(self._tenant_id, document.id, upload.version), body)
        try:
            taken = await self._arrivals.take_in(document.id, upload.version)
        except RetryableError:
            # The bucket tells of the file as well: whoever hears that takes it in.
            return document
        if taken is None or taken.state is DocumentState.DELETING:
            raise DocumentNotFound
        return taken

    async def _new(self, described: Described, place: Place, file: File) -> Document:
        document_id, at = new_id("doc"), now()
        upload = await self._upload(document_id, 1, file)
        return Document(
            id=document_id,
            project_id=place.project_id,
            collection_id=place.collection_id,
            filename=file.filename,
            title=described.title or file.filename,
            document_type=described.document_type,
            metadata=described.metadata,
            uploads=1,
            upload=upload,
            due_at=progress.due(None, upload),
            created_by=self._actor_id,
            created_at=at,
            updated_at=at,
        )

    async def _create(self, document: Document, place: Place, idempotent: Idempotent) -> None:
        """Write a document; raises what is wrong with the place by now, or `AlsoRefused`."""
        remembered = idempotent.record({"id": document.id})
        try:
            with calm():
                await self._store.create(document, correlation_id(), *place.checks, *remembered)
        except AlsoRefused:
            await self._rights.place(document.project_id, document.collection_id)
            raise

    async def _earlier(self, idempotent: Idempotent) -> Begun | None:
        """Return what the first call with this key made, as it is now; raises `DocumentNotFound` if it is not seen."""
        earlier = await idempotent.earlier()
        if earlier is None:
            return None
        document = await self._rights.read(earlier["id"])
        return Begun(document, await self.target(document))

    async def _same(self, place: Place, sha256: str | None) -> Document | None:
        if sha256 is None:
            return None
        found = await duplicates.find(self._table, self._tenant_id, place.project_id, place.collection_id, sha256)
        return found.document

    async def _upload(self, document_id: str, version: int, file: File) -> Upload:
        """Return a new upload; a large file's is begun in the bucket."""
        if (file.size or 0) <= MULTIPART_BYTES:
            return self._described(version, file, "post")
        key = keys.document_original(self._tenant_id, document_id, version)
        multipart_id = await self._blobs.begin_parts(key, file.content_type)
        return self._described(version, file, "multipart", multipart_id)

    def _described(self, version: int, file: File, mode: str, multipart_id: str | None = None) -> Upload:
        at = now()
        return Upload.model_validate(
            {
                **vars(file),
                "version": version,
                "mode": mode,
                "multipart_id": multipart_id,
                "begun_by": self._actor_id,
                "begun_at": at,
                "correlation_id": correlation_id(),
                "expires_at": targets.expiry(at, mode),
            }
        )

    async def _expect(self, document: Document, upload: Upload) -> Document:
        """Have a document expect a file; one to which none has ever come awaits it. Raises `Changed`."""
        changes: dict[str, Any] = {"upload": upload, "uploads": max(document.uploads, upload.version)}
        if document.version == 0:
            changes |= {"state": DocumentState.AWAITING, "cause": None, "filename": upload.filename}
        due = targets.earlier(targets.due_without_upload(document), upload.expires_at)
        with calm():
            return await self._store.save(document, correlation_id(), **changes, due_at=due)

    async def _forget(self, document: Document) -> None:
        """Remove what the bucket holds of an upload that is given up; what fails here, its lifecycle removes."""
        upload = document.upload
        if upload is None or upload.multipart_id is None:
            return
        key = keys.document_original(self._tenant_id, document.id, upload.version)
        try:
            await self._blobs.abort_parts(key, upload.multipart_id)
        except Exception as error:  # noqa: BLE001 - whoever called has what they came for
            log_failure("could not abort an upload", error, key=key)


def _at_hand(filename: str, content_type: str, body: bytes) -> File:
    if not body:
        raise EmptyFile
    return File(filename, content_type, len(body), hashlib.sha256(body).hexdigest())
