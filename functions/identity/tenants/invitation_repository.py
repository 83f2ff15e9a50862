"""Reads and writes of one tenant's invitations.

Three items are one invitation: the tenant's own; one under the token's hash, which says whose it is before any tenant
is read; and one under the address's hash, which guards one pending invitation per address and lets sign-up ask.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from almanac.access import Role
from almanac.aws import keys
from almanac.aws.table import Check, Delete, Item, Put, Table, Update, Write
from almanac.aws.transactions import Parts, commit
from almanac.clock import iso
from almanac.ids import is_id
from identity.tenants.errors import InvitationNotFound
from identity.tenants.model import Invitation, Mail, Member, Membership, State, TenantRecord
from identity.tokens.invitations import Claim

SENT_PER_DAY = 200
"""What a tenant sends at most: letters to strangers, under the stack's own name."""

_DAY_SECONDS = 24 * 3600
_STAYS = "attribute_not_exists(#erasure_id)"
_OPEN = "#state = :pending AND #token_sha256 = :token"


@dataclass(frozen=True)
class InvitationPage:
    """Some of a tenant's invitations, oldest first; `last_key` continues the listing."""

    invitations: list[Invitation]
    last_key: Item | None


class InvitationRepository:
    """One tenant's invitations."""

    def __init__(self, table: Table, tenant_id: str) -> None:
        self._table = table
        self._tenant_id = tenant_id

    async def get(self, invitation_id: str) -> Invitation:
        """Return an invitation; raises `InvitationNotFound`."""
        key = keys.invitation(self._tenant_id, invitation_id)
        item = await self._table.get(key) if is_id(invitation_id, "inv") else None
        if item is None:
            raise InvitationNotFound("There is no invitation with this id.")
        return Invitation.from_item(item)

    async def list(self, limit: int, after: Item | None) -> InvitationPage:
        """Return one page of the invitations."""
        page = await self._table.query(
            keys.invitations(self._tenant_id), index=keys.CHILDREN_INDEX, limit=limit, after=after
        )
        return InvitationPage([Invitation.from_item(item) for item in page.items], page.last_key)

    async def pending(self, address_sha256: str) -> Invitation | None:
        """Return the invitation that an address still holds, if it holds one."""
        marker = await self._table.get(keys.invited(address_sha256, self._tenant_id))
        if marker is None or (item := await self._table.get(self._key(marker["invitation_id"]))) is None:
            return None
        return Invitation.from_item(item)

    async def create(
        self,
        invitation: Invitation,
        earlier: Invitation | None,
        standing: Sequence[Check],
        entry: Sequence[Write] = (),
    ) -> None:
        """Write an invitation in the place of the address's earlier one; raises `Refused` when another came first.

        `entry` is its entry in the audit log where no call has one.
        """
        parts: dict[str, Write | Sequence[Write]] = {
            "day": _count(self._tenant_id),
            "tenant": Check(keys.tenant(self._tenant_id), condition=f"attribute_exists(#pk) AND {_STAYS}"),
            "standing": standing,
            "invitation": Put(invitation.to_item()),
            "token": Put(invitation.token_item()),
            "marker": _take(invitation, earlier),
            "entry": entry,
        }
        if earlier is not None:
            parts["earlier"] = _close(earlier)
        await commit(self._table, parts)

    async def renew(self, renewed: Invitation, before: Invitation, standing: Sequence[Check]) -> None:
        """Give a pending or expired invitation a new token and a new end; raises `Refused` when it has changed."""
        await commit(
            self._table,
            {
                "standing": standing,
                "day": _count(self._tenant_id),
                "invitation": Put(renewed.to_item(), condition=_OPEN, values=_open(before)),
                "token": Put(renewed.token_item()),
                "marker": _take(renewed, before),
            },
        )

    async def revoke(self, invitation: Invitation, standing: Sequence[Check]) -> None:
        """Take an invitation back; raises `Refused` when it was answered or renewed meanwhile."""
        await commit(
            self._table, {"standing": standing, "invitation": _close(invitation), "marker": _release(invitation)}
        )

    async def accept(
        self,
        invitation: Invitation,
        member: Member,
        tenant: TenantRecord,
        inviter: Sequence[Check],
        entry: Sequence[Write],
    ) -> None:
        """Let a person in by an invitation, once, and write its `entry` into the audit log; raises `Refused`."""
        parts: Parts = {
            "invitation": Update(
                invitation.key,
                set={"state": State.ACCEPTED.value, "accepted_by": member.person_id},
                condition=f"{_OPEN} AND #ends_at > :now",
                values={**_open(invitation), ":now": int(time.time())},
            ),
            "member": Put(member.to_item()),
            "membership": Put(Membership.of(member, tenant).to_item(), overwrite=True),
            "tenant": _enter(tenant, member.role),
            "inviter": inviter,
            "marker": _release(invitation),
            "entry": entry,
        }
        await commit(self._table, parts)

    async def mailed(self, invitation: Invitation, mail: Mail, cause: str | None) -> Invitation:
        """Note what became of the letter."""
        await self._table.write(
            Update(
                invitation.key,
                set={"mail": mail.value, "mail_cause": cause},
                condition="#token_sha256 = :token",
                values={":token": invitation.token_sha256},
            )
        )
        return replace(invitation, mail=mail, mail_cause=cause)

    def _key(self, invitation_id: str) -> keys.Key:
        return keys.invitation(self._tenant_id, invitation_id)


