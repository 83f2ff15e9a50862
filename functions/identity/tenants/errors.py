"""What can go wrong with tenants, members and invitations."""

from almanac.access import Role
from almanac.errors import AppError, Conflict, Forbidden, NotFound


class TenantNotFound(NotFound):
    """The tenant is gone."""

    code = "tenant_not_found"

    def __init__(self, detail: str = "There is no tenant with this id.") -> None:
        super().__init__(detail)


class TooManyTenants(Conflict):
    """The person has founded as many tenants as one may."""

    code = "too_many_tenants"


class FoundingClosed(Forbidden):
    """Operators alone create tenants of this stack."""

    code = "founding_closed"

    def __init__(self) -> None:
        super().__init__("Tenants of this stack are created by its operators: ask them, or for an invitation into one.")


class MemberNotFound(NotFound):
    """Nobody with this id belongs to the caller's tenant."""

    code = "member_not_found"

    def __init__(self, *, field: str | None = None) -> None:
        super().__init__("There is no member with this id.", field=field)


class RoleAboveOwn(Forbidden):
    """The role, given or found, may do what the caller may not."""

    code = "role_above_own"


class StandingChanged(Forbidden):
    """The caller's role is no longer the one that it called with, or it is no member any more."""

    code = "standing_changed"

    def __init__(self) -> None:
        super().__init__("Your own role in the tenant has changed meanwhile: nothing was done.")


class LastOwner(Conflict):
    """Without this owner nobody could hand the tenant over."""

    code = "last_owner"

    def __init__(self) -> None:
        super().__init__(
            "This is the tenant's last owner: transfer the tenant first (POST /tenants/me/transfer), or make another "
            "member an owner."
        )


class TooManyInvitations(AppError):
    """The tenant has sent as many invitations today as a tenant may."""

    status = 429
    code = "too_many_invitations"
    title = "Too many requests"

    def __init__(self, limit: int, seconds: int) -> None:
        super().__init__(f"A tenant sends at most {limit} invitations a day (UTC): send the rest tomorrow.")
        self.headers["retry-after"] = str(seconds)


class InvitationNotFound(NotFound):
    """There is no such invitation in the caller's tenant, or no such token at all."""

    code = "invitation_not_found"


class NotTheInvited(Forbidden):
    """The invitation went to another address than the one that the caller has shown to be its own."""

    code = "not_the_invited"

    def __init__(self) -> None:
        super().__init__(
            "This invitation is for another e-mail address: sign in with the one that it was sent to, verified."
        )


class InvitationExpired(Conflict):
    """The invitation was not answered in time."""

    code = "invitation_expired"

    def __init__(self) -> None:
        super().__init__("This invitation has expired: ask for another one.")


class InvitationRevoked(Conflict):
    """The invitation was taken back, or a newer one took its place."""

    code = "invitation_revoked"

    def __init__(self) -> None:
        super().__init__("This invitation no longer counts: use the newest one, or ask for another.")


class InvitationUsed(Conflict):
    """The invitation has let somebody in already."""

    code = "invitation_used"

    def __init__(self) -> None:
        super().__init__("This invitation has been used: ask for another one.")


class AlreadyMember(Conflict):
    """The person belongs to the tenant already."""

    code = "already_member"

    def __init__(self, role: Role) -> None:
        super().__init__(f"You belong to this tenant already, as {role}: ask for another role instead.")
