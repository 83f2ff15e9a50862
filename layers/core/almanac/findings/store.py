"""One tenant's findings in the table.

A finding's id is an HMAC of its place and of the secret, so that whoever finds it, however often, writes one item. The
item of a source says which findings its newest version has: what a later one lacks is found missing without a search.
"""

import asyncio
import base64
import hashlib
import hmac
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from almanac.aws import keys, outbox
from almanac.aws.secrets import Secrets
from almanac.aws.table import ConditionFailed, Item, Page, Put, Table, Write
from almanac.clock import now
from almanac.errors import RetryableError
from almanac.events import PurgeSecret
from almanac.findings.model import Finding, Origin, Receipt, State
from almanac.ids import finding_id
from almanac.index.sources import SourceInfo, SourceRef
from almanac.text.secrets import Found

MOST_PER_SOURCE = 40
"""So many findings of one source are listed; all are masked."""
_ATTEMPTS = 8
_FORGET_SECONDS = 30 * 24 * 3600
_RESOURCE = "findings"


@dataclass(frozen=True)
class Scanned:
    """What was found in one version of a source; `origin` is None where the source was deleted."""

    source_id: str
    version: int
    origin: Origin | None = None
    found: Sequence[Found] = field(default_factory=tuple)

    @classmethod
    def of(cls, info: SourceInfo, found: Sequence[Found]) -> "Scanned":
        return cls(info.source_id, info.version, Origin.of(info), found)

    @classmethod
    def deleted(cls, ref: SourceRef) -> "Scanned":
        return cls(ref.source_id, ref.version)


