"""What callers may do with a document's job: end it, or have the document read again."""

import asyncio
import random

from almanac.access import Principal
from almanac.aws import outbox
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table, Write
from almanac.errors import Busy, Conflict
from almanac.observability import correlation_id
from documents.errors import NothingUploaded
from documents.jobs import ending, passwords, progress, starting
from documents.model import Document, DocumentState
from documents.rights import Rights
from documents.store import AlsoRefused, Changed, DocumentStore

_ATTEMPTS = 12


class DocumentNotProcessing(Conflict):
    """Nothing is being done with the document: there is nothing to cancel."""

    code = "document_not_processing"

    def __init__(self) -> None:
        super().__init__("No job of this document runs: there is nothing to cancel.")


class DocumentProcessing(Conflict):
    """A job reads the document already."""

    code = "document_processing"

    def __init__(self) -> None:
        super().__init__("The document is being read: wait until that has ended, or cancel it first.")


class JobService:
    """Jobs of one caller's documents."""

    def __init__(self, table: Table, secrets: Secrets, principal: Principal) -> None:
        self._secrets = secrets
        self._tenant_id = principal.tenant_id
        self._rights = Rights(table, principal.tenant_id, principal)
        self._store = DocumentStore(table, principal.tenant_id)

    async def cancel(self, document_id: str) -> Document:
        """End the job that reads a document, at whatever step; search answers from the version before.

        Raises `DocumentNotFound`, `CollectionReadOnly` or `DocumentNotProcessing`.
        """
        for attempt in range(_ATTEMPTS):
            document = await self._rights.write(document_id)
            job = progress.running(document, document.job.revision) if document.job else None
            if job is None or document.state is not DocumentState.PROCESSING:
                raise DocumentNotProcessing
            state, cause = DocumentState.CANCELLED, ending.CANCELLED
            ended = ending.given_up(self._tenant_id, correlation_id(), document, job, state, cause)
            try:
                return await self._store.save(document, correlation_id(), *ended.also, **ended.changes)
            except (Changed, AlsoRefused):
                await _pause(attempt)
        raise Busy

    async def reprocess(self, document_id: str, password: str | None, *, ocr: bool) -> Document:
        """Have the newest version read again, whatever became of it before.

        Raises `DocumentNotFound`, `CollectionReadOnly`, `NothingUploaded` or `DocumentProcessing`.
        """
        for attempt in range(_ATTEMPTS):
            document = await self._rights.write(document_id)
            if document.version == 0:
                raise NothingUploaded
            if document.state is DocumentState.PROCESSING:
                raise DocumentProcessing
            begun = starting.begun(document, document.version, document.size, "reprocess", ocr=ocr)
            event = starting.read_again(self._tenant_id, correlation_id(), document)
            also: list[Write] = [outbox.message(event), await self._password(document, password)]
            try:
                return await self._store.save(document, correlation_id(), *also, **begun)
            except Changed:
                await _pause(attempt)
        raise Busy

    async def _password(self, document: Document, password: str | None) -> Write:
        if password is None:
            return passwords.forgotten(self._tenant_id, document.id)
        return await passwords.kept(self._secrets, self._tenant_id, document.id, document.revision + 1, password)


async def _pause(attempt: int) -> None:
    """Let the parts of the document that end just now be counted first."""
    await asyncio.sleep(random.uniform(0, min(0.5, 0.01 * 2**attempt)))  # noqa: S311 - no secret
