"""One tenant's hooks, as the webhook road sees them."""

import time
from dataclasses import dataclass

from almanac.active import is_active
from almanac.aws import keys, outbox
from almanac.aws.table import ConditionFailed, Put, Table
from almanac.events import RepositoryChanged, SyncRepository
from almanac.ids import is_id

_REMEMBERED_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Hook:
    """The encrypted secrets that are valid now, the current one first."""

    ciphers: list[bytes]


class HookRepository:
    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def get(self, repository_id: str) -> Hook | None:
        """Return the repository's hook, or None when there is no such repository or it is being deleted."""
        if not (is_id(self._tenant_id, "ten") and is_id(repository_id, "rep")):
            return None
        item = await self._table.get(keys.hook(self._tenant_id, repository_id))
        if not is_active(item):
            return None
        ciphers = list(item["secrets_cipher"])
        return Hook(ciphers if (item.get("rotated_until") or 0) > time.time() else ciphers[:1])

    async def accept(self, identity: str, event: SyncRepository | RepositoryChanged) -> bool:
        """Send `event` unless a delivery of this identity was accepted before; tells whether it was sent.

        Deliveries are remembered for a week; renames and deletions, which a replay must never repeat, for good.
        """
        expires_at = int(time.time()) + _REMEMBERED_SECONDS if isinstance(event, SyncRepository) else None
        key = keys.delivery(self._tenant_id, event.repository_id, identity)
        seen = Put({**key.as_dict(), "entity": "delivery", "expires_at": expires_at})
        try:
            await self._table.transact([seen, outbox.message(event)])
        except ConditionFailed:
            return False
        return True
