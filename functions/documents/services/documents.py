"""What can be done with documents: look at them, change what is said of them, move them, download their files."""

from collections.abc import Mapping
from typing import Any

from almanac.access import Principal
from almanac.aws import keys, outbox
from almanac.aws.table import Put, Write
from almanac.dependencies import Dependencies
from almanac.errors import Busy
from almanac.ids import is_id
from almanac.observability import correlation_id
from documents.errors import DocumentVersionNotFound, DuplicateDocument, EditConflict, NothingUploaded
from documents.jobs import passwords, starting
from documents.model import Document, Version
from documents.rights import Place, Rights, may_write
from documents.services import duplicates, targets
from documents.services.calm import calm
from documents.store import AlsoRefused, Changed, DocumentStore

_ATTEMPTS = 8
DOWNLOAD_SECONDS = 15 * 60


class DocumentService:
    def __init__(self, dependencies: Dependencies, principal: Principal) -> None:
        self._dependencies = dependencies
        self._table = dependencies.table
        self._blobs = dependencies.blobs
        self._tenant_id = principal.tenant_id
        self._store = DocumentStore(dependencies.table, principal.tenant_id)
        self._manifest = dependencies.manifest(principal.tenant_id)
        self._rights = Rights(dependencies.table, principal.tenant_id, principal)

    async def get(self, document_id: str) -> tuple[Document, list[Version], bool]:
        """Return a document, its versions, newest first, and whether who may write in the tenant may write it.

        Raises `DocumentNotFound`.
        """
        versions = await self._versions(document_id)
        document = await self._rights.read(document_id)
        return document, versions, may_write(document, await self._rights.sight.access())

    async def versions(self, document_id: str) -> list[Version]:
        """Return a document's versions, newest first; raises `DocumentNotFound`."""
        versions = await self._versions(document_id)
        await self._rights.read(document_id)
        return versions

    async def version(self, document_id: str, version: int) -> Version:
        """Return one version; raises `DocumentNotFound` or `DocumentVersionNotFound`."""
        found = await self._store.version(document_id, version) if is_id(document_id, "doc") else None
        await self._rights.read(document_id)
        if found is None:
            raise DocumentVersionNotFound(field="path.version")
        return found

    async def _versions(self, document_id: str) -> list[Version]:
        """Return what is there to be shown. The rights are looked at afterwards: they judge what was read before."""
        return (await self._store.versions(document_id))[::-1] if is_id(document_id, "doc") else []

    async def download(self, document_id: str, version: int | None) -> tuple[str, str]:
        """Return a version's file name and where anyone may download the file for a while; without one, the newest's.

        Raises `DocumentNotFound`, `DocumentVersionNotFound` or `NothingUploaded`.
        """
        document = await self._rights.read(document_id)
        wanted = version or document.version
        if wanted == 0:
            raise NothingUploaded
        found = await self._store.version(document_id, wanted)
        if found is None or found.revision == 0:
            raise DocumentVersionNotFound(field="query.version")
        key = keys.document_original(self._tenant_id, document_id, wanted)
        url = await self._blobs.address(key, DOWNLOAD_SECONDS, found.filename, found.object_version)
        return found.filename, url

    async def update(self, document_id: str, edits: int, changes: Mapping[str, Any]) -> Document:
        """Change what is said of a document that is still at `edits`, or where it lies.

        Raises `DocumentNotFound`, `CollectionReadOnly`, `EditConflict`, `DuplicateDocument`, or what is wrong with the
        place.
        """
        for _ in range(_ATTEMPTS):
            document = await self._rights.write(document_id)
            if document.edits != edits:
                raise EditConflict(document.edits)
            place = await self._place(document, changes)
            described = {name: changes[name] for name in changes if name not in {"project_id", "collection_id"}}
            after = document.model_copy(update=described)
            moved: dict[str, Any] = {}
            also: list[Write] = []
            if place is not None:
                moved, also = await self._move(after, place)
            elif not targets.is_at_work(after):
                # A running job ends with what brings the title to search.
                moved, also = starting.retitled(self._tenant_id, correlation_id(), after)
            try:
                with calm():
                    return await self._store.save(
                        document, correlation_id(), *also, **described, **moved, edits=document.edits + 1
                    )
            except Changed:
                continue
            except AlsoRefused:
                # The place is gone by now, or somebody else claimed the bytes there: the next look tells which.
                continue
        raise Busy

    async def _place(self, document: Document, changes: Mapping[str, Any]) -> Place | None:
        """Return the place that a document is to go to, None where it stays."""
        if not changes.keys() & {"project_id", "collection_id"}:
            return None
        project_id = changes.get("project_id", document.project_id) or ""
        collection_id = changes.get("collection_id", document.collection_id) or ""
        if "collection_id" in changes and collection_id and "project_id" not in changes:
            # A document in a collection is in that one's project.
            project_id = ""
        if "project_id" in changes and "collection_id" not in changes and project_id != document.project_id:
            collection_id = ""
        place = await self._rights.place(project_id, collection_id)
        stays = (place.project_id, place.collection_id) == (document.project_id, document.collection_id)
        return None if stays else place

    async def _move(self, document: Document, place: Place) -> tuple[dict[str, Any], list[Write]]:
        """Return what brings a document to another place: search shows it there once its text is sent again."""
        there = document.model_copy(update={"project_id": place.project_id, "collection_id": place.collection_id})
        changes, writes, message = starting.moving(self._manifest, self._tenant_id, correlation_id(), document)
        also: list[Write] = [*place.checks, *writes, *await self._claims(there)]
        also += await passwords.carried(self._table, self._tenant_id, document)
        also += [outbox.message(message)] if message else []
        return {**changes, "project_id": place.project_id, "collection_id": place.collection_id}, also

    async def _claims(self, there: Document) -> list[Put]:
        """Return what makes a document's bytes its own in its new place; raises `DuplicateDocument`."""
        if there.sha256 is None or not duplicates.holds(there, there.sha256):
            return []
        place = (there.project_id, there.collection_id)
        found = await duplicates.find(self._table, self._tenant_id, *place, there.sha256)
        if found.document is not None and found.document.id != there.id:
            raise DuplicateDocument(found.document.id)
        return [duplicates.claim(self._tenant_id, there, there.sha256, found)]
