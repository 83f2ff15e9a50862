"""A file has arrived: it becomes a version of its document and is read, or it is said why not.

The bucket may tell of an arrival twice, late, or of a file that nobody expects any more. An upload is taken in once, by
its number: whatever lies at its key afterwards is not what was taken in, and is removed.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from typing import Any

from almanac.aws import keys, outbox
from almanac.aws.blobs import ObjectHead
from almanac.aws.table import Put, Update, Write
from almanac.clock import now
from almanac.dependencies import Dependencies
from almanac.errors import RetryableError
from almanac.limits.quotas import DOCUMENT_BYTES, added
from almanac.observability import log
from documents.jobs import starting
from documents.model import MAX_BYTES, Cause, Document, DocumentState, Upload, Version
from documents.services import duplicates, targets
from documents.store import AlsoRefused, Changed, DocumentStore

_ATTEMPTS = 6
_CHUNK_BYTES = 1 << 20
_SUPERSEDED = Cause(code="superseded", message="A later version arrived while this one was being read.")


class Arrivals:
    """Takes in what was uploaded to one tenant's documents."""

    def __init__(self, dependencies: Dependencies, tenant_id: str) -> None:
        self._dependencies = dependencies
        self._table = dependencies.table
        self._blobs = dependencies.blobs
        self._store = DocumentStore(dependencies.table, tenant_id)
        self._tenant_id = tenant_id

    async def take_in(self, document_id: str, version: int) -> Document | None:
        """Make the file of an upload a version and have it read; returns the document, None when it is gone.

        What cannot become a version ends the upload with a cause, and its bytes are removed. Repeats change nothing.
        """
        key = keys.document_original(self._tenant_id, document_id, version)
        known: tuple[ObjectHead, str] | None = None
        for _ in range(_ATTEMPTS):
            document = await self._store.get(document_id)
            upload = _awaited(document, version)
            if document is None or upload is None:
                await self._unexpected(document_id, version, key)
                return document
            head = await self._blobs.head(key)
            if head is None:
                return document
            if known is None or known[0] != head:
                known = head, await self._sha256(upload, key, head)
            try:
                return await self._decide(document, upload, head, known[1])
            except (Changed, AlsoRefused):
                continue
        raise RetryableError("the document kept changing")

    async def refuse(self, document_id: str, version: int, cause: Cause) -> None:
        """End an upload for a cause, unless it has ended; what arrived of it is removed."""
        for _ in range(_ATTEMPTS):
            document = await self._store.get(document_id)
            upload = _awaited(document, version)
            if document is None or upload is None:
                return
            try:
                await self._end(document, upload, ObjectHead(upload.size or 0), upload.sha256 or "", cause)
            except (Changed, AlsoRefused):
                continue
            return
        raise RetryableError("the document kept changing")

    async def _decide(self, document: Document, upload: Upload, head: ObjectHead, sha256: str) -> Document:
        cause = _trouble(upload, head, sha256)
        if cause is not None:
            return await self._end(document, upload, head, sha256, cause)
        found = await duplicates.find(self._table, self._tenant_id, document.project_id, document.collection_id, sha256)
        if found.document is not None and found.document.id == document.id:
            cause = Cause(
                code="duplicate",
                message=f"The file has the same bytes as version {document.version}.",
                way_out="Reprocess the document if it is to be read again.",
            )
            return await self._end(document, upload, head, sha256, cause, duplicate_of=document.version)
        if found.document is not None and document.version == 0:
            cause = Cause(
                code="duplicate",
                message=f"The same file is there already, as document {found.document.id}.",
                way_out="Use that document, and delete this one.",
            )
            return await self._end(document, upload, head, sha256, cause)
        claims = [] if found.document else [duplicates.claim(self._tenant_id, document, sha256, found)]
        return await self._accept(document, upload, head, sha256, claims)

    async def _accept(
        self, document: Document, upload: Upload, head: ObjectHead, sha256: str, claims: Sequence[Put]
    ) -> Document:
        at = now()
        begun = starting.begun(document, upload.version, head.size, "upload")
        version = _version(upload, head, sha256, at, revision=begun["revision"], state=DocumentState.PROCESSING)
        return await self._store.save(
            document,
            upload.correlation_id,
            Put(version.to_item(self._tenant_id, document.id)),
            *claims,
            *self._supersede(document, at),
            added(self._tenant_id, **{DOCUMENT_BYTES: head.size}),
            outbox.message(starting.read_again(self._tenant_id, upload.correlation_id, document)),
            **begun,
            version=upload.version,
            filename=upload.filename,
            media_type=None,
            size=head.size,
            sha256=sha256,
            upload=None,
        )

    def _supersede(self, document: Document, at: str) -> list[Write]:
        """Return what ends the version that is being read: its job is at work no more.

        One that is only read again was read before: search goes on answering from it, and it stays as it was.
        """
        if document.state is not DocumentState.PROCESSING or document.job is None:
            return []
        if document.job.version == document.shown_version:
            return []
        key = keys.document_version(self._tenant_id, document.id, document.job.version)
        ended = {"state": DocumentState.CANCELLED.value, "cause": _SUPERSEDED.model_dump(), "ended_at": at}
        return [Update(key, set=ended)]

    async def _end(
        self,
        document: Document,
        upload: Upload,
        head: ObjectHead,
        sha256: str,
        cause: Cause,
        duplicate_of: int | None = None,
    ) -> Document:
        """End an upload that becomes nothing. A document that has nothing else has failed with it."""
        at = now()
        state = DocumentState.CANCELLED if duplicate_of else DocumentState.FAILED
        ended = {"state": state, "cause": cause, "duplicate_of": duplicate_of, "ended_at": at}
        version = _version(upload, head, sha256, at, **ended)
        changes: dict[str, Any] = {"upload": None, "due_at": targets.due_without_upload(document)}
        if document.state is DocumentState.AWAITING:
            changes |= {"state": DocumentState.FAILED, "cause": cause}
        log("info", "upload ended without a version", document_id=document.id, version=upload.version, code=cause.code)
        written = Put(version.to_item(self._tenant_id, document.id))
        after = await self._store.save(document, upload.correlation_id, written, **changes)
        await self._erase(keys.document_original(self._tenant_id, document.id, upload.version))
        return after

    async def _unexpected(self, document_id: str, version: int, key: str) -> None:
        """Remove what lies at a key that nothing is awaited at, but for the bytes that were taken in there."""
        taken = await self._store.version(document_id, version)
        if taken is None or taken.revision == 0:
            await self._erase(key)
        elif taken.object_version:
            found = [each async for each in self._blobs.versions(key) if each.key == key]
            await self._blobs.delete_versions(each for each in found if each.version_id != taken.object_version)

    async def _erase(self, key: str) -> None:
        async for removed in self._blobs.erase(key):
            log("info", "upload removed", key=key, versions=len(removed))

    async def _sha256(self, upload: Upload, key: str, head: ObjectHead) -> str:
        """Return the hash of the bytes: as the bucket checked it, else by reading them all."""
        if head.sha256 is not None:
            return head.sha256
        if _trouble(upload, head, upload.sha256 or "") is not None:
            return upload.sha256 or ""
        digest = hashlib.sha256()
        async for chunk in self._blobs.chunks(key, _CHUNK_BYTES, head.version_id):
            await asyncio.to_thread(digest.update, chunk)
        return digest.hexdigest()


