"""Files of documents, put together of their pieces when all rows are written.

The bucket tells of each file that comes. Whoever hears of it removes what no version is there for: so they come last.
"""

import hashlib
from dataclasses import dataclass, replace

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import ConditionFailed, Item, Table, Update
from almanac.errors import RetryableError
from almanac.limits.quotas import DOCUMENT_BYTES, added
from identity.exports.documents import PIECE_BYTES
from identity.imports.errors import BadArchive
from identity.imports.model import Import
from identity.imports.reading import Piece

_CONTENT_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Files:
    """The files of one tenant's imports."""

    table: Table
    blobs: Blobs
    tenant_id: str

    def piece(self, import_id: str, piece: Piece) -> str:
        """Return where a piece waits for the others."""
        return keys.import_piece(self.tenant_id, import_id, piece.document_id, piece.version, piece.number)

    async def join_next(self, moved: Import) -> Import | None:
        """Put one file together; None when there was none left. Can be repeated. Raises `BadArchive`."""
        waiting = keys.import_pieces(self.tenant_id, moved.id)
        first = await anext(self.blobs.list(waiting), None)
        if first is None:
            return None
        document_id, version = first.removeprefix(waiting).split("/")[:2]
        pieces = [key async for key in self.blobs.list(first.rpartition("/")[0] + "/")]
        place = keys.document_version(self.tenant_id, document_id, int(version))
        row = await self.table.get(place)
        if row is not None and row["revision"]:
            key = keys.document_original(self.tenant_id, document_id, int(version))
            moved = await self._counted(moved, row, await self._join(row, key, pieces))
        await self.blobs.delete(pieces)
        return moved

    async def _join(self, row: Item, key: str, pieces: list[str]) -> int:
        """Write a file, and return its size."""
        numbers = [int(piece.rpartition("/")[2]) for piece in pieces]
        digest, size = hashlib.sha256(), 0
        upload_id = await self.blobs.begin_parts(key, _CONTENT_TYPE)
        etags: dict[int, str] = {}
        for number, piece in zip(numbers, pieces, strict=True):
            body = await self.blobs.get(piece) or b""
            if number != len(etags) or size != number * PIECE_BYTES:
                break
            digest.update(body)
            size += len(body)
            etags[number + 1] = await self.blobs.put_part(key, upload_id, number + 1, body)
        if len(etags) < len(pieces) or digest.hexdigest() != row["sha256"]:
            await self.blobs.abort_parts(key, upload_id)
            raise BadArchive(f"the file of version {row['version']} of a document is not the one that was uploaded")
        await self.blobs.end_parts(key, upload_id, etags)
        return size

    async def _counted(self, moved: Import, row: Item, size: int) -> Import:
        """Say of a version that its file is there, and count the file as the tenant's, once."""
        there = Update(
            keys.Key(row["pk"], row["sk"]), set={"size": size}, condition="#size = :none", values={":none": 0}
        )
        after = replace(moved, stored=moved.stored + size)
        known = Update(
            moved.key, set={"stored": after.stored}, condition="#stored = :before", values={":before": moved.stored}
        )
        try:
            await self.table.transact([there, known, added(self.tenant_id, **{DOCUMENT_BYTES: size})])
        except ConditionFailed as failed:
            if failed.position == 0:
                return moved
            raise RetryableError("another delivery of this import is at work") from None
        return after
