"""What can go wrong with a search, as callers see it."""

from almanac.errors import Unavailable, Unprocessable


class InvalidPeriod(Unprocessable):
    """`since` is not before `until`."""

    code = "invalid_period"


class ModelUnavailable(Unavailable):
    """The embedding model did not turn the query into a vector."""

    code = "embedding_model_unavailable"
    title = "The embedding model is unavailable"
