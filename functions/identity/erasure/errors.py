"""What can go wrong with erasures."""

from almanac.errors import Conflict, NotFound, Unprocessable


class ErasureNotFound(NotFound):
    """The caller has asked for no such erasure."""

    code = "erasure_not_found"


class NotConfirmed(Unprocessable):
    """The caller did not name what is to be erased."""

    code = "not_confirmed"


class BeingErased(Conflict):
    """The tenant is being erased already."""

    code = "being_erased"


class OwnsTenants(Conflict):
    """The person is the last owner of tenants, which `tenants` names."""

    code = "owns_tenants"
