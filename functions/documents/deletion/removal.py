"""Removes everything of a document that is hidden. Each step can be cut off anywhere and begun again.

What leads to other things goes after them: texts tell which vectors there are. The rows of the parts go before the
texts, so that the embedding worker takes a text that is gone for a settled one. The document's own row goes last, with
the drop that hid it.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator, Sequence

from almanac.aws import keys, outbox
from almanac.aws.blobs import Blobs, ObjectVersion
from almanac.aws.keys import Key
from almanac.aws.table import ConditionFailed, Delete, Item, Put, Table, Write
from almanac.clock import iso, now
from almanac.embeddings.base import slug_of
from almanac.embeddings.cache import text_hash
from almanac.embeddings.statements import Meanings
from almanac.errors import RetryableError
from almanac.events import DeleteDocument
from almanac.findings import store as findings
from almanac.index.manifest import Directory, Manifest, from_item
from almanac.index.sources import SourceBatch, SourceRef
from almanac.limits.quotas import DOCUMENT_BYTES, added
from almanac.observability import log
from almanac.worker.batch import Deadline
from documents.deletion.beginning import receipt_of
from documents.deletion.model import RECEIPT_SECONDS, Receipt, ReceiptState, Thing
from documents.model import Document, DocumentState, PartState
from documents.store import DocumentStore

RESERVE_SECONDS = 20
"""Left for the step at hand. Nearer to the deadline, another message goes on."""
MOST_PAGES = 50_000
"""Tombstones for more would not fit into one transaction: the drop of such a document stays."""
_AT_ONCE = 100


class OutOfTime(Exception):
    """The deadline is near."""


class Overtaken(Exception):
    """Another delivery of the message is at work on the document."""


class Removal:
    """Carries the deletion of one document as far as time allows."""

    def __init__(self, table: Table, blobs: Blobs, event: DeleteDocument, deadline: Deadline) -> None:
        self._table = table
        self._blobs = blobs
        self._event = event
        self._deadline = deadline
        self._tenant_id = event.tenant_id
        self._document_id = event.document_id
        self._store = DocumentStore(table, event.tenant_id)
        self._manifest = Manifest(table, event.tenant_id)
        self._receipt: Receipt

    async def run(self) -> None:
        """Remove what is left of the document; nothing is left to do for one that is gone, or not to be deleted."""
        document = await self._store.get(self._document_id)
        receipt = await receipt_of(self._table, self._tenant_id, self._document_id)
        if document is None or document.state is not DocumentState.DELETING or receipt is None:
            return
        self._receipt = receipt
        try:
            await self._remove(document)
        except OutOfTime:
            await self._table.write(outbox.message(self._event))
            return
        except Overtaken:
            # Were it to die, the watchdog asks again.
            log("info", "another delivery of this deletion is at work", document_id=document.id)
            return
        if self._may_be_written():
            await self._write(self._receipt.next(state=ReceiptState.SETTLING, counted=[]))
            log("info", "document removed, to be looked through again", document_id=document.id)
            return
        await self._finish(document)

    async def _remove(self, document: Document) -> None:
        if document.upload is not None and document.upload.multipart_id is not None:
            key = keys.document_original(self._tenant_id, document.id, document.upload.version)
            await self._blobs.abort_parts(key, document.upload.multipart_id)
        if self._receipt.stored is None:
            await self._write(self._receipt.next(stored=await self._stored()))
        await self._forget_findings()
        await self._forget_rows(document)
        prefix = keys.document_prefix(self._tenant_id, self._document_id)
        if self._may_be_written():
            # Whoever embeds its texts just now writes vectors yet: the texts stay, to tell which.
            await self._erase_objects(prefix, keeping=keys.document_texts(self._tenant_id, self._document_id))
            return
        await self._forget_vectors()
        await self._erase_objects(prefix)
        # What is left are marks of deletions.
        async for _ in self._blobs.erase(prefix):
            self._check()

    def _may_be_written(self) -> bool:
        """Tell whether a worker that was at the document when its deletion began may be so still."""
        return self._receipt.settles_at is not None and now() < self._receipt.settles_at

    async def _stored(self) -> int:
        """Return how many bytes of files were counted as the tenant's."""
        versions = await self._store.versions(self._document_id)
        return sum(version.size for version in versions if version.revision)

    async def _forget_vectors(self) -> None:
        """Remove the vectors of the document's chunks, of whatever model: also those that other texts share."""
        slugs = await self._slugs()
        prefix = keys.document_texts(self._tenant_id, self._document_id)
        async for key in self._blobs.list(prefix):
            self._check()
            body = await self._blobs.get(key) if slugs and key > self._receipt.texts_until else None
            if body is None:
                continue
            names = await asyncio.to_thread(_vector_names, body)
            places = [keys.vector(self._tenant_id, slug, name) for slug in slugs for name in names]
            there = [_key_of(item) for chunk in _chunks(places) for item in await self._table.batch_get(chunk)]
            await self._count([Thing(_short(place.pk), "vector") for place in there])
            await self._table.batch_delete(there)
            await self._write(self._receipt.next(texts_until=key))

    async def _slugs(self) -> list[str]:
        """Return what the models of the tenant's indexes are called in the cache; none was used if none is named."""
        item = await self._table.get(keys.index_directory(self._tenant_id))
        entry = from_item(item) if item else None
        return sorted({slug_of(info.model) for info in entry.indexes.values()}) if isinstance(entry, Directory) else []

    async def _forget_findings(self) -> None:
        """Remove what was found in the document's pages, and take note of it."""
        pages = range(1, self._receipt.pages + 1)
        for start in range(0, len(pages), _AT_ONCE):
            self._check()
            numbers = pages[start : start + _AT_ONCE]
            names = [f"document:{self._document_id}:{number:06d}" for number in numbers]
            await findings.forget(self._table, self._tenant_id, names)

    async def _forget_rows(self, document: Document) -> None:
        """Remove what the index awaits of the document, who has its bytes, and all of its rows but its own."""
        awaited = keys.index_awaiting(self._tenant_id, document.id)
        rows = self._table.query_all(awaited.pk, prefix=awaited.sk)
        await self._table.batch_delete([_key_of(row) async for row in rows])
        for version in await self._store.versions(document.id):
            place = keys.document_hash(self._tenant_id, document.project_id, document.collection_id, version.sha256)
            try:
                await self._table.write(Delete(place, "#document_id = :own", {":own": document.id}))
            except ConditionFailed:
                continue
        own = keys.document(self._tenant_id, document.id)
        while True:
            self._check()
            page = await self._table.query(own.pk, limit=_AT_ONCE)
            there = [item for item in page.items if _key_of(item) != own]
            if not there:
                return
            await self._count([thing for item in there for thing in _things(item)])
            await self._table.batch_delete([_key_of(item) for item in there])

    async def _erase_objects(self, prefix: str, keeping: str | None = None) -> None:
        """Remove every version of every object under a prefix, but for what is under another."""
        async for found in self._versions(prefix):
            self._check()
            gone = [each for each in found if keeping is None or not each.key.startswith(keeping)]
            names = [_short(f"{each.key}@{each.version_id}") for each in gone]
            await self._count(
                [
                    Thing(name, _sort(each.key, prefix), each.size)
                    for name, each in zip(names, gone, strict=True)
                    if each.size
                ]
            )
            await self._blobs.delete_versions(gone)

    async def _versions(self, prefix: str) -> AsyncIterator[list[ObjectVersion]]:
        found: list[ObjectVersion] = []
        async for version in self._blobs.versions(prefix):
            found.append(version)
            if len(found) == _AT_ONCE:
                yield found
                found = []
        if found:
            yield found

    async def _finish(self, document: Document) -> None:
        """Remove the document's own row and complete the receipt. Tombstones take the place of the drop that hid it."""
        writes: list[Write] = [
            Delete(
                keys.document(self._tenant_id, document.id),
                condition="#change = :change",
                values={":change": document.change},
            ),
            added(self._tenant_id, **{DOCUMENT_BYTES: -(self._receipt.stored or 0)}),
            *self._tombstones(document),
        ]
        at = time.time()
        done = self._receipt.next(
            state=ReceiptState.DONE, finished_at=iso(at), counted=[], expires_at=int(at) + RECEIPT_SECONDS
        )
        try:
            await self._table.transact([*writes, done.replacing(self._receipt, self._tenant_id)])
        except ConditionFailed:
            raise RetryableError("the document or its receipt changed") from None
        log("info", "document deleted", document_id=document.id, **done.counts)

    def _tombstones(self, document: Document) -> list[Put | Delete]:
        if not self._receipt.dropped or self._receipt.pages > MOST_PAGES:
            return []
        pages = range(1, self._receipt.pages + 1)
        refs = [SourceRef(source_id=document.source_id(page), version=self._receipt.revision) for page in pages]
        return [Delete(keys.index_drop(self._tenant_id, document.id)), *self._manifest.hide(refs)]

    async def _count(self, found: Sequence[Thing]) -> None:
        """Write down what is about to be removed."""
        if found:
            await self._write(self._receipt.counting(found))

    async def _write(self, receipt: Receipt) -> None:
        try:
            await self._table.write(receipt.replacing(self._receipt, self._tenant_id))
        except ConditionFailed:
            raise Overtaken from None
        self._receipt = receipt

    def _check(self) -> None:
        if self._deadline.remaining() < RESERVE_SECONDS:
            raise OutOfTime


