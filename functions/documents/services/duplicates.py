"""The same bytes again: a row per project, collection and hash names the document that has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from almanac.aws import keys
from almanac.aws.table import Item, Put, Table
from documents.model import Document, DocumentState
from documents.store import DocumentStore

_HOLDS = frozenset({DocumentState.PROCESSING, DocumentState.READY, DocumentState.PARTIAL})
ENTITY = "document_hash"


@dataclass(frozen=True)
class Found:
    """What stands at a hash: the row, if any, and the document whose newest version has these bytes, if it stands."""

    row: Item | None
    document: Document | None


async def find(table: Table, tenant_id: str, project_id: str, collection_id: str, sha256: str) -> Found:
    """Look for a document with these bytes in a place."""
    row = await table.get(keys.document_hash(tenant_id, project_id, collection_id, sha256))
    if row is None:
        return Found(None, None)
    document = await DocumentStore(table, tenant_id).get(row["document_id"])
    there = document is not None and (document.project_id, document.collection_id) == (project_id, collection_id)
    return Found(row, document if document is not None and there and holds(document, sha256) else None)


def holds(document: Document, sha256: str) -> bool:
    """Tell whether the newest version of a document has these bytes and is read, or being read."""
    return document.state in _HOLDS and document.sha256 == sha256


def claim(tenant_id: str, document: Document, sha256: str, found: Found) -> Put:
    """Return the write that makes the bytes a document's; refused when the row is another by now than was `found`.

    The row of a document that lost its hold stays until somebody claims the bytes, or the document is deleted.
    """
    key = keys.document_hash(tenant_id, document.project_id, document.collection_id, sha256)
    item = {**key.as_dict(), "entity": ENTITY, "document_id": document.id}
    if found.row is None:
        return Put(item)
    seen: Mapping[str, Any] = {":seen": found.row["document_id"], ":own": document.id}
    return Put(item, condition="#document_id IN (:seen, :own)", values=seen)
