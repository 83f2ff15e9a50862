"""`Idempotency-Key`: a creation that is sent twice happens once and answers the same.

The record is written in the transaction of the creation itself, so neither can exist without the other.
"""

import hashlib
import time
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Header

from almanac.aws import keys
from almanac.aws.table import Put, Table
from almanac.errors import Unprocessable

LIFETIME_SECONDS = 24 * 3600

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Any unique text. A repeat within 24 hours with the same body answers as the first call did.",
    ),
]


class IdempotencyKeyReused(Unprocessable):
    """The key was used before with another request."""

    code = "idempotency_key_reused"


@dataclass(frozen=True)
class Idempotent:
    """One use of a key: `scope` names the operation, `request` is a canonical form of what was asked.

    A key is its user's own: what `actor_id` did is not told to anybody else who happens upon the same key.
    """

    table: Table
    tenant_id: str
    actor_id: str
    scope: str
    key: str | None
    request: str

    async def earlier(self) -> dict[str, Any] | None:
        """Return what the first call answered, or None; raises `IdempotencyKeyReused` for another request."""
        if self.key is None:
            return None
        item = await self.table.get(self._key())
        if item is None or item["expires_at"] < time.time():
            return None
        if item["request_sha256"] != _sha256(self.request):
            raise IdempotencyKeyReused(
                "This key belongs to another request; use a new one.", field="header.idempotency-key"
            )
        return dict(item["answer"])

    def record(self, answer: dict[str, Any]) -> list[Put]:
        """Return the writes that remember the answer: one, or none without a key."""
        if self.key is None:
            return []
        expires_at = int(time.time()) + LIFETIME_SECONDS
        item = {"request_sha256": _sha256(self.request), "answer": answer, "expires_at": expires_at}
        return [
            Put(
                {**self._key().as_dict(), "entity": "idempotency", **item},
                condition="attribute_not_exists(#pk) OR #expires_at < :now",
                values={":now": int(time.time())},
            )
        ]

    def _key(self) -> keys.Key:
        return keys.idempotency(self.tenant_id, self.scope, _sha256(f"{self.actor_id}\0{self.key}"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
