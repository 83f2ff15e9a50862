"""Members of private projects in the table: the rows that `almanac.visible` decides by."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from almanac.aws import keys
from almanac.aws.keys import Key
from almanac.aws.table import Check, ConditionFailed, Delete, Item, Put, Table, Write
from almanac.aws.transactions import Refused
from almanac.ids import is_id, new_ulid
from almanac.visible import MEMBER, PROJECT
from projects.errors import ActorNotFound, MemberNotFound, ProjectNotPrivate
from projects.model import Member
from projects.stores.base import Store

_AT_ONCE = 8
_ACTOR = re.compile(r"[a-z0-9_]{1,64}")


@dataclass(frozen=True)
class MemberPage:
    """Some members in the order of their ids; `next_id` continues after that one, None at the end."""

    members: list[Member]
    next_id: str | None


class MemberStore(Store):
    async def epoch(self, project_id: str) -> str | None:
        """Return which private time of the project it is; None while it is not private."""
        item = await self._table.get(keys.private_project(self._tenant_id, project_id))
        return item["epoch"] if item else None

    async def get(self, project_id: str, actor_id: str) -> Member:
        """Return a member; raises `MemberNotFound`."""
        if _ACTOR.fullmatch(actor_id) is None:
            raise MemberNotFound
        epoch, item = await asyncio.gather(
            self.epoch(project_id), self._table.get(keys.project_member(self._tenant_id, project_id, actor_id))
        )
        if item is None or item["entity"] != MEMBER or item["epoch"] != epoch:
            raise MemberNotFound
        return Member.from_item(item)

    async def list(self, project_id: str, limit: int, after: str | None) -> MemberPage:
        """Return a page of members: none while the project is not private."""
        epoch = await self.epoch(project_id)
        prefix = keys.project_member(self._tenant_id, project_id, "")
        start: Item | None = None
        if after is not None:
            start = keys.project_member(self._tenant_id, project_id, after).as_dict()
        found: list[Item] = []
        while epoch is not None and len(found) <= limit:
            page = await self._table.query(prefix.pk, prefix=prefix.sk, after=start, limit=limit + 1 - len(found))
            found += [item for item in page.items if item["epoch"] == epoch]
            start = page.last_key
            if start is None:
                break
        members = [Member.from_item(item) for item in found[:limit]]
        return MemberPage(members, members[-1].actor_id if len(found) > limit else None)

    async def add(self, member: Member) -> None:
        """Let somebody of the tenant in.

        Raises `ActorNotFound`, or `ProjectNotPrivate` when the project is not in that private time any more.
        """
        actor = await self._actor(member.actor_id)
        try:
            await self._commit(
                {
                    "project": Check(
                        keys.private_project(self._tenant_id, member.project_id),
                        condition="#epoch = :epoch",
                        values={":epoch": member.epoch},
                    ),
                    "actor": actor,
                    "member": Put(member.to_item(self._tenant_id), overwrite=True),
                }
            )
        except Refused as refused:
            raise (ActorNotFound() if refused.part == "actor" else ProjectNotPrivate()) from None

    async def remove(self, member: Member) -> None:
        """Take a member out; raises `MemberNotFound`."""
        try:
            await self._table.write(_removal(self._tenant_id, member))
        except ConditionFailed:
            raise MemberNotFound from None

    async def forget(self, project_id: str, epoch: str) -> None:
        """Remove the members of a private time that is over. They see nothing by it: this only keeps the rows few."""
        prefix = keys.project_member(self._tenant_id, project_id, "")
        slots = asyncio.Semaphore(_AT_ONCE)

        async def remove(item: Item) -> None:
            async with slots:
                with suppress(ConditionFailed):
                    await self._table.write(_removal(self._tenant_id, Member.from_item(item)))

        rows = [row async for row in self._table.query_all(prefix.pk, prefix=prefix.sk) if row["epoch"] == epoch]
        await asyncio.gather(*(remove(row) for row in rows))

    async def check_actor(self, actor_id: str) -> None:
        """Refuse whoever is not of the tenant; raises `ActorNotFound`."""
        actor = await self._actor(actor_id)
        if await self._table.get(actor.key) is None:
            raise ActorNotFound

    async def _actor(self, actor_id: str) -> Check:
        """Return what holds while somebody is of the tenant; raises `ActorNotFound`."""
        if is_id(actor_id, "usr"):
            return Check(keys.member(self._tenant_id, actor_id))
        if is_id(actor_id, "svc"):
            return Check(keys.service_account(self._tenant_id, actor_id))
        if is_id(actor_id, "key"):
            return Check(await _key_of(self._table, self._tenant_id, actor_id))
        raise ActorNotFound


def opened(tenant_id: str, project_id: str, actor_id: str, at: str) -> Sequence[Write]:
    """Return what makes a project private, with the one who does it as its only member."""
    epoch = new_ulid()
    row = {"entity": PROJECT, "project_id": project_id, "epoch": epoch, "since": at}
    member = Member(project_id=project_id, actor_id=actor_id, epoch=epoch, added_at=at, added_by=actor_id)
    return [
        Put({**keys.private_project(tenant_id, project_id).as_dict(), **row}, overwrite=True),
        Put(member.to_item(tenant_id), overwrite=True),
    ]


def closed(tenant_id: str, project_id: str) -> Sequence[Write]:
    """Return what ends a project's private time, and every membership of it."""
    return [Delete(keys.private_project(tenant_id, project_id))]


def _removal(tenant_id: str, member: Member) -> Delete:
    key = keys.project_member(tenant_id, member.project_id, member.actor_id)
    return Delete(key, condition="#epoch = :epoch", values={":epoch": member.epoch})


async def _key_of(table: Table, tenant_id: str, key_id: str) -> Key:
    page = await table.query(keys.api_keys(tenant_id), index=keys.CHILDREN_INDEX, prefix=key_id, limit=1)
    if not page.items:
        raise ActorNotFound
    return Key(page.items[0]["pk"], page.items[0]["sk"])
