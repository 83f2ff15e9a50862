"""Reads and writes of one tenant's members. Each is written twice: for the tenant, and for the authorizer."""

from collections.abc import Sequence
from dataclasses import dataclass

from almanac.access import Role
from almanac.aws import keys, outbox
from almanac.aws.table import Check, Delete, Item, Table, Update, Write
from almanac.aws.transactions import Parts, Refused, commit
from almanac.errors import VersionConflict
from almanac.events import MemberRemoved
from almanac.ids import is_id
from almanac.observability import correlation_id
from identity.tenants.errors import LastOwner, MemberNotFound, StandingChanged
from identity.tenants.follow_up import access_ended
from identity.tenants.model import Member
from identity.tenants.repository import counted


@dataclass(frozen=True)
class MemberPage:
    """Some of a tenant's members, by id; `last_key` continues the listing."""

    members: list[Member]
    last_key: Item | None


class MemberRepository:
    """One tenant's members. The tenant's item counts its owners in the transaction that adds or removes one."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def get(self, person_id: str, *, field: str | None = None) -> Member:
        """Return a member; raises `MemberNotFound`."""
        item = await self._table.get(keys.member(self._tenant_id, person_id)) if is_id(person_id, "usr") else None
        if item is None:
            raise MemberNotFound(field=field)
        return Member.from_item(item)

    async def list(self, limit: int, after: Item | None) -> MemberPage:
        """Return one page of the members."""
        page = await self._table.query(
            keys.members(self._tenant_id), index=keys.CHILDREN_INDEX, limit=limit, after=after
        )
        return MemberPage([Member.from_item(item) for item in page.items], page.last_key)

    async def change(self, member: Member, role: Role, standing: Sequence[Check]) -> Member:
        """Give a member, as it was read, another role; raises as `_commit` does."""
        owners = (role is Role.OWNER) - (member.role is Role.OWNER)
        await self._commit(
            {
                "member": changes(member, role),
                "owners": counted(self._tenant_id, owners),
                "standing": standing,
                "outbox": access_ended(self._tenant_id, member.person_id, correlation_id()),
            }
        )
        return await self.get(member.person_id)

    async def hand_over(self, owner: Member, heir: Member, left: Role) -> None:
        """Make one member, as read, an owner, and give the owner the role `left`; raises as `_commit` does."""
        owners = -1 if heir.role is Role.OWNER else 0
        await self._commit(
            {
                "standing": changes(owner, left),
                "member": changes(heir, Role.OWNER),
                "owners": counted(self._tenant_id, owners),
            }
        )

    async def remove(
        self, member: Member, standing: Sequence[Check], then: MemberRemoved, entry: Sequence[Write] = ()
    ) -> None:
        """Remove a member, as it was read, and write its `entry` into the audit log where no call has one.

        Raises as `_commit` does.
        """
        await self._commit(
            {
                "member": [
                    Delete(member.key, condition="#version = :version", values={":version": member.version}),
                    Delete(keys.person_tenant(member.person_id, self._tenant_id)),
                ],
                "owners": counted(self._tenant_id, -(member.role is Role.OWNER)),
                "standing": standing,
                "outbox": outbox.message(then),
                "entry": entry,
            }
        )

    async def _commit(self, parts: Parts) -> None:
        """Raises `MemberNotFound`, `VersionConflict`, `LastOwner` or `StandingChanged` by the part refused; `Busy`."""
        try:
            await commit(self._table, parts)
        except Refused as refused:
            if refused.part == "standing":
                raise StandingChanged from None
            if refused.part == "owners":
                raise LastOwner from None
            if refused.item is None or "version" not in refused.item:
                raise MemberNotFound from None
            raise VersionConflict(refused.item["version"]) from None


def changes(member: Member, role: Role) -> list[Write]:
    """Return the writes that give a member another role, if it is still as it was read."""
    return [
        Update(
            member.key,
            set={"role": role.value, "version": member.version + 1},
            condition="#version = :version",
            values={":version": member.version},
        ),
        Update(keys.person_tenant(member.person_id, member.tenant_id), set={"role": role.value}),
    ]
