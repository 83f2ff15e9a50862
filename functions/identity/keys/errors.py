"""What can go wrong with API keys."""

from almanac.errors import Conflict, NotFound


class ApiKeyNotFound(NotFound):
    """There is no such key in the caller's tenant."""

    code = "api_key_not_found"


class LastAdminKey(Conflict):
    """Without this key nobody could manage the tenant."""

    code = "last_admin_key"
