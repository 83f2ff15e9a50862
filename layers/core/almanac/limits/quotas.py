"""Quotas: what a tenant may keep and spend, counted in one item of its own.

Projects and repositories are counted in the transactions that create and delete them, so that their count is exact and
a quota is never exceeded. Chunks, storage and model spend are added after the fact: they may lag, and a recount mends
what a lost addition left. docs/limits.md says what each counts.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from almanac.aws import keys
from almanac.aws.table import Item, Table, Update
from almanac.clock import iso
from almanac.errors import Conflict
from almanac.settings import QuotaSettings

MICRO = 1_000_000
"""Spend is kept in millionths of a dollar."""
RECOUNTED = "recounted_at"
DOCUMENT_BYTES = "document_bytes"
"""The uploaded files' share of the storage. Counted in the transactions that take a file in or remove it, so exact."""
_REMEMBERED_SECONDS = 10
_MOST_REMEMBERED = 2_000


class Quota(StrEnum):
    """What is limited; also the attribute that counts it, but for spend, which is counted by month."""

    PROJECTS = "projects"
    REPOSITORIES = "repositories"
    CHUNKS = "chunks"
    STORAGE = "storage_bytes"
    MODEL_SPEND = "model_spend"


_UNITS = {
    Quota.PROJECTS: "projects",
    Quota.REPOSITORIES: "repositories",
    Quota.CHUNKS: "chunks",
    Quota.STORAGE: "bytes",
    Quota.MODEL_SPEND: "USD a month",
}
_WAYS_OUT = {
    Quota.PROJECTS: "delete a project",
    Quota.REPOSITORIES: "delete a repository",
    Quota.CHUNKS: "delete projects, repositories or checkpoints and wait until the index has been compacted",
    Quota.STORAGE: "delete documents, or projects, repositories or checkpoints and wait for the index's compaction",
    Quota.MODEL_SPEND: "wait for the next month",
}
CONTENT = (Quota.CHUNKS, Quota.STORAGE)


class QuotaExceeded(Conflict):
    """The tenant has as much as it may. `quota`, `limit` and `used` say of what."""

    code = "quota_exceeded"
    title = "Quota exceeded"

    def __init__(self, quota: Quota, limit: float, used: float) -> None:
        detail = (
            f"The tenant may have {_shown(limit)} {_UNITS[quota]} and has {_shown(used)}: {_WAYS_OUT[quota]}, or ask "
            "whoever runs this deployment for more."
        )
        super().__init__(detail, quota=quota.value, limit=limit, used=used)


@dataclass(frozen=True)
class Use:
    """How much of a quota is used. `limit` is None where there is none."""

    quota: Quota
    used: float
    limit: float | None
    unit: str

    @property
    def exceeded(self) -> bool:
        """Tell whether nothing may be added any more."""
        return self.limit is not None and self.used >= self.limit


@dataclass(frozen=True)
class Spending:
    """What models were asked in a month. Tokens of models without a price cost nothing here: `unpriced` counts them."""

    month: str
    tokens_in: int
    tokens_out: int
    unpriced: int


