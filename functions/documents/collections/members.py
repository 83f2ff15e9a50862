"""Members of private collections: rows beside those of private projects, which `almanac.visible` reads.

A membership is of one private time of the collection, its `epoch`: it does not come back with a later one.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from almanac.aws import keys
from almanac.aws.keys import Key
from almanac.aws.table import Check, ConditionFailed, Delete, Item, Put, Table, Write
from almanac.ids import is_id, new_ulid
from almanac.visible import COLLECTION_MEMBER, PRIVATE_COLLECTION, Right
from documents.errors import ActorNotFound, CollectionNotPrivate, MemberNotFound

_AT_ONCE = 8
_ACTOR = re.compile(r"[a-z0-9_]{1,64}")


class Member(BaseModel):
    """Who sees a private collection, and whether it may write in it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    collection_id: str
    actor_id: str
    right: Right
    epoch: str
    added_at: str
    added_by: str

    def to_item(self, tenant_id: str) -> Item:
        key = keys.project_member(tenant_id, self.collection_id, self.actor_id)
        return {**key.as_dict(), "entity": COLLECTION_MEMBER, **self.model_dump()}

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> Self:
        return cls.model_validate(item)


@dataclass(frozen=True)
class MemberPage:
    """Some members in the order of their ids; `next_id` continues after that one, None at the end."""

    members: list[Member]
    next_id: str | None


class MemberStore:
    """One tenant's members of private collections."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def epoch(self, collection_id: str) -> str | None:
        """Return which private time of the collection it is; None while it is not private."""
        item = await self._table.get(keys.private_project(self._tenant_id, collection_id))
        return item["epoch"] if item else None

    async def get(self, collection_id: str, actor_id: str) -> Member:
        """Return a member; raises `MemberNotFound`."""
        if _ACTOR.fullmatch(actor_id) is None:
            raise MemberNotFound
        epoch, item = await asyncio.gather(
            self.epoch(collection_id), self._table.get(keys.project_member(self._tenant_id, collection_id, actor_id))
        )
        if item is None or item["epoch"] != epoch:
            raise MemberNotFound
        return Member.from_item(item)

    async def list(self, collection_id: str, limit: int, after: str | None) -> MemberPage:
        """Return a page of members: none while the collection is not private."""
        epoch = await self.epoch(collection_id)
        prefix = keys.project_member(self._tenant_id, collection_id, "")
        start: Item | None = None
        if after is not None:
            start = keys.project_member(self._tenant_id, collection_id, after).as_dict()
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

        Raises `ActorNotFound`, or `CollectionNotPrivate` when the collection is not in that private time any more.
        """
        private = Check(
            keys.private_project(self._tenant_id, member.collection_id),
            condition="#epoch = :epoch",
            values={":epoch": member.epoch},
        )
        actor = await self.actor(member.actor_id)
        try:
            await self._table.transact([private, actor, Put(member.to_item(self._tenant_id), overwrite=True)])
        except ConditionFailed as failed:
            raise (ActorNotFound() if failed.position == 1 else CollectionNotPrivate()) from None

    async def remove(self, member: Member) -> None:
        """Take a member out; raises `MemberNotFound`."""
        key = keys.project_member(self._tenant_id, member.collection_id, member.actor_id)
        try:
            await self._table.write(Delete(key, condition="#epoch = :epoch", values={":epoch": member.epoch}))
        except ConditionFailed:
            raise MemberNotFound from None

    async def forget(self, collection_id: str, epoch: str) -> None:
        """Remove the members of a private time that is over. They see nothing by it: this only keeps the rows few."""
        slots = asyncio.Semaphore(_AT_ONCE)

        async def remove(row: Item) -> None:
            async with slots:
                with suppress(MemberNotFound):
                    await self.remove(Member.from_item(row))

        await asyncio.gather(*(remove(row) for row in await self._rows(collection_id) if row["epoch"] == epoch))

    async def forget_all(self, collection_id: str) -> None:
        """Remove all members of a collection that is gone."""
        await self._table.batch_delete([Key(row["pk"], row["sk"]) for row in await self._rows(collection_id)])

    async def _rows(self, collection_id: str) -> Sequence[Item]:
        prefix = keys.project_member(self._tenant_id, collection_id, "")
        return [row async for row in self._table.query_all(prefix.pk, prefix=prefix.sk)]

    async def check_actor(self, actor_id: str) -> None:
        """Refuse whoever is not of the tenant; raises `ActorNotFound`."""
        if await self._table.get((await self.actor(actor_id)).key) is None:
            raise ActorNotFound

    async def actor(self, actor_id: str) -> Check:
        """Return what holds while somebody is of the tenant; raises `ActorNotFound`."""
        if is_id(actor_id, "usr"):
            return Check(keys.member(self._tenant_id, actor_id))
        if is_id(actor_id, "svc"):
            return Check(keys.service_account(self._tenant_id, actor_id))
        if is_id(actor_id, "key"):
            page = await self._table.query(
                keys.api_keys(self._tenant_id), index=keys.CHILDREN_INDEX, prefix=actor_id, limit=1
            )
            if page.items:
                return Check(Key(page.items[0]["pk"], page.items[0]["sk"]))
        raise ActorNotFound


def opened(tenant_id: str, collection_id: str, actor_id: str, at: str) -> Sequence[Write]:
    """Return what makes a collection private, with the one who does it as its only member."""
    epoch = new_ulid()
    row = {"entity": PRIVATE_COLLECTION, "collection_id": collection_id, "epoch": epoch, "since": at}
    member = Member(
        collection_id=collection_id,
        actor_id=actor_id,
        right=Right.WRITE,
        epoch=epoch,
        added_at=at,
        added_by=actor_id,
    )
    return [
        Put({**keys.private_project(tenant_id, collection_id).as_dict(), **row}, overwrite=True),
        Put(member.to_item(tenant_id), overwrite=True),
    ]


def closed(tenant_id: str, collection_id: str) -> Sequence[Write]:
    """Return what ends a collection's private time, and every membership of it."""
    return [Delete(keys.private_project(tenant_id, collection_id))]
