"""What can go wrong with service accounts."""

from almanac.errors import Conflict, NotFound


class ServiceAccountNotFound(NotFound):
    """There is no such service account in the caller's tenant."""

    code = "service_account_not_found"

    def __init__(self, *, field: str | None = None) -> None:
        super().__init__("There is no service account with this id.", field=field)


class ServiceAccountDisabled(Conflict):
    """A disabled service account gets no keys."""

    code = "service_account_disabled"

    def __init__(self) -> None:
        super().__init__("This service account is disabled: enable it first.", field="body.service_account_id")


class TooManyServiceAccounts(Conflict):
    """The tenant has as many service accounts as one may have."""

    code = "too_many_service_accounts"
