"""Two versions of a document, read from their stored texts and compared."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from almanac.access import Principal
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.clients import StoreUnavailable
from almanac.aws.table import Table
from almanac.index.sources import SourceBatch
from almanac.text.secrets import clean_source
from documents.diff.aligning import changes
from documents.diff.errors import TooLongToCompare, VersionWithoutText
from documents.diff.paragraphs import Page, paragraphs
from documents.diff.passages import Passage, passages
from documents.errors import DocumentVersionNotFound
from documents.model import Document, DocumentState, Part, PartState
from documents.rights import Rights
from documents.store import DocumentStore

MOST_CHARACTERS = 8_000_000
"""Of both versions together: what a function of this size compares within its time."""
_READ = frozenset({DocumentState.READY, DocumentState.PARTIAL})
_WITH_TEXT = frozenset({PartState.READ, PartState.SENT, PartState.INDEXED})
_READS_AT_ONCE = 8


@dataclass(frozen=True)
class Compared:
    """All that changed. `revisions` are those whose texts were compared: whoever goes on holds on to them."""

    revisions: tuple[int, int]
    passages: Sequence[Passage]


class DiffService:
    def __init__(self, table: Table, blobs: Blobs, principal: Principal) -> None:
        self._blobs = blobs
        self._tenant_id = principal.tenant_id
        self._store = DocumentStore(table, principal.tenant_id)
        self._rights = Rights(table, principal.tenant_id, principal)

    async def compare(self, document_id: str, before: int, after: int) -> Compared:
        """Return what changed from one version to another, later or earlier; secrets are masked in both.

        Raises `DocumentNotFound`, `DocumentVersionNotFound`, `VersionWithoutText` or `TooLongToCompare`.
        """
        document = await self._rights.read(document_id)
        one = await self._revision(document, before, "query.from")
        other = await self._revision(document, after, "query.to")
        if one == other:
            return Compared((one, other), ())
        texts = [await self._texts(document, revision) for revision in (one, other)]
        # Once more, since rights judge what was read before: meanwhile the document may have been hidden or moved.
        await self._rights.read(document_id)
        return Compared((one, other), await asyncio.to_thread(_compare, *texts))

    async def _revision(self, document: Document, version: int, field: str) -> int:
        """Return the revision with the text of a version."""
        found = await self._store.version(document.id, version)
        if found is None:
            raise DocumentVersionNotFound(field=field)
        if version == document.shown_version:
            return document.shown_revision
        if found.state not in _READ or found.revision == 0:
            raise VersionWithoutText(version, found.state.value, found.cause, field=field)
        return found.revision

    async def _texts(self, document: Document, revision: int) -> list[bytes]:
        """Return the stored parts of a revision, in order."""
        parts = [part for part in await self._store.parts(document.id, revision) if _has_text(part)]
        known = sum(part.characters for part in parts)
        if known > MOST_CHARACTERS:
            raise TooLongToCompare(known, MOST_CHARACTERS)
        slots = asyncio.Semaphore(_READS_AT_ONCE)

        async def read(part: Part) -> bytes:
            async with slots:
                body = await self._blobs.get(keys.document_text(self._tenant_id, document.id, revision, part.part))
            if body is None:
                raise StoreUnavailable("The document's text cannot be read now: try again.")
            return body

        return list(await asyncio.gather(*(read(part) for part in parts)))


def _has_text(part: Part) -> bool:
    return part.first > 0 and part.state in _WITH_TEXT


def _compare(before: Sequence[bytes], after: Sequence[bytes]) -> list[Passage]:
    """Compare the parts of two revisions. Blocks: for threads."""
    one, other = _pages(before), _pages(after)
    characters = sum(len(page.text) for page in (*one, *other))
    if characters > MOST_CHARACTERS:
        raise TooLongToCompare(characters, MOST_CHARACTERS)
    return passages(changes(paragraphs(one), paragraphs(other)))


def _pages(bodies: Sequence[bytes]) -> list[Page]:
    found = []
    for body in bodies:
        for source in SourceBatch.decode(body).sources:
            shown = clean_source(source).source
            found.append(Page(int(source.source_id.rpartition(":")[2]), shown.citation.place, shown.text))
    return sorted(found, key=lambda page: page.number)