def _vector_names(body: bytes) -> list[str]:
    """Return what the cache calls the vectors of a text's chunks, as the embedding worker makes them."""
    from almanac.text.chunking import chunk_source, embedding_text
    from almanac.text.secrets import clean_source

    try:
        sources = SourceBatch.decode(body).sources
    except ValueError:
        return []
    clean = (clean_source(source).source for source in sources)
    return sorted({text_hash(embedding_text(chunk)) for source in clean for chunk in chunk_source(source)})


def _things(item: Item) -> list[Thing]:
    """Return what a row of a document stands for: itself, of a part the chunks that it gave the index, and vectors."""
    own = Thing(item["sk"], "version" if item["entity"] == "document_version" else "row")
    if item["entity"] == "document_meaning" and (codes := Meanings.from_item(item).codes):
        return [own, Thing(f"{item['sk']} codes", "vector", count=len(codes))]
    given = item["chunks"] if item["entity"] == "document_part" and item["state"] == PartState.INDEXED else 0
    return [own, Thing(f"{item['sk']} chunks", "chunk", count=given)] if given else [own]


def _sort(key: str, prefix: str) -> str:
    """Return what an object holds. Example: `text` of `tenants/ten_1/documents/doc_1/text/000003/000007.json.gz`."""
    return {"versions": "file"}.get(folder := key.removeprefix(prefix).split("/")[0], folder)


def _short(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def _key_of(item: Item) -> Key:
    return Key(item["pk"], item["sk"])


def _chunks(places: Sequence[Key]) -> Iterator[Sequence[Key]]:
    for start in range(0, len(places), _AT_ONCE):
        yield places[start : start + _AT_ONCE]
