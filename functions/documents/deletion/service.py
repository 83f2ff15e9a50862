"""Asking for the deletion of a document, and for its receipt."""

from almanac.access import Principal
from almanac.aws.table import Table
from almanac.errors import Busy, RetryableError
from almanac.ids import is_id
from almanac.observability import correlation_id
from documents.deletion.beginning import begin, receipt_of
from documents.deletion.model import Receipt
from documents.errors import DocumentNotDeleted, DocumentNotFound, ReceiptNotFound
from documents.rights import Rights
from documents.store import DocumentStore


class DeletionService:
    def __init__(self, table: Table, principal: Principal) -> None:
        self._table = table
        self._tenant_id = principal.tenant_id
        self._actor_id = principal.actor_id
        self._rights = Rights(table, principal.tenant_id, principal)

    async def delete(self, document_id: str) -> Receipt:
        """Hide a document at once, also from search, and have everything of it removed, whatever state it is in.

        Raises `DocumentNotFound`, `CollectionReadOnly` or `Busy`.
        """
        document = await self._rights.write(document_id)
        store = DocumentStore(self._table, self._tenant_id)
        try:
            receipt = await begin(store, document, self._actor_id, correlation_id())
        except RetryableError:
            raise Busy from None
        if receipt is None:
            raise DocumentNotFound
        return receipt

    async def receipt(self, document_id: str) -> Receipt:
        """Return what was removed of a document; raises `ReceiptNotFound` or `DocumentNotDeleted`.

        It is for who asked for the deletion, for who sees everything, and for who sees where the document was.
        """
        receipt = await receipt_of(self._table, self._tenant_id, document_id) if is_id(document_id, "doc") else None
        if receipt is None:
            await self._refuse(document_id)
            raise ReceiptNotFound
        if receipt.requested_by == self._actor_id or self._rights.sight.unlimited:
            return receipt
        gone = await self._rights.gone(receipt.owners)
        if gone or not (await self._rights.sight.hidden()).isdisjoint(receipt.owners):
            raise ReceiptNotFound
        return receipt

    async def _refuse(self, document_id: str) -> None:
        try:
            await self._rights.read(document_id)
        except DocumentNotFound:
            return
        raise DocumentNotDeleted
