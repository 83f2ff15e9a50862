"""Lists: `{"items", "next_cursor"}`, and cursors that are opaque, signed, and bound to tenant and query."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Query

from almanac.aws import keys
from almanac.aws.table import Table
from almanac.errors import BadRequest

Limit = Annotated[int, Query(ge=1, le=100, description="How many items to return.")]
Cursor = Annotated[
    str | None, Query(max_length=2048, description="`next_cursor` of the page before; only valid for the same query.")
]

_SIGNATURE_BYTES = 16


class InvalidCursor(BadRequest):
    """The cursor was not made by us, for this tenant and this query."""

    code = "invalid_cursor"


class Cursors:
    """Makes and checks one tenant's cursors. `query` is whatever identifies the list: its path and filters."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def encode(self, query: str, position: Mapping[str, Any]) -> str:
        """Return an opaque token for `position` (JSON values)."""
        body = json.dumps(position, separators=(",", ":"), sort_keys=True).encode()
        return base64.urlsafe_b64encode(self._sign(query, body) + body).decode().rstrip("=")

    def decode(self, query: str, token: str) -> dict[str, Any]:
        """Return the position; raises `InvalidCursor` unless `encode` made the token for the same query."""
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
            signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
            if hmac.compare_digest(signature, self._sign(query, body)):
                return dict(json.loads(body))
        except ValueError:
            pass
        raise InvalidCursor("Use `next_cursor` of the previous page, with the same filters.", field="query.cursor")

    def _sign(self, query: str, body: bytes) -> bytes:
        message = hashlib.sha256(query.encode()).digest() + body
        return hmac.new(self._secret, message, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


class CursorSecrets:
    """Reads each tenant's signing secret from its item, once per environment."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._known: dict[str, bytes] = {}

    async def cursors(self, tenant_id: str) -> Cursors:
        """Return the tenant's cursors."""
        if tenant_id not in self._known:
            item = await self._table.get(keys.tenant(tenant_id), consistent=False)
            if item is None:
                raise InvalidCursor("The tenant is gone.", field="query.cursor")
            self._known[tenant_id] = item["cursor_secret"]
        return Cursors(self._known[tenant_id])

    async def start_after(self, tenant_id: str, query: str, cursor: str | None) -> str | None:
        """Return the id that a page begins after, None for the first page; raises `InvalidCursor`."""
        if cursor is None:
            return None
        return str((await self.cursors(tenant_id)).decode(query, cursor)["after"])

    async def next_cursor(self, tenant_id: str, query: str, next_id: str | None) -> str | None:
        """Return the cursor of the page after `next_id`, None at the end."""
        if next_id is None:
            return None
        return (await self.cursors(tenant_id)).encode(query, {"after": next_id})