class Findings:
    def __init__(self, table: Table, secrets: Secrets, tenant_id: str) -> None:
        self._table = table
        self._secrets = secrets
        self._tenant_id = tenant_id

    async def note(self, scanned: Sequence[Scanned]) -> int:
        """Remember what was found, and what is there no more; returns how many secrets there were.

        It can be repeated and comes in any order: the newest version of a source has the say.
        """
        several = {each.source_id: each for each in sorted(scanned, key=lambda each: each.version)}
        count = sum(len(each.found) for each in several.values())
        if not count and await self._table.get(keys.finding_key(self._tenant_id), consistent=False) is None:
            # Nothing was ever found in this tenant's content: nothing can be gone.
            return 0
        places = [keys.finding_source(self._tenant_id, name) for name in several]
        known = {item["source_id"] for item in await self._table.batch_get(places)}
        for each in several.values():
            if each.found or each.source_id in known:
                await self._settle(each)
        return count

    async def _settle(self, scanned: Scanned) -> None:
        wanted = await self._wanted(scanned)
        key = keys.finding_source(self._tenant_id, scanned.source_id)
        for attempt in range(_ATTEMPTS):
            before = await self._table.get(key)
            if before is not None and (
                before["version"] > scanned.version
                or (before["version"] == scanned.version and set(before["findings"]) == wanted.keys())
            ):
                return
            try:
                await self._table.transact(await self._writes(scanned, wanted, before))
            except ConditionFailed:
                await asyncio.sleep(0.02 * attempt)
                continue
            return
        raise RetryableError("the findings of a source kept changing")

    async def _wanted(self, scanned: Scanned) -> dict[str, tuple[Found, str]]:
        """Return what is there, by the id of its finding, with its fingerprint; of equal secrets the first."""
        if scanned.origin is None or not scanned.found:
            return {}
        key, place = await self._key(), scanned.origin.name(scanned.source_id)
        wanted: dict[str, tuple[Found, str]] = {}
        for found in scanned.found:
            fingerprint = _fingerprint(key, found.secret)
            name = finding_id(hmac.new(key, f"{place}\n{fingerprint}".encode(), hashlib.sha256).digest())
            if len(wanted) < MOST_PER_SOURCE:
                wanted.setdefault(name, (found, fingerprint))
        return wanted

    async def _writes(
        self, scanned: Scanned, wanted: Mapping[str, tuple[Found, str]], before: Item | None
    ) -> list[Write]:
        touched = {*wanted, *(before["findings"] if before else ())}
        places = [keys.finding(self._tenant_id, name) for name in sorted(touched)]
        items = {item["id"]: item for item in await self._table.batch_get(places, consistent=True)}
        old = {name: Finding.from_item(item) for name, item in items.items()}
        at = now()
        writes: list[Write] = [self._source(scanned, wanted, before)]
        for name in sorted(touched):
            known = old.get(name)
            if name in wanted:
                writes.append(self._seen(scanned, name, *wanted[name], known, at))
            elif known is not None:
                writes.append(self._replaced(known, known.missed(scanned.source_id)))
        return writes

    def _source(self, scanned: Scanned, wanted: Mapping[str, tuple[Found, str]], before: Item | None) -> Put:
        item = {
            **keys.finding_source(self._tenant_id, scanned.source_id).as_dict(),
            "entity": "finding_source",
            "source_id": scanned.source_id,
            "version": scanned.version,
            "findings": sorted(wanted),
            "expires_at": None if wanted else int(time.time()) + _FORGET_SECONDS,
        }
        if before is None:
            return Put(item)
        return Put(item, condition="#version = :version", values={":version": before["version"]})

    def _seen(self, scanned: Scanned, name: str, found: Found, fingerprint: str, known: Finding | None, at: str) -> Put:
        assert scanned.origin is not None  # noqa: S101 - what was deleted has nothing
        if known is not None:
            return self._replaced(known, known.seen(scanned.source_id, found.line, scanned.origin, at))
        fresh = Finding(
            id=name,
            kind=found.kind,
            origin=scanned.origin,
            fingerprint=fingerprint,
            lines={scanned.source_id: found.line},
            line=found.line,
            first_seen_at=at,
            last_seen_at=at,
        )
        return Put(fresh.to_item(self._tenant_id))

    def _replaced(self, old: Finding, new: Finding) -> Put:
        item = new.model_copy(update={"version": old.version + 1}).to_item(self._tenant_id)
        return Put(item, condition="#version = :version", values={":version": old.version})

    async def get(self, name: str) -> Finding | None:
        item = await self._table.get(keys.finding(self._tenant_id, name))
        return Finding.from_item(item) if item else None

    async def page(self, limit: int, after: Item | None) -> Page:
        """Return items of findings, the newest first."""
        partition = keys.findings(self._tenant_id)
        return await self._table.query(
            partition, index=keys.CHILDREN_INDEX, after=after, limit=limit, newest_first=True
        )

    async def replace(self, old: Finding, new: Finding) -> bool:
        """Write a changed finding; False when somebody else changed it since it was read."""
        try:
            await self._table.write(self._replaced(old, new))
        except ConditionFailed:
            return False
        return True

    async def request_purge(self, receipt: Receipt, event: PurgeSecret) -> Receipt:
        """Ask for a purge; one that was asked for and is not done yet is returned as it is."""
        known = await self.receipt(receipt.finding_id)
        if known is not None and known.state == "requested":
            return known
        put = Put(receipt.to_item(self._tenant_id), overwrite=True)
        await self._table.transact([put, outbox.message(event)])
        return receipt

    async def receipt(self, name: str) -> Receipt | None:
        item = await self._table.get(keys.finding_purge(self._tenant_id, name))
        return Receipt.from_item(item) if item else None

    async def progress(self, receipt: Receipt) -> None:
        """Write how far a purge is."""
        await self._table.write(Put(receipt.to_item(self._tenant_id), overwrite=True))

    async def finish(self, receipt: Receipt, *, purged: bool) -> None:
        """Write a purge's receipt, and with `purged` that its finding's secret was removed."""
        await self._table.write(Put(receipt.to_item(self._tenant_id), overwrite=True))
        for _ in range(_ATTEMPTS):
            finding = await self.get(receipt.finding_id)
            if finding is None or not purged or finding.state is State.PURGED:
                return
            if await self.replace(finding, finding.model_copy(update={"state": State.PURGED})):
                return
        raise RetryableError("the finding kept changing")

    async def fingerprint(self, secret: str) -> str:
        """Return what a finding keeps of a secret."""
        return _fingerprint(await self._key(), secret)

    async def _key(self) -> bytes:
        """Return the key of the tenant's fingerprints; the first that asks makes it."""
        place = keys.finding_key(self._tenant_id)
        item = await self._table.get(place)
        if item is None:
            plain = base64.b64encode(os.urandom(32)).decode()
            cipher = await self._secrets.encrypt(plain, tenant_id=self._tenant_id, resource_id=_RESOURCE)
            try:
                await self._table.write(Put({**place.as_dict(), "entity": "finding_key", "cipher": cipher}))
            except ConditionFailed:
                item = await self._table.get(place)
                assert item is not None  # noqa: S101 - it was there a moment ago, and nobody removes it
                cipher = item["cipher"]
        else:
            cipher = item["cipher"]
        return base64.b64decode(await self._secrets.decrypt(cipher, tenant_id=self._tenant_id, resource_id=_RESOURCE))


async def forget(table: Table, tenant_id: str, source_ids: Sequence[str]) -> int:
    """Remove what was found in sources of which nothing is kept; returns how many findings there were.

    It is for sources whose findings are theirs alone: the pages of documents.
    """
    if await table.get(keys.finding_key(tenant_id), consistent=False) is None:
        return 0
    places = [keys.finding_source(tenant_id, name) for name in source_ids]
    rows = await table.batch_get(places, consistent=True)
    names = {name for row in rows for name in row["findings"]}
    await table.batch_delete([keys.finding(tenant_id, name) for name in names])
    await table.batch_delete([keys.finding_source(tenant_id, row["source_id"]) for row in rows])
    return len(names)


def _fingerprint(key: bytes, secret: str) -> str:
    return hmac.new(key, secret.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]
