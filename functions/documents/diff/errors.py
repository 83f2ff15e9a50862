"""What can go wrong with comparing versions, as callers see it."""

from almanac.errors import Conflict, Unprocessable
from documents.model import Cause


class VersionWithoutText(Conflict):
    """Nothing was read of the version, or not all of it yet. `cause` says why, where it ended."""

    code = "version_without_text"

    def __init__(self, version: int, state: str, cause: Cause | None, *, field: str) -> None:
        why = f": {cause.message} {cause.way_out}".rstrip() if cause else ""
        told = cause.model_dump() if cause else None
        super().__init__(f"Version {version} has no text to compare, it is `{state}`{why}", field=field, cause=told)


class TooLongToCompare(Unprocessable):
    """The two versions are longer than what one call compares."""

    code = "too_long_to_compare"

    def __init__(self, characters: int, most: int) -> None:
        super().__init__(
            f"The two versions have {characters} characters, and one call compares {most}: read both with "
            "`GET .../text` and compare what you need.",
            field="query.to",
        )