def month_of(seconds: float) -> str:
    """Return the month of a moment, in UTC, as attributes spell it. Example: `202601`."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y%m")


@dataclass(frozen=True)
class Quotas:
    """The deployment's quotas, by which a tenant's own go first. 0 is no limit."""

    defaults: dict[Quota, float] = field(default_factory=dict)

    @classmethod
    def configured(cls, settings: QuotaSettings) -> "Quotas":
        return cls(
            {
                Quota.PROJECTS: settings.max_projects,
                Quota.REPOSITORIES: settings.max_repositories,
                Quota.CHUNKS: settings.max_chunks,
                Quota.STORAGE: settings.max_storage_bytes,
                Quota.MODEL_SPEND: settings.max_model_usd,
            }
        )

    def limit(self, item: Item, quota: Quota) -> float | None:
        """Return a tenant's limit by its usage item; None where there is none."""
        return item.get(limit_attribute(quota), self.defaults.get(quota, 0)) or None

    def use(self, item: Item, quota: Quota, *, at: float) -> Use:
        """Return what a usage item says of a quota."""
        if quota is Quota.MODEL_SPEND:
            used = item.get(f"spend_{month_of(at)}", 0) / MICRO
        else:
            # Tenants from before there were quotas are counted from zero: deletes may come first.
            used = max(0, item.get(quota.value, 0))
            used += max(0, item.get(DOCUMENT_BYTES, 0)) if quota is Quota.STORAGE else 0
        return Use(quota, used, self.limit(item, quota), _UNITS[quota])

    def one_more(self, tenant_id: str, quota: Quota) -> Update:
        """Return the write that counts one more; its condition fails when there is no room. See `exceeded`."""
        own, count = limit_attribute(quota), quota.value
        limit = self.defaults.get(quota, 0)
        by_default = f" AND #{count} < :limit" if limit else ""
        room = (
            f"(attribute_exists(#{own}) AND (#{own} = :none OR #{count} < #{own})) "
            f"OR (attribute_not_exists(#{own}){by_default}) OR attribute_not_exists(#{count})"
        )
        values = {":none": 0} | ({":limit": limit} if limit else {})
        return _adding(tenant_id, {count: 1}, condition=room, values=values)

    def exceeded(self, item: Item | None, quota: Quota) -> QuotaExceeded:
        """Return the error for a refused `one_more`, given what stood in its way."""
        use = self.use(item or {}, quota, at=time.time())
        return QuotaExceeded(quota, use.limit or 0, use.used)


def one_less(tenant_id: str, quota: Quota) -> Update:
    """Return the write that counts one less; nothing refuses it."""
    return _adding(tenant_id, {quota.value: -1})


def added(tenant_id: str, **amounts: int) -> Update:
    """Return the write that adds to counters; nothing refuses it."""
    return _adding(tenant_id, amounts)


def limit_attribute(quota: Quota) -> str:
    """Return where a usage item keeps a tenant's own limit. Example: `max_projects`."""
    return f"max_{quota.value}"


def spending(item: Item, at: float) -> Spending:
    """Return what a usage item says of a month's models."""
    month = month_of(at)
    tokens_in, tokens_out, unpriced = (
        item.get(f"{name}_{month}", 0) for name in ("tokens_in", "tokens_out", "unpriced")
    )
    return Spending(f"{month[:4]}-{month[4:]}", tokens_in, tokens_out, unpriced)


@dataclass
class Usage:
    """Looks whether there is room for what is counted after the fact. One per environment, since it remembers."""

    table: Table
    quotas: Quotas
    clock: Callable[[], float] = time.time
    _known: OrderedDict[str, tuple[float, Item]] = field(default_factory=OrderedDict)

    async def refuse_content(self, tenant_id: str) -> None:
        """Refuse to take in more; raises `QuotaExceeded` when chunks or storage are used up."""
        await self._refuse(tenant_id, CONTENT)

    async def refuse_spending(self, tenant_id: str) -> None:
        """Refuse to ask a model that costs; raises `QuotaExceeded` when the month's budget is used up."""
        await self._refuse(tenant_id, (Quota.MODEL_SPEND,))

    async def _refuse(self, tenant_id: str, wanted: tuple[Quota, ...]) -> None:
        item = await self._item(tenant_id)
        for quota in wanted:
            use = self.quotas.use(item, quota, at=self.clock())
            if use.exceeded:
                raise QuotaExceeded(quota, use.limit or 0, use.used)

    async def _item(self, tenant_id: str) -> Item:
        """Return the usage item as it was some seconds ago at most: a quota is not sharp to the last chunk."""
        read_at, item = self._known.get(tenant_id, (0.0, {}))
        if self.clock() - read_at > _REMEMBERED_SECONDS:
            item = await self.table.get(keys.usage(tenant_id), consistent=False) or {}
            self._known[tenant_id] = (self.clock(), item)
            self._known.move_to_end(tenant_id)
            if len(self._known) > _MOST_REMEMBERED:
                self._known.popitem(last=False)
        return item


def _adding(
    tenant_id: str, amounts: dict[str, int], condition: str = "", values: dict[str, float] | None = None
) -> Update:
    return Update(
        keys.usage(tenant_id),
        set={"entity": "usage", "updated_at": iso(time.time())},
        add=amounts,
        condition=condition,
        values=values or {},
    )


def _shown(amount: float) -> str:
    return f"{amount:,.2f}".rstrip("0").rstrip(".") if amount % 1 else f"{int(amount):,}"
