"""What can go wrong with tenants."""

from almanac.errors import NotFound


class TenantNotFound(NotFound):
    """The tenant is gone."""

    code = "tenant_not_found"
