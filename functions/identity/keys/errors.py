"""What can go wrong with API keys."""

from almanac.errors import Conflict, Forbidden, NotFound


class ApiKeyNotFound(NotFound):
    """There is no such key in the caller's tenant."""

    code = "api_key_not_found"

    def __init__(self) -> None:
        super().__init__("There is no API key with this id.")


class LastAdminKey(Conflict):
    """Without this key nobody could manage the tenant."""

    code = "last_admin_key"

    def __init__(self) -> None:
        super().__init__(
            "This is the last key that manages keys and does not expire, and the tenant has no owner: create another "
            "one first."
        )


class ScopeNotHeld(Forbidden):
    """The key would do what the caller may not."""

    code = "scope_not_held"


class TooManyApiKeys(Conflict):
    """The tenant, or the service account, has as many keys as one may have."""

    code = "too_many_api_keys"


class ApiKeyEnded(Conflict):
    """The key has expired, or another one has taken its place already."""

    code = "api_key_ended"
