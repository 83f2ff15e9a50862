"""Who may decide about whom.

One rule: a caller gives, changes and takes away only roles whose every permission it has itself. So an admin makes no
owner and removes none, nor does it appoint or remove an auditor, who reads what admins did; an API key decides about
the roles that its scopes cover.

The authorizer's word about a caller may be some seconds old. Whoever decides about members is therefore looked at once
more, in the transaction of the decision: a removed admin does not invite itself back in.
"""

from almanac.access import ROLES, Permission, Principal, Role
from almanac.aws import keys
from almanac.aws.table import Check
from identity.tenants.errors import RoleAboveOwn


def may_decide(principal: Principal, role: Role) -> bool:
    """Tell whether the role is within what the caller may give and take."""
    return ROLES[role] <= principal.permissions


def must_decide(principal: Principal, role: Role, *, field: str | None = None) -> None:
    """Raise `RoleAboveOwn` unless the caller may decide about the role."""
    if may_decide(principal, role):
        return
    first = next(p for p in Permission if p in ROLES[role] and p not in principal.permissions)
    raise RoleAboveOwn(f"The role `{role}` has the permission `{first}`, which you do not have.", field=field)


def still(principal: Principal, *others: str) -> list[Check]:
    """Return the condition that the caller is what it was when it called; none for a key, nor for one of `others`.

    `others` are the persons whom the transaction changes anyway: it may touch an item only once.
    """
    if principal.role is None or principal.actor_id in others:
        return []
    key = keys.member(principal.tenant_id, principal.actor_id)
    return [Check(key, condition="#role = :role", values={":role": principal.role.value})]
