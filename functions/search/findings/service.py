"""What can be done with findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from almanac.access import Principal
from almanac.active import is_active
from almanac.aws import keys
from almanac.aws.table import Item, Table
from almanac.clock import now
from almanac.events import PurgeSecret
from almanac.findings.model import Finding, Receipt, State
from almanac.findings.store import Findings
from almanac.ids import is_id
from almanac.index.sources import Kind
from almanac.observability import correlation_id
from almanac.visible import Sight
from search.findings.errors import FindingChanged, FindingNotFound, PurgeNotFound, ReasonMissing

_PAGE = 100
_MOST_PAGES = 20


@dataclass(frozen=True)
class Listed:
    """A page; `next` is where the one after it begins, None at the end."""

    findings: list[Finding]
    next: Mapping[str, Any] | None


class FindingService:
    """One caller's view: nothing of a private project that it is not a member of."""

    def __init__(self, table: Table, findings: Findings, principal: Principal) -> None:
        self._table = table
        self._findings = findings
        self._principal = principal
        self._tenant_id = principal.tenant_id
        self._sight = Sight(table, principal)

    async def list(self, limit: int, after: Mapping[str, Any] | None, state: State | None, kind: str | None) -> Listed:
        """Return a page of the findings in a state and of a kind, the newest first."""
        found: list[Finding] = []
        start = self._start(after) if after else None
        for _ in range(_MOST_PAGES):
            page = await self._findings.page(_PAGE, start)
            for finding in await self._shown([Finding.from_item(item) for item in page.items]):
                if state not in {None, finding.state} or kind not in {None, finding.kind}:
                    continue
                if len(found) == limit:
                    return Listed(found, _position(found[-1]))
                found.append(finding)
            if page.last_key is None:
                return Listed(found, None)
            start = page.last_key
        # So many did not match that the next call goes on looking.
        last = page.items[-1]
        return Listed(found, {"at": last["first_seen_at"], "id": last["id"]})

    async def get(self, finding_id: str) -> Finding:
        """Return a finding; raises `FindingNotFound`."""
        finding = await self._findings.get(finding_id) if is_id(finding_id, "fnd") else None
        shown = await self._shown([finding]) if finding is not None else []
        if not shown:
            raise FindingNotFound
        return shown[0]

    async def judge(
        self, finding_id: str, version: int, state: Literal["open", "dismissed"], reason: str | None
    ) -> Finding:
        """Dismiss a finding or take it up again; raises `FindingNotFound`, `FindingChanged` or `ReasonMissing`."""
        await self.get(finding_id)
        old = await self._findings.get(finding_id)
        if old is None:
            raise FindingNotFound
        if old.version != version:
            raise FindingChanged
        if state == "dismissed" and reason is None:
            raise ReasonMissing
        wanted = State.DISMISSED if state == "dismissed" else State.OPEN
        new = old.judged(wanted, self._principal.actor_id, reason, now())  # type: ignore[arg-type]
        if not await self._findings.replace(old, new):
            raise FindingChanged
        return await self.get(finding_id)

    async def purge(self, finding_id: str) -> Receipt:
        """Have every copy that we can change rewritten; asked for again while one runs, it is the same purge."""
        await self.get(finding_id)
        event = PurgeSecret(tenant_id=self._tenant_id, correlation_id=correlation_id(), finding_id=finding_id)
        asked = Receipt(finding_id=finding_id, requested_by=self._principal.actor_id, requested_at=now())
        return await self._findings.request_purge(asked, event)

    async def receipt(self, finding_id: str) -> Receipt:
        """Return what a purge did so far; raises `FindingNotFound` or `PurgeNotFound`."""
        await self.get(finding_id)
        receipt = await self._findings.receipt(finding_id)
        if receipt is None:
            raise PurgeNotFound
        return receipt

    async def _shown(self, findings: Sequence[Finding]) -> Sequence[Finding]:
        """Return those that the caller may see, in their state of now: what was deleted has no secrets any more."""
        hidden = await self._sight.hidden()
        seen = [
            finding
            for finding in findings
            if hidden.isdisjoint({finding.origin.project_id, finding.origin.container_id})
        ]
        owners = {finding.id: self._owner(finding) for finding in seen}
        items = await self._table.batch_get(list(set(owners.values())), consistent=True) if owners else []
        alive = {keys.Key(item["pk"], item["sk"]) for item in items if is_active(item)}
        return [
            finding.model_copy(update={"state": State.GONE})
            if finding.state is State.OPEN and owners[finding.id] not in alive
            else finding
            for finding in seen
        ]

    def _owner(self, finding: Finding) -> keys.Key:
        origin = finding.origin
        if origin.kind is Kind.MESSAGE:
            return keys.message(self._tenant_id, origin.message_id or "")
        if origin.kind is Kind.DOCUMENT:
            return keys.document(self._tenant_id, origin.document_id or "")
        return keys.repository(self._tenant_id, origin.container_id)

    def _start(self, after: Mapping[str, Any]) -> Item:
        key = keys.finding(self._tenant_id, after["id"])
        partition = keys.findings(self._tenant_id)
        return {**key.as_dict(), "gsi1pk": partition, "gsi1sk": f"{after['at']}#{after['id']}"}


def _position(finding: Finding) -> dict[str, Any]:
    return {"at": finding.first_seen_at, "id": finding.id}
