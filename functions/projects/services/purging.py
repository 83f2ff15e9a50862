"""Purging a secret: every copy that can be changed is, and the receipt says which those were.

Each step can be repeated. What a step is about to remove is written into the receipt before it is removed, so that a
purge that was killed half-way counts it all the same.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from almanac.access import GRANTABLE, Principal
from almanac.aws import keys, outbox
from almanac.aws.blobs import ObjectVersion
from almanac.aws.table import Write
from almanac.clock import iso, now
from almanac.dependencies import Dependencies
from almanac.embeddings.base import slug_of
from almanac.embeddings.cache import text_hash
from almanac.errors import Busy, NotFound, RetryableError, VersionConflict
from almanac.events import CompactIndex, PurgeSecret
from almanac.findings.model import Deleted, Finding, Receipt
from almanac.findings.store import Findings
from almanac.index.manifest import Directory, Manifest
from almanac.index.shards import shard_of
from almanac.index.sources import Kind, SourceRef
from almanac.observability import log
from almanac.text.chunking import chunk, embedding_text
from almanac.text.secrets import found_in, masked, scan
from projects.errors import DuplicateContent
from projects.model import Message
from projects.services.messages import MessageService

_ATTEMPTS = 5
_DAY = 24 * 3600
TABLE_BACKUP_SECONDS = 35 * _DAY
"""How far back the table can be restored."""
INDEX_SWEEP_SECONDS = 2 * _DAY
"""Until then the compactor has merged the index, and the daily sweep has deleted what it replaced."""

_CHANGE_IT = "Revoke the secret where it was issued, and issue another: whoever has read it keeps it."
_REMAINS_OF_GIT = (
    _CHANGE_IT,
    (
        "Git objects cannot be changed without changing the history: remove the secret from it, push, and then sync "
        "the repository in full. Until then our copy of its packs has the secret; nothing of it is searched or shown."
    ),
    "If it was indexed before secrets were masked, build the index again from the sources and delete the old one.",
)
_REMAINS_OF_DOCUMENTS = (
    _CHANGE_IT,
    (
        "A file is kept as it was uploaded, with the text that was read from it. Search, quotes and shown text mask "
        "the secret, a download has it. Upload a file without it as a new document and delete this one: its receipt "
        "lists what went."
    ),
)
_REMAINS_OF_MESSAGES = (
    _CHANGE_IT,
    "Conversations are kept as they were said: delete one in which the message was quoted before it was masked.",
)


@dataclass(frozen=True)
class Purging:
    """What a purge needs. `default` are the indexes of a tenant that never chose any."""

    dependencies: Dependencies
    findings: Findings
    default: Directory

    async def purge(self, event: PurgeSecret) -> None:
        """Do what was asked for; nothing happens when it is done."""
        receipt = await self.findings.receipt(event.finding_id)
        finding = await self.findings.get(event.finding_id)
        if receipt is None or finding is None or receipt.state == "done":
            return
        if finding.origin.kind is Kind.MESSAGE:
            await _Message(self, event, finding, receipt).purge()
        else:
            is_document = finding.origin.kind is Kind.DOCUMENT
            remaining = list(_REMAINS_OF_DOCUMENTS if is_document else _REMAINS_OF_GIT)
            done = {"state": "done", "finished_at": now(), "remaining": remaining}
            await self.findings.finish(receipt.model_copy(update=done), purged=False)
        log("info", "secret purged", finding_id=finding.id, source=finding.origin.kind)


class _Message:
    """One message's secret. `_receipt` is what was removed, or is about to be."""

    def __init__(self, purging: Purging, event: PurgeSecret, finding: Finding, receipt: Receipt) -> None:
        self._table = purging.dependencies.table
        self._blobs = purging.dependencies.blobs
        self._findings = purging.findings
        self._tenant_id = event.tenant_id
        self._event = event
        self._finding = finding
        self._receipt = receipt
        self._message_id = finding.origin.message_id or ""
        # Nobody calls here: the work was admitted when it was asked for.
        principal = Principal(event.tenant_id, "almanac", GRANTABLE, key_id="almanac")
        self._messages = MessageService(purging.dependencies, principal)
        self._manifest = Manifest(self._table, event.tenant_id, purging.default)

    async def purge(self) -> None:
        kept = await self._rewritten()
        await self._remove_objects(kept)
        await self._forget_vectors()
        rows = await self._hide()
        at = time.time()
        table = iso(at + TABLE_BACKUP_SECONDS)
        noted = self._receipt.noted
        deleted = [
            Deleted(what="message_version", count=len(noted.get("version", ())), last_copy_until=table),
            Deleted(what="object_version", count=len(noted.get("object", ())), last_copy_until=None),
            Deleted(what="vector", count=len(noted.get("vector", ())), last_copy_until=table),
            Deleted(what="index_row", count=rows, last_copy_until=iso(at + INDEX_SWEEP_SECONDS)),
        ]
        done = {
            "state": "done",
            "finished_at": iso(at),
            "deleted": [each for each in deleted if each.count],
            "remaining": list(_REMAINS_OF_MESSAGES),
            "last_copy_until": table,
            "noted": {},
        }
        await self._findings.finish(self._receipt.model_copy(update=done), purged=True)

    async def _rewritten(self) -> Message | None:
        """Write the message without the secret, unless that was done, and return it; None when it is gone."""
        for attempt in range(_ATTEMPTS):
            try:
                message, content = await self._messages.get(self._message_id)
            except NotFound:
                return None
            clean = await self._without_secret(content)
            if clean == content:
                return message
            hashes = await asyncio.to_thread(_hashes, content)
            await self._note("vector", hashes)
            await self._note("version", [str(message.version)])
            try:
                message, _ = await self._messages.update(message.id, message.version, {"content": clean})
            except DuplicateContent:
                # Another message of the checkpoint says the same, as all do whose secrets are of one length.
                named = f"{clean}\n\n({self._finding.id})"
                message, _ = await self._messages.update(message.id, message.version, {"content": named})
            except (VersionConflict, Busy):
                await asyncio.sleep(0.05 * attempt)
                continue
            return message
        raise RetryableError("the message kept changing")

    async def _without_secret(self, content: str) -> str:
        findings = await asyncio.to_thread(scan, content)
        fingerprints = [await self._findings.fingerprint(each.secret) for each in found_in(content, findings)]
        mine = [
            each
            for each, fingerprint in zip(findings, fingerprints, strict=True)
            if fingerprint == self._finding.fingerprint
        ]
        return masked(content, mine)

    async def _remove_objects(self, kept: Message | None) -> None:
        """Remove every version of every object of the message, but for the current one's."""
        prefix = keys.message_prefix(self._tenant_id, self._message_id)
        old: list[ObjectVersion] = [
            version async for version in self._blobs.versions(prefix) if kept is None or version.key != kept.batch_key
        ]
        await self._note("object", [f"{version.key}@{version.version_id}" for version in old])
        await self._blobs.delete_versions(old)

    async def _forget_vectors(self) -> None:
        """Remove the vectors that were made of the text, of whatever model."""
        state = await self._manifest.read()
        slugs = {slug_of(info.model) for info in state.directory.indexes.values()}
        names = self._receipt.noted.get("vector", ())
        await self._table.batch_delete([keys.vector(self._tenant_id, slug, name) for slug in slugs for name in names])

    async def _hide(self) -> int:
        """Erase the versions from every index, also from their past, and have them merged; returns in how many."""
        versions = [int(version) for version in self._receipt.noted.get("version", ())]
        if not versions:
            return 0
        source_id = f"message:{self._message_id}"
        state = await self._manifest.read()
        common = {"tenant_id": self._tenant_id, "correlation_id": self._event.correlation_id}
        merges = [
            CompactIndex(**common, index_id=info.id, shard=shard_of(source_id, info.shards))
            for info in state.directory.indexes.values()
        ]
        writes: list[Write] = [*self._manifest.hide([SourceRef(source_id=source_id, version=max(versions))])]
        await self._table.transact([*writes, *(outbox.message(merge) for merge in merges)])
        return len(merges)

    async def _note(self, what: str, names: Sequence[str]) -> None:
        """Write down what is about to be removed."""
        known = self._receipt.noted.get(what, ())
        fresh = sorted({*known, *names})
        if fresh != sorted(known):
            noted = {**self._receipt.noted, what: fresh}
            self._receipt = self._receipt.model_copy(update={"noted": noted})
            await self._findings.progress(self._receipt)


def _hashes(content: str) -> list[str]:
    """Return what the cache calls the vectors of a text, of those of its chunks that have a secret in them."""
    # Vectors made since secrets are masked are of other texts: there is nothing to find under these names, then.
    return [text_hash(embedding_text(piece)) for piece in chunk(content, language="markdown") if scan(piece.text)]