async def exists(table: Table, claim: Claim) -> bool:
    """Tell whether there is such a token. Reads no tenant's items."""
    item = await table.get(keys.invitation_token(claim.sha256))
    return item is not None and (item["tenant_id"], item["invitation_id"]) == (claim.tenant_id, claim.invitation_id)


def _enter(tenant: TenantRecord, role: Role) -> Write:
    """Return the write that lets somebody into a tenant which is as it was read."""
    key, values = keys.tenant(tenant.id), {":version": tenant.version}
    condition = f"#version = :version AND {_STAYS}"
    if role is Role.OWNER:
        return Update(key, add={"owners": 1}, condition=condition, values=values)
    return Check(key, condition=condition, values=values)


def _count(tenant_id: str) -> Update:
    """Return the write that counts one more invitation of today; it is refused where that is one too many."""
    now = time.time()
    return Update(
        keys.invitation_day(tenant_id, iso(now)[:10]),
        set={"entity": "invitation_day", "expires_at": int(now) + 2 * _DAY_SECONDS},
        add={"sent": 1},
        condition="attribute_not_exists(#sent) OR #sent < :limit",
        values={":limit": SENT_PER_DAY},
    )


def seconds_of_day_left() -> int:
    """Return when the next day begins."""
    return _DAY_SECONDS - int(time.time()) % _DAY_SECONDS


def _open(invitation: Invitation) -> dict[str, str]:
    return {":pending": State.PENDING.value, ":token": invitation.token_sha256}


def _close(invitation: Invitation) -> Update:
    return Update(invitation.key, set={"state": State.REVOKED.value}, condition=_OPEN, values=_open(invitation))


def _take(invitation: Invitation, earlier: Invitation | None) -> Put:
    """Return the write that makes an invitation its address's pending one, in the place of `earlier`."""
    held = "" if earlier is None else " OR #invitation_id = :earlier"
    return Put(
        invitation.marker_item(),
        condition=f"attribute_not_exists(#pk) OR #expires_at < :now{held}",
        values={":now": int(time.time()), **({":earlier": earlier.id} if earlier else {})},
    )


def _release(invitation: Invitation) -> Delete:
    return Delete(
        keys.invited(invitation.address_sha256, invitation.tenant_id),
        condition="attribute_not_exists(#pk) OR #invitation_id = :id",
        values={":id": invitation.id},
    )
