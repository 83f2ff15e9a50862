"""What the bucket holds of a tenant's documents, as lines of an archive: files in pieces, texts and analyses whole."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from almanac.active import is_active
from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from identity.exports import archive

PIECE_BYTES = 8 << 20
PART_BYTES = 24 << 20
"""Of the objects of a part, which an import reads at once."""
PART_OBJECTS = 400


@dataclass(frozen=True)
class Found:
    """Some lines, and where the next begin: behind the object `after` and so many pieces of the one that follows it."""

    lines: list[str]
    counts: Mapping[str, int]
    after: str
    pieces: int
    is_last: bool


@dataclass
class DocumentObjects:
    """Reads one tenant's objects in the order of their keys. Those of a document that is being deleted are left out."""

    table: Table
    blobs: Blobs
    tenant_id: str
    _standing: dict[str, bool] = field(default_factory=dict)

    async def read(self, after: str, pieces: int) -> Found:
        """Return the lines of the objects that come next, about as many as go into one part."""
        lines: list[str] = []
        counts: Counter[str] = Counter()
        room = PART_BYTES
        async for key in self.blobs.list(keys.documents_prefix(self.tenant_id), after):
            version_id = await self._version_id(key)
            original = keys.arrived_original(key) is not None
            while version_id is not None:
                if room <= 0 or len(lines) >= PART_OBJECTS:
                    return Found(lines, counts, after, pieces, is_last=False)
                body = await self._body(key, pieces if original else None, version_id)
                if not body:
                    break
                room -= len(body)
                if not original:
                    lines.append(archive.object_line(key, body, self.tenant_id))
                    counts["objects"] += 1
                    break
                lines.append(archive.piece_line(key, pieces, body, self.tenant_id))
                counts["pieces"] += 1
                pieces += 1
                if len(body) < PIECE_BYTES:
                    break
            after, pieces = key, 0
        return Found(lines, counts, after, pieces, is_last=True)

    async def _body(self, key: str, piece: int | None, version_id: str) -> bytes | None:
        if piece is None:
            return await self.blobs.get(key)
        return await self.blobs.get_range(key, piece * PIECE_BYTES, PIECE_BYTES, version_id)

    async def _version_id(self, key: str) -> str | None:
        """Return which version of an object is exported, "" for the newest; None where none is.

        Of a file it is the one that was taken in: whatever a stale form wrote is not the tenant's document.
        """
        document_id = key.removeprefix(keys.documents_prefix(self.tenant_id)).split("/")[0]
        if document_id not in self._standing:
            self._standing = {document_id: document_id in await standing(self.table, self.tenant_id, {document_id})}
        if not self._standing[document_id]:
            return None
        original = keys.arrived_original(key)
        if original is None:
            return ""
        version = await self.table.get(keys.document_version(*original))
        return version.get("object_version", "") if version is not None and version["revision"] else None


async def standing(table: Table, tenant_id: str, document_ids: Collection[str]) -> set[str]:
    """Return which documents are there and not being deleted."""
    places = [keys.document(tenant_id, document_id) for document_id in sorted(document_ids)]
    found = await table.batch_get(places, consistent=True)
    return {item["id"] for item in found if is_active(item)}
