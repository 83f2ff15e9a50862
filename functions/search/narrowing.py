"""The filters of a request: those beside the query and those in it. Both must hold."""

from dataclasses import replace
from datetime import datetime

from almanac import moments
from almanac.index.filters import Filters
from almanac.index.query_language import language_name
from search.errors import InvalidPeriod
from search.schemas import Narrowed


def filters_of(request: Narrowed, in_query: Filters, now: datetime, place: str) -> Filters:
    """Return what must hold; `place` is where the request's fields are, for errors."""
    asked = Filters(
        projects=frozenset(request.project),
        containers=frozenset(request.collection),
        groups=frozenset(request.document),
        kinds=frozenset(request.kind),
        languages=frozenset(language_name(language) for language in request.language),
        paths=(request.path,) if request.path else (),
        authors=(request.author,) if request.author else (),
        since=moments.parse(request.since, now) if request.since else None,
        until=moments.parse(request.until, now) if request.until else None,
    )
    begins = [moment for moment in (asked.since, in_query.since) if moment]
    ends = [moment for moment in (asked.until, in_query.until) if moment]
    if begins and ends and max(begins) >= min(ends):
        raise InvalidPeriod("`since` must be before `until`.", field=f"{place}.since")
    return asked if in_query == Filters() else replace(asked, also=(in_query,))
