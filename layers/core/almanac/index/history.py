"""Where repositories stood when: the runs that a search as of a moment, or of a commit, is answered from.

The index can only answer for what it has shown: a repository stands at the heads of a run from the moment when that run
completed until the next one does. Every completed run leaves an item by time, and one per commit that a branch was at.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from almanac.aws import keys
from almanac.aws.table import Item, Put, Table
from almanac.clock import iso
from almanac.errors import Unprocessable
from almanac.index.manifest import Head

if TYPE_CHECKING:
    from almanac.index.visibility import AsOf

MAX_COMMITS = 94
"""How many branches a run may have: their commits go into the transaction that completes it."""
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_SHA1_DIGITS = 40
_LAST_RUN = 9_999_999_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 16
_FORGOTTEN_AT_ONCE = 20
_REPOSITORIES_NAMED, _HEADS_NAMED = 20, 5
_FIELD = "query.as_of"


class CommitNotIndexed(Unprocessable):
    """The index never stood at the commit. `known` are the newest heads that it did stand at."""

    code = "commit_not_indexed"

    def __init__(self, commit: str, known: Sequence[Mapping[str, str]]) -> None:
        named = ", ".join(head["commit"][:12] for head in known)
        hint = f", such as {named}" if named else "; there are none yet"
        detail = f"No sync ended at commit {commit}: only commits that the index stood at can be asked for{hint}."
        super().__init__(detail, field=_FIELD, known=[dict(head) for head in known])


class AmbiguousCommit(Unprocessable):
    """Several commits that the index stood at begin with these digits; `candidates` are some of them."""

    code = "ambiguous_commit"

    def __init__(self, prefix: str, candidates: Sequence[str]) -> None:
        named = ", ".join(candidates)
        super().__init__(f"{prefix} may be {named}: give more digits.", field=_FIELD, candidates=list(candidates))


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


class HeadHistory:
    """The heads of one tenant's repositories over time."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    def record(self, head: Head, at: str) -> list[Put]:
        """Return what the transaction that completes a run writes; `at` (ISO time) never goes back for a repository."""
        key = keys.past_head(self._tenant_id, head.repository_id, at, head.run)
        past = {**key.as_dict(), "entity": "past_head", "at": at, **vars(head)}
        return [Put(past, overwrite=True), *(self._commit(head, at, commit) for commit in _commits(vars(head)))]

    def _commit(self, head: Head, at: str, commit: str) -> Put:
        """Return the item of one commit. `branch` is None where the cited branch is at it, else another one that is."""
        branches = [name for name, tip in head.branches.items() if tip == commit]
        item = {
            **keys.past_commit(self._tenant_id, commit, head.repository_id, head.run).as_dict(),
            "entity": "past_commit",
            "commit": commit,
            "repository_id": head.repository_id,
            "run": head.run,
            "at": at,
            "branch": None if commit == head.commit or not branches else min(branches),
        }
        return Put(item, overwrite=True)

    async def resolve(self, as_of: datetime | str, heads: Mapping[str, Head], now: datetime) -> Past:
        """Return the state that `as_of` means, of the repositories of `heads` (the present ones).

        A text of 7 to 40 hexadecimal digits is a commit or the beginning of one; any other is an ISO time. As of a
        moment, each repository is at the last run completed by then. As of a commit, its repository is at the latest
        run that it was a head of, all else is as of the moment when that run completed; what other branches had is not
        shown when the commit is not the cited branch's. Raises `CommitNotIndexed`, `AmbiguousCommit`, or `ValueError`
        for a text that is neither.
        """
        if isinstance(as_of, str) and _COMMIT.fullmatch(as_of.lower()):
            return await self._at_commit(as_of.lower(), heads)
        moment = datetime.fromisoformat(as_of) if isinstance(as_of, str) else as_of
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment >= now:
            return _past(moment, heads)
        return _past(moment, await self._stood(moment, heads))

    async def _at_commit(self, prefix: str, heads: Mapping[str, Head]) -> Past:
        partition = keys.past_commit(self._tenant_id, prefix, "", 0).pk
        wanted = f"{prefix}#" if len(prefix) == _SHA1_DIGITS else prefix
        found = [item async for item in self._table.query_all(partition, prefix=wanted)]
        found = [item for item in found if item["repository_id"] in heads]
        candidates = sorted({item["commit"] for item in found})
        if not candidates:
            raise CommitNotIndexed(prefix, await self._newest(heads))
        if len(candidates) > 1:
            raise AmbiguousCommit(prefix, candidates[:_HEADS_NAMED])
        last = max(found, key=lambda item: (item["at"], item["run"]))
        moment, repository_id = datetime.fromisoformat(last["at"]), last["repository_id"]
        stood = await self._stood(moment, heads)
        stood[repository_id] = replace(stood[repository_id], run=last["run"])
        branch = last.get("branch")
        return _past(moment, stood, {repository_id: branch} if branch else {})

    async def _stood(self, moment: datetime, heads: Mapping[str, Head]) -> dict[str, Head]:
        """Return where each repository stood; one that had no completed run yet is left out."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def last_of(repository_id: str) -> Head | None:
            until = keys.past_head(self._tenant_id, repository_id, iso(moment.timestamp()), _LAST_RUN)
            async with slots:
                page = await self._table.query(until.pk, until=until.sk, newest_first=True, limit=1)
            return _head(page.items[0]) if page.items else None

        found = await asyncio.gather(*(last_of(name) for name in heads))
        return {head.repository_id: head for head in found if head is not None}

    async def _newest(self, heads: Mapping[str, Head]) -> list[dict[str, str]]:
        """Return the newest heads of some repositories, for whoever asked for a commit that was none."""
        partitions = [keys.head_history(self._tenant_id, name) for name in sorted(heads)[:_REPOSITORIES_NAMED]]
        pages = await asyncio.gather(
            *(self._table.query(partition, newest_first=True, limit=_HEADS_NAMED) for partition in partitions)
        )
        found = [item for page in pages for item in page.items if item.get("commit")]
        found.sort(key=lambda item: (item["at"], item["run"]), reverse=True)
        newest: dict[str, dict[str, str]] = {}
        for item in found:
            named = {"repository_id": item["repository_id"], "commit": item["commit"], "at": item["at"]}
            newest.setdefault(item["commit"], named)
        return list(newest.values())[:_HEADS_NAMED]

    async def forget(self, repository_id: str) -> bool:
        """Remove some of a deleted repository's history; False when nothing was left of it."""
        page = await self._table.query(keys.head_history(self._tenant_id, repository_id), limit=_FORGOTTEN_AT_ONCE)
        await self._table.batch_delete(
            keys.past_commit(self._tenant_id, commit, repository_id, item["run"])
            for item in page.items
            for commit in _commits(item)
        )
        # Only then: the commits are found by them.
        await self._table.batch_delete(keys.Key(item["pk"], item["sk"]) for item in page.items)
        return bool(page.items)


def _commits(head: Item) -> list[str]:
    """Return the commits that branches were at, the cited one included."""
    cited: list[Any] = [head["commit"]] if head.get("commit") else []
    return sorted({*cited, *head["branches"].values()})


def _head(item: Item) -> Head:
    """Read what `record` wrote of a head; an item leaves out what is None."""
    known = {name: item[name] for name in Head.__dataclass_fields__ if name in item}
    return Head(**{"commit": None, **known})


def _past(moment: datetime, stood: Mapping[str, Head], branches: Mapping[str, str] | None = None) -> Past:
    # Brings numpy, which a function that only records does not have.
    from almanac.index.visibility import AsOf

    branches = branches or {}
    runs = {name: head.run for name, head in stood.items()}
    floors = {name: head.floor for name, head in stood.items() if head.floor}
    as_of = AsOf((moment - _EPOCH) // timedelta(microseconds=1), runs, branches, floors)
    return Past(as_of, {name: _on_branch(head, branches.get(name)) for name, head in stood.items()})


def _on_branch(head: Head, branch: str | None) -> Head:
    """Return the head with another branch in the place of the cited one."""
    return head if branch is None else replace(head, branch=branch, commit=head.branches.get(branch, head.commit))
