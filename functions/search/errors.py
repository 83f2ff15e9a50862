"""What can go wrong with a search, as callers see it."""

from typing import TYPE_CHECKING

from almanac.errors import Unprocessable

if TYPE_CHECKING:
    from almanac.index.query_errors import QuerySyntaxError


class InvalidQuery(Unprocessable):
    """The query's language is not spoken: an operator that can mean nothing."""

    code = "invalid_query"
    title = "The query cannot be read"

    @classmethod
    def of(cls, error: "QuerySyntaxError", field: str) -> "InvalidQuery":
        """Return the error of a query, which was given as a field of the request."""
        place = {"position": error.position, "length": error.length, "pointer": error.pointer}
        entry = {"field": field, "code": "query_syntax", "message": error.message, **place}
        return cls(error.message, field=field, errors=[entry])


class InvalidPeriod(Unprocessable):
    """`since` is not before `until`."""

    code = "invalid_period"
