"""The text of a document as it was read, page by page, with asterisks in the place of secrets."""

import asyncio
from dataclasses import dataclass

from almanac.access import Principal
from almanac.aws import keys
from almanac.aws.clients import StoreUnavailable
from almanac.dependencies import Dependencies
from almanac.index.sources import Place, Source, SourceBatch
from almanac.text.secrets import clean_source
from documents.errors import DocumentVersionNotFound, NothingUploaded
from documents.model import Document, Part, PartState
from documents.rights import Rights
from documents.store import DocumentStore

MOST_PAGES = 100
MOST_CHARACTERS = 1_000_000
_UNREAD = frozenset({PartState.WAITING, PartState.FAILED})


@dataclass(frozen=True)
class Page:
    """A page of a document, numbered through the file from 1. `whole`: its text was not cut off."""

    number: int
    place: Place | None
    text: str
    whole: bool = True


@dataclass(frozen=True)
class Text:
    """Pages of one version. `next` is the number of the first page that did not go in, None at the end."""

    version: int
    revision: int
    pages: list[Page]
    next: int | None


class TextService:
    def __init__(self, dependencies: Dependencies, principal: Principal) -> None:
        self._blobs = dependencies.blobs
        self._tenant_id = principal.tenant_id
        self._store = DocumentStore(dependencies.table, principal.tenant_id)
        self._rights = Rights(dependencies.table, principal.tenant_id, principal)

    async def read(self, document_id: str, version: int | None, first: int, last: int | None) -> Text:
        """Return the pages `first` to `last` of a version, as many as go into an answer; without one, the shown one's.

        Raises `DocumentNotFound`, `DocumentVersionNotFound` or `NothingUploaded`.
        """
        document = await self._rights.read(document_id)
        text = await self._read(document, version, first, last)
        # Once more, since rights judge what was read before: meanwhile the document may have been hidden or moved.
        await self._rights.read(document_id)
        return text

    async def _read(self, document: Document, version: int | None, first: int, last: int | None) -> Text:
        document_id = document.id
        wanted = version or document.shown_version or document.version
        if wanted == 0:
            raise NothingUploaded
        found = await self._store.version(document_id, wanted)
        if found is None or found.revision == 0:
            raise DocumentVersionNotFound(field="query.version")
        revision = document.shown_revision if wanted == document.shown_version else found.revision
        until = min(last or first + MOST_PAGES - 1, first + MOST_PAGES - 1)
        parts = [part for part in await self._store.parts(document_id, revision) if part.state not in _UNREAD]
        pages: list[Page] = []
        characters = 0
        for part in parts:
            if not _overlaps(part, first, until):
                continue
            for page in await self._pages(document_id, revision, part, first, until):
                if pages and characters + len(page.text) > MOST_CHARACTERS:
                    return Text(wanted, revision, pages, page.number)
                pages.append(page)
                characters += len(page.text)
        beyond = any(part.offset + part.pages > until for part in parts)
        return Text(wanted, revision, pages, until + 1 if beyond and until != last else None)

    async def _pages(self, document_id: str, revision: int, part: Part, first: int, last: int) -> list[Page]:
        key = keys.document_text(self._tenant_id, document_id, revision, part.part)
        body = await self._blobs.get(key)
        if body is None:
            raise StoreUnavailable("The document's text cannot be read now: try again.")
        return await asyncio.to_thread(_shown, body, first, last)


def _overlaps(part: Part, first: int, last: int) -> bool:
    return part.first > 0 and part.offset < last and part.offset + part.pages >= first


def _shown(body: bytes, first: int, last: int) -> list[Page]:
    """Read the wanted pages of a part, without secrets. Blocks: for threads."""
    numbered = [(_number(source), source) for source in SourceBatch.decode(body).sources]
    return [_page(number, source) for number, source in sorted(numbered, key=_first) if first <= number <= last]


def _page(number: int, source: Source) -> Page:
    text = clean_source(source).source.text
    return Page(number, source.citation.place, text[:MOST_CHARACTERS], len(text) <= MOST_CHARACTERS)


def _number(source: Source) -> int:
    return int(source.source_id.rpartition(":")[2])


def _first(numbered: tuple[int, Source]) -> int:
    return numbered[0]
