"""What can go wrong with the documentation and with health."""

from almanac.errors import NotFound, Unavailable


class AssetNotFound(NotFound):
    """The documentation has no such file."""

    code = "asset_not_found"


class Unhealthy(Unavailable):
    """A part that the product stands on does not answer."""

    code = "unhealthy"
