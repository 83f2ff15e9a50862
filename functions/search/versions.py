"""One version of one document: the state of the past in which search answers from it."""

from datetime import datetime

from almanac.access import Principal
from almanac.active import is_active
from almanac.aws import keys
from almanac.aws.table import Table
from almanac.visible import Sight
from search.errors import DocumentVersionNotFound, DocumentVersionNotSearchable

_READ = frozenset({"ready", "partial"})
_MOVED = "The document was moved since, and search has no more than what it brought along: its text can still be read."


async def moment_of(table: Table, principal: Principal, document_id: str, version: int, field: str) -> datetime:
    """Return when a version's bytes arrived: as of then, the index shows that version of the document.

    Raises `DocumentVersionNotFound` or `DocumentVersionNotSearchable`, which name `field`.
    """
    tenant_id = principal.tenant_id
    wanted = [keys.document(tenant_id, document_id), keys.document_version(tenant_id, document_id, version)]
    found = {item["entity"]: item for item in await table.batch_get(wanted, consistent=True)}
    document, known = found.get("document"), found.get("document_version")
    # Sight is taken after the document was read: what is hidden by now was not shown then.
    hidden = await Sight(table, principal).hidden()
    if known is None or not is_active(document):
        raise DocumentVersionNotFound(field=field)
    if not hidden.isdisjoint({document.get("project_id", ""), document.get("collection_id", "")}):
        raise DocumentVersionNotFound(field=field)
    if known["state"] not in _READ:
        why = f"This version is `{known['state']}`: only one that is `ready` or `partial` can be asked."
        raise DocumentVersionNotSearchable(why, field=field)
    if known["revision"] <= document.get("erased_revision", 0):
        raise DocumentVersionNotSearchable(_MOVED, field=field)
    return datetime.fromisoformat(known["written_at"])
