"""The members of what is private, projects and collections of documents alike: the rows that `almanac.visible` reads.

A membership is of one private time of its owner, the `epoch`: it does not come back with a later one.
"""

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from almanac.aws import keys
from almanac.aws.keys import Key
from almanac.aws.table import Check, ConditionFailed, Delete, Item, Put, Table, Update, Write
from almanac.aws.transactions import Refused, commit
from almanac.errors import NotFound
from almanac.ids import is_id, new_ulid
from almanac.visible import Right, owner_of, rows_of

_PAGE = 100
_AT_ONCE = 8
_KEPT_HIDDEN_SECONDS = 8 * 24 * 3600
"""Longer than what happened in a project or collection is kept for those who follow it."""
_ACTOR = re.compile(r"[a-z0-9_]{1,64}")


class ActorNotFound(NotFound):
    """There is no such person, service account or API key in the tenant."""

    code = "actor_not_found"

    def __init__(self) -> None:
        detail = "Nobody in the tenant has this id: give a member's (`usr_`), a service account's (`svc_`) or a key's."
        super().__init__(detail, field="path.actor_id")


class NotPrivate(Exception):
    """The project or collection is not private, or not any more in the private time that was meant."""


class Member(BaseModel):
    """Who sees a private project or collection (`owner_id`): a person, a service account, or an API key of its own.

    `right` is what a collection's member may do; a project's has none of its own.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    owner_id: str
    actor_id: str
    right: Right | None = None
    epoch: str
    added_at: str
    added_by: str

    def to_item(self, tenant_id: str) -> Item:
        rows = rows_of(self.owner_id)
        key = keys.project_member(tenant_id, self.owner_id, self.actor_id)
        attributes = self.model_dump(exclude={"owner_id"})
        return {**key.as_dict(), "entity": rows.member, rows.owner: self.owner_id, **attributes}

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate({**item, "owner_id": owner_of(item)})


@dataclass(frozen=True)
class MemberPage:
    """Some members in the order of their ids; `next_id` continues after that one, None at the end."""

    members: list[Member]
    next_id: str | None


class MemberStore:
    """One tenant's members of private projects and collections."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def epoch(self, owner_id: str) -> str | None:
        """Return which private time of its owner it is; None while that is not private."""
        item = await self._table.get(keys.private_project(self._tenant_id, owner_id))
        return item["epoch"] if item else None

    async def get(self, owner_id: str, actor_id: str) -> Member | None:
        """Return a member, or None where there is none now."""
        if _ACTOR.fullmatch(actor_id) is None:
            return None
        epoch, item = await asyncio.gather(
            self.epoch(owner_id), self._table.get(keys.project_member(self._tenant_id, owner_id, actor_id))
        )
        return Member.from_item(item) if item is not None and item["epoch"] == epoch else None

    async def list(self, owner_id: str, limit: int, after: str | None) -> MemberPage:
        """Return a page of members: none while their owner is not private."""
        epoch = await self.epoch(owner_id)
        prefix = keys.project_member(self._tenant_id, owner_id, "")
        start: Item | None = None
        if after is not None:
            start = keys.project_member(self._tenant_id, owner_id, after).as_dict()
        found: list[Item] = []
        while epoch is not None and len(found) <= limit:
            page = await self._table.query(prefix.pk, prefix=prefix.sk, after=start, limit=limit + 1 - len(found))
            found += [item for item in page.items if item["epoch"] == epoch]
            start = page.last_key
            if start is None:
                break
        members = [Member.from_item(item) for item in found[:limit]]
        return MemberPage(members, members[-1].actor_id if len(found) > limit else None)

    async def put(self, member: Member) -> None:
        """Let somebody of the tenant in, or give a member another right.

        Raises `ActorNotFound`, `Busy`, or `NotPrivate` when it is not the member's private time any more.
        """
        private = Check(
            keys.private_project(self._tenant_id, member.owner_id),
            condition="#epoch = :epoch",
            values={":epoch": member.epoch},
        )
        actor = await self._actor(member.actor_id)
        row = Put(member.to_item(self._tenant_id), overwrite=True)
        try:
            await commit(self._table, {"private": private, "actor": actor, "member": row})
        except Refused as refused:
            raise (ActorNotFound() if refused.part == "actor" else NotPrivate()) from None

    async def remove(self, member: Member) -> bool:
        """Take a member out; returns False where it was none any more."""
        key = keys.project_member(self._tenant_id, member.owner_id, member.actor_id)
        try:
            await self._table.write(Delete(key, condition="#epoch = :epoch", values={":epoch": member.epoch}))
        except ConditionFailed:
            return False
        return True

    async def forget(self, owner_id: str, epoch: str) -> None:
        """Remove the members of a private time that is over. They see nothing by it: this only keeps the rows few."""
        prefix = keys.project_member(self._tenant_id, owner_id, "")
        slots = asyncio.Semaphore(_AT_ONCE)

        async def remove(item: Item) -> None:
            async with slots:
                await self.remove(Member.from_item(item))

        rows = [row async for row in self._table.query_all(prefix.pk, prefix=prefix.sk) if row["epoch"] == epoch]
        await asyncio.gather(*(remove(row) for row in rows))

    async def forget_deleted(self, owner_id: str) -> None:
        """Remove who could see what is deleted, and let what says that it was private go after a while.

        A search that began before the delete may still hold its content, and so may what followers are told later: they
        must find it hidden.
        """
        prefix = keys.project_member(self._tenant_id, owner_id, "")
        while rows := (await self._table.query(prefix.pk, prefix=prefix.sk, limit=_PAGE)).items:
            await self._table.batch_delete([Key(row["pk"], row["sk"]) for row in rows])
        private = keys.private_project(self._tenant_id, owner_id)
        with suppress(ConditionFailed):
            await self._table.write(Update(private, set={"expires_at": int(time.time()) + _KEPT_HIDDEN_SECONDS}))

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
            return Check(await self._key(actor_id))
        raise ActorNotFound

    async def _key(self, key_id: str) -> Key:
        partition = keys.api_keys(self._tenant_id)
        page = await self._table.query(partition, index=keys.CHILDREN_INDEX, prefix=key_id, limit=1)
        if not page.items:
            raise ActorNotFound
        return Key(page.items[0]["pk"], page.items[0]["sk"])


def opened(tenant_id: str, owner_id: str, actor_id: str, at: str, right: Right | None = None) -> Sequence[Write]:
    """Return what makes a project or collection private, with the one who does it as its only member."""
    rows, epoch = rows_of(owner_id), new_ulid()
    row = {"entity": rows.private, rows.owner: owner_id, "epoch": epoch, "since": at}
    member = Member(owner_id=owner_id, actor_id=actor_id, right=right, epoch=epoch, added_at=at, added_by=actor_id)
    return [
        Put({**keys.private_project(tenant_id, owner_id).as_dict(), **row}, overwrite=True),
        Put(member.to_item(tenant_id), overwrite=True),
    ]


def closed(tenant_id: str, owner_id: str) -> Sequence[Write]:
    """Return what ends a private time, and every membership of it."""
    return [Delete(keys.private_project(tenant_id, owner_id))]
