"""The filters of a request: those beside the query and those in it. Both must hold."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from almanac import moments
from almanac.index.filters import Filters
from almanac.index.query_language import language_name
from search.errors import FilterGivenTwice, InvalidPeriod
from search.schemas import SearchRequest

_T = TypeVar("_T")
_NOWHERE = frozenset({"none"})
"""A project that there cannot be: nothing passes."""


def filters_of(request: SearchRequest, in_query: Filters, now: datetime, place: str) -> Filters:
    """Return what must hold; `place` is where the request's fields are, for errors."""
    asked = _beside(request, now)
    twice = [name for name, one, other in _any_of(asked, in_query) if one and other]
    if twice:
        raise FilterGivenTwice(
            f"`{twice[0]}` is given beside the query and in it. Write `{twice[0]}:` in the query for all of them.",
            field=f"{place}.{twice[0]}",
        )
    narrowed = _both(asked, in_query)
    if narrowed.since and narrowed.until and narrowed.since >= narrowed.until:
        raise InvalidPeriod("`since` must be before `until`.", field=f"{place}.since")
    return narrowed


def _beside(request: SearchRequest, now: datetime) -> Filters:
    return Filters(
        projects=frozenset(request.project),
        kinds=frozenset(request.kind),
        languages=frozenset(language_name(language).casefold() for language in request.language),
        paths=(request.path,) if request.path else (),
        authors=(request.author,) if request.author else (),
        since=moments.parse(request.since, now) if request.since else None,
        until=moments.parse(request.until, now) if request.until else None,
    )


def _any_of(one: Filters, other: Filters) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    return [("path", one.paths, other.paths), ("author", one.authors, other.authors)]


def _both(one: Filters, other: Filters) -> Filters:
    projects, none = _common(one.projects, other.projects)
    kinds, no_kind = _common(one.kinds, other.kinds)
    languages, no_language = _common(one.languages, frozenset(name.casefold() for name in other.languages))
    return Filters(
        projects=_NOWHERE if none or no_kind or no_language else projects,
        kinds=kinds,
        languages=languages,
        paths=one.paths or other.paths,
        authors=one.authors or other.authors,
        since=_outermost(max, one.since, other.since),
        until=_outermost(min, one.until, other.until),
        without_kinds=other.without_kinds,
        without_languages=other.without_languages,
        without_paths=other.without_paths,
        without_authors=other.without_authors,
    )


def _common(one: frozenset[_T], other: frozenset[_T]) -> tuple[frozenset[_T], bool]:
    """Return what both let pass, and whether that is nothing: an empty set lets everything pass."""
    if not one or not other:
        return one | other, False
    return one & other, not one & other


def _outermost(
    choose: Callable[[datetime, datetime], datetime], one: datetime | None, other: datetime | None
) -> datetime | None:
    return choose(one, other) if one and other else one or other