def _awaited(document: Document | None, version: int) -> Upload | None:
    """Return the upload that a file is expected by."""
    if document is None or document.state is DocumentState.DELETING or document.upload is None:
        return None
    return document.upload if document.upload.version == version else None


def _trouble(upload: Upload, head: ObjectHead, sha256: str) -> Cause | None:
    """Return why bytes cannot become a version, as far as they themselves tell."""
    if head.size == 0:
        return Cause(code="empty", message="The file has no bytes.", way_out="Upload it again.")
    if head.size > MAX_BYTES:
        return Cause(
            code="too_large",
            message=f"The file has {head.size} bytes; a document has at most {MAX_BYTES}.",
            way_out="Divide the file.",
        )
    if upload.size is not None and head.size != upload.size:
        return Cause(
            code="size_mismatch",
            message=f"{head.size} bytes arrived where {upload.size} were announced.",
            way_out="Upload the whole file again.",
        )
    if upload.sha256 is not None and sha256 != upload.sha256:
        return Cause(
            code="checksum_mismatch",
            message="The bytes that arrived are not those that were announced: their SHA-256 is another.",
            way_out="Upload the file again.",
        )
    return None


def _version(upload: Upload, head: ObjectHead, sha256: str, at: str, **more: object) -> Version:
    given = {
        "version": upload.version,
        "filename": upload.filename,
        "size": head.size,
        "sha256": sha256,
        "uploaded_by": upload.begun_by,
        "object_version": head.version_id,
        "written_at": at,
    }
    return Version.model_validate({**given, **more})
