"""The password of an encrypted file, from when it is given until the job that reads it has ended.

It is kept in an envelope that opens for its tenant and document alone, under an item that expires by itself; it is in
no message, log, event or export. Whatever ends the job removes the item.
"""

import time

from almanac.aws import keys
from almanac.aws.secrets import BrokenEnvelope, Secrets
from almanac.aws.table import Delete, Put, Table
from documents.model import Document

KEPT_SECONDS = 24 * 3600


async def kept(secrets: Secrets, tenant_id: str, document_id: str, revision: int, password: str) -> Put:
    """Return the write that keeps a password for the job of this revision."""
    envelope = await secrets.encrypt(password, tenant_id=tenant_id, resource_id=document_id)
    item = {
        **keys.document_password(tenant_id, document_id).as_dict(),
        "entity": "document_password",
        "revision": revision,
        "password": envelope,
        "expires_at": int(time.time()) + KEPT_SECONDS,
    }
    return Put(item, overwrite=True)


async def carried(table: Table, tenant_id: str, document: Document) -> list[Put]:
    """Return what keeps the password of a document's present job for that of its next revision; nothing without one."""
    item = await table.get(keys.document_password(tenant_id, document.id))
    if item is None or item["revision"] != document.revision:
        return []
    later = {**item, "revision": document.revision + 1}
    return [Put(later, condition="#revision = :seen", values={":seen": item["revision"]})]


def forgotten(tenant_id: str, document_id: str) -> Delete:
    """Return the write that removes a password; harmless where there is none."""
    return Delete(keys.document_password(tenant_id, document_id))


async def given(table: Table, secrets: Secrets, tenant_id: str, document_id: str, revision: int) -> str | None:
    """Return the password that was given for the job of this revision, or None."""
    item = await table.get(keys.document_password(tenant_id, document_id))
    if item is None or item["revision"] != revision:
        return None
    try:
        return await secrets.decrypt(item["password"], tenant_id=tenant_id, resource_id=document_id)
    except BrokenEnvelope:
        return None
