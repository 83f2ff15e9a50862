"""What can go wrong with a search, as callers see it."""

from typing import TYPE_CHECKING

from almanac.errors import Conflict, NotFound, Unprocessable

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


class InvalidVersion(Unprocessable):
    """`version` is of one document, and is itself a state of the past."""

    code = "invalid_version"

    def __init__(self, *, field: str) -> None:
        super().__init__("`version` needs exactly one `document`, and no `as_of` beside it.", field=field)


class DocumentVersionNotFound(NotFound):
    """The document does not exist, or the caller does not see it, or it has no such version."""

    code = "document_version_not_found"

    def __init__(self, *, field: str) -> None:
        super().__init__("There is no document with this id and version.", field=field)


class DocumentVersionNotSearchable(Conflict):
    """The version was not read, or not yet, or its document was moved since."""

    code = "document_version_not_searchable"

    def __init__(self, why: str, *, field: str) -> None:
        super().__init__(f"{why} Leave `version` out to ask what search answers from now.", field=field)
