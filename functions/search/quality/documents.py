"""Pages of documents, as the texts in the bucket have them, beside what the index shows of them."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Item, Table
from almanac.events import DocumentOrigin
from almanac.index.sources import Source, SourceBatch, SourceInfo
from almanac.text.chunking import chunk_source
from almanac.text.secrets import clean_source
from search.indexes.opening import Opened
from search.quality.messages import digest
from search.quality.report import Difference

if TYPE_CHECKING:
    from almanac.index.parts import Part

AtRest = frozenset({"ready", "partial", "failed", "cancelled", "expired"})
"""States in which nothing changes what search shows of a document."""
_LISTED = 100

Page = tuple[str, int]
"""A document's id, and the number of a page of it."""


def page_of(info: SourceInfo) -> Page:
    """Return which page a source is."""
    number = info.source_id.rpartition(":")[2]
    return info.group_id or "", int(number) if number.isdigit() else 0


class Comparison:
    """Compares pages with what one state of the index shows of them."""

    def __init__(self, table: Table, blobs: Blobs, tenant_id: str, opened: Opened) -> None:
        self._table = table
        self._blobs = blobs
        self._tenant_id = tenant_id
        self._opened = opened
        state = opened.state
        origins = (entry.origin for entry in state.awaiting.values())
        self._awaited = {origin.document_id for origin in origins if isinstance(origin, DocumentOrigin)}

    async def differences(self, wanted: Sequence[Page]) -> dict[Page, Difference]:
        """Return what differs, by page."""
        names = list(dict.fromkeys(name for name, _ in wanted))
        wanted_keys = [keys.document(self._tenant_id, name) for name in names]
        items = {item["id"]: item for item in await self._table.batch_get(wanted_keys, consistent=True)}
        compared = await asyncio.gather(*(self._difference(page, items.get(page[0])) for page in wanted))
        return {page: each for page, each in zip(wanted, compared, strict=True) if each is not None}

    async def _difference(self, page: Page, item: Item | None) -> Difference | None:
        source_id = f"document:{page[0]}:{page[1]:06d}"
        place = self._opened.find(source_id)
        info = place[0].info(place[1]) if place else None
        if item is None:
            return _differs(source_id, "document_gone", None, f"version {info.version}", info) if info else None
        if not self._is_at_rest(item):
            return None
        stored = await self._stored(page, item)
        if stored is None:
            return _differs(source_id, "content_missing", f"revision {item['shown_revision']}", None, info, item)
        if info is None or place is None:
            problem = "not_in_index" if stored.text.strip() else None
            return _differs(source_id, problem, f"revision {stored.version}", None, info, item) if problem else None
        if info.version != stored.version:
            said = f"revision {stored.version}", f"revision {info.version}"
            return _differs(source_id, "version_differs", *said, info, item)
        owners = item.get("collection_id") or item.get("project_id", "")
        if info.container_id != owners or info.citation != clean_citation(stored):
            said = f"{owners} {stored.citation.place}", f"{info.container_id} {info.citation.place}"
            return _differs(source_id, "place_differs", *said, info, item)
        expected, found = await asyncio.to_thread(_texts, stored, place)
        if expected != found:
            return _differs(source_id, "content_differs", digest(expected), digest(found), info, item)
        return None

    def _is_at_rest(self, item: Item) -> bool:
        """Tell whether what search shows of a document is settled, and is shown at all."""
        owners = {item["id"], item.get("project_id", ""), item.get("collection_id", "")}
        hidden = not owners.isdisjoint(self._opened.state.drops) or item["id"] in self._awaited
        return item["state"] in AtRest and item.get("shown_revision", 0) > 0 and not hidden

    async def _stored(self, page: Page, item: Item) -> Source | None:
        """Return a page as the shown revision has it; one without text where no part has it."""
        document_id, number = page
        revision = item["shown_revision"]
        partition = keys.document(self._tenant_id, document_id).pk
        prefix = keys.document_parts(revision)
        async for part in self._table.query_all(partition, prefix=prefix):
            if not part["offset"] < number <= part["offset"] + part["pages"]:
                continue
            body = await self._blobs.get(keys.document_text(self._tenant_id, document_id, revision, part["part"]))
            if body is None:
                return None
            batch = await asyncio.to_thread(SourceBatch.decode, body)
            found = (source for source in batch.sources if page_of(source)[1] == number)
            return next(found, None)
        return None


def clean_citation(source: Source) -> object:
    """Return a source's citation as the index has it."""
    return clean_source(source).source.citation


async def listed(table: Table, tenant_id: str, count: int, chance: Random) -> list[Page]:
    """Return pages of some of the tenant's documents, one of each."""
    page = await table.query(
        keys.documents(tenant_id), index=keys.CHILDREN_INDEX, limit=_LISTED, newest_first=chance.random() < 0.5
    )
    shown = [item for item in page.items if item.get("shown_pages", 0) > 0]
    chosen = chance.sample(shown, min(count, len(shown)))
    return [(item["id"], chance.randint(1, item["shown_pages"])) for item in chosen]


def wanted_of(infos: Iterable[SourceInfo], listed_pages: Sequence[Page]) -> list[Page]:
    return list(dict.fromkeys([*(page_of(info) for info in infos), *listed_pages]))


def _texts(stored: Source, place: "tuple[Part, int]") -> tuple[list[str], list[str]]:
    part, document = place
    clean = clean_source(stored).source
    return [chunk.text for chunk in chunk_source(clean)], [part.text(row)[0] for row in part.rows_of(document)]


def _differs(
    source_id: str,
    problem: str,
    expected: str | None,
    found: str | None,
    info: SourceInfo | None,
    item: Mapping[str, str] | None = None,
) -> Difference:
    project = item.get("project_id", "") if item else info.project_id if info else None
    container = item.get("collection_id", "") if item else info.container_id if info else None
    return Difference(source_id, "document", problem, expected, found, project, container or None)
