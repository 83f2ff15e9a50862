"""Cursors of the slice's lists: where a list goes on is the id of something that its reader sees."""

from documents import wiring


async def start_after(tenant_id: str, query: str, cursor: str | None) -> str | None:
    """Return the id that the page begins after; raises `InvalidCursor`."""
    if cursor is None:
        return None
    cursors = await wiring.cursor_secrets().cursors(tenant_id)
    return str(cursors.decode(query, cursor)["after"])


async def next_cursor(tenant_id: str, query: str, next_id: str | None) -> str | None:
    """Return the cursor of the page after `next_id`, None at the end."""
    if next_id is None:
        return None
    return (await wiring.cursor_secrets().cursors(tenant_id)).encode(query, {"after": next_id})
