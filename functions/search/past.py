"""What `as_of` means: the state of the past to search in, and where the repositories stood then."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from almanac import moments
from almanac.aws import keys
from almanac.aws.table import Table
from almanac.clock import iso
from almanac.index.history import HeadHistory
from almanac.index.manifest import Head, Manifest
from search.schemas import COMMIT

if TYPE_CHECKING:
    from almanac.index.visibility import AsOf

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 16
_LAST_RUN = 9_999_999_999


@dataclass(frozen=True)
class Past:
    """A state of the past: `heads` are where repositories stood, on the branch that is shown of them."""

    as_of: "AsOf"
    heads: Mapping[str, Head]

    @property
    def moment(self) -> datetime:
        return _EPOCH + timedelta(microseconds=self.as_of.moment)

    @property
    def commits(self) -> dict[str, str]:
        return {name: head.commit for name, head in sorted(self.heads.items()) if head.commit}


async def resolve(table: Table, tenant_id: str, as_of: str, now: datetime) -> Past:
    """Return the state that a commit, a time or an age means. Raises what `HeadHistory.resolve` raises."""
    state = await Manifest(table, tenant_id).read()
    heads = {name: head for name, head in state.heads.items() if name not in state.drops}
    wanted = as_of.lower() if COMMIT.fullmatch(as_of) else moments.parse(as_of, now)
    found = await HeadHistory(table, tenant_id).resolve(wanted, heads, now)
    past = Past(found, {})
    slots = asyncio.Semaphore(_AT_ONCE)

    async def then(name: str, run: int) -> Head | None:
        if heads[name].run == run:
            return _on_branch(heads[name], found.branches.get(name))
        until = keys.past_head(tenant_id, name, iso(past.moment.timestamp()), _LAST_RUN)
        async with slots:
            page = await table.query(until.pk, until=until.sk, newest_first=True, limit=1)
        stood = [_head(item) for item in page.items]
        return _on_branch(stood[0], found.branches.get(name)) if stood else None

    stood = await asyncio.gather(*(then(name, run) for name, run in found.runs.items()))
    return replace(past, heads={head.repository_id: head for head in stood if head is not None})


def _head(item: Mapping[str, object]) -> Head:
    return Head(**{name: item[name] for name in Head.__dataclass_fields__ if name in item})  # type: ignore[arg-type]


def _on_branch(head: Head, branch: str | None) -> Head:
    """Return the head with another branch in the place of the cited one."""
    return head if branch is None else replace(head, branch=branch, commit=head.branches.get(branch, head.commit))
