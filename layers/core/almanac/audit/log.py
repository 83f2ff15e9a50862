"""Reading one tenant's audit log."""

from collections.abc import Sequence
from typing import Any

from almanac.audit.chain import Line, Link
from almanac.aws import keys
from almanac.aws.table import Item, Table

_OF_THE_TABLE = frozenset({"pk", "sk", "entity"})


class AuditLog:
    """The sealed entries of a tenant, and how many are not sealed yet."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def head(self) -> Link:
        """Return the last sealed place."""
        item = await self._table.get(keys.audit_head(self._tenant_id))
        return Link(item["seq"], item["hash"]) if item else Link()

    async def link(self, seq: int) -> Link | None:
        """Return the place of an entry as its own item says; None when there is none. Before the first is 0."""
        if seq == 0:
            return Link()
        item = await self._table.get(keys.audit_entry(self._tenant_id, seq))
        return Link(seq, str(item.get("hash"))) if item else None

    async def after(self, seq: int, limit: int) -> list[Line]:
        """Return up to `limit` entries in order, where each lies by its key; fewer only at the end."""
        return await self._lines(seq, limit, newest_first=False)

    async def before(self, seq: int | None, limit: int) -> list[Line]:
        """Return up to `limit` entries, the newest first, that lie before `seq` (None: all)."""
        return await self._lines(seq, limit, newest_first=True)

    async def _lines(self, seq: int | None, limit: int, *, newest_first: bool) -> list[Line]:
        items: list[Item] = []
        position = None if seq is None else keys.audit_entry(self._tenant_id, seq).as_dict()
        while len(items) < limit:
            page = await self._table.query(
                keys.audit_entries(self._tenant_id),
                after=position,
                limit=limit - len(items),
                newest_first=newest_first,
            )
            items += page.items
            position = page.last_key
            if position is None:
                break
        return [_line(item) for item in items]

    async def with_sources(self, lines: Sequence[Line]) -> list[Line]:
        """Return the entries with where each call came from, unless that was erased."""
        wanted = {keys.audit_source(self._tenant_id, *_whose(line)): line for line in lines}
        found = await self._table.batch_get(list(wanted), consistent=True)
        sources = {keys.Key(item["pk"], item["sk"]): item.get("source") for item in found}
        return [line if sources.get(key) is None else {**line, "source": sources[key]} for key, line in wanted.items()]

    async def open(self, most: int) -> list[str]:
        """Return when the entries that are not sealed yet began, the oldest first, `most` of them."""
        page = await self._table.query(keys.audit_opens(self._tenant_id), limit=most)
        return [str(item["at"]) for item in page.items]


def _whose(line: Line) -> tuple[str, int]:
    """Return the actor and the number of an entry, whatever was made of it since."""
    actor, seq = line.get("actor"), line.get("seq")
    return str(actor.get("id")) if isinstance(actor, dict) else "", seq if isinstance(seq, int) else 0


def _line(item: Item) -> dict[str, Any]:
    return {name: value for name, value in item.items() if name not in _OF_THE_TABLE}
