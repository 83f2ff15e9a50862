"""Search over HTTP."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query

from almanac.access import Principal
from almanac.errors import Unavailable, Unprocessable
from almanac.index.history import AmbiguousCommit, CommitNotIndexed
from almanac.web.auth import Reader
from almanac.web.pagination import InvalidCursor
from almanac.web.problems import problem_responses
from search import wiring
from search.errors import (
    DocumentVersionNotFound,
    DocumentVersionNotSearchable,
    InvalidPeriod,
    InvalidQuery,
    InvalidVersion,
)
from search.schemas import SearchRequest, SearchResults

if TYPE_CHECKING:
    from almanac.index.history import Past
    from search import service

router = APIRouter(tags=["search"])

_ERRORS = problem_responses(
    InvalidCursor,
    Unprocessable,
    InvalidQuery,
    InvalidPeriod,
    CommitNotIndexed,
    AmbiguousCommit,
    InvalidVersion,
    DocumentVersionNotFound,
    DocumentVersionNotSearchable,
    Unavailable,
)


@router.get("/search", response_model=SearchResults, responses=_ERRORS)
async def search_by_query(principal: Reader, request: Annotated[SearchRequest, Query()]) -> SearchResults:
    """Search by meaning and by word, with everything in the query string."""
    return await _search(principal, request, "query")


@router.post("/search", response_model=SearchResults, responses=_ERRORS)
async def search(principal: Reader, request: SearchRequest) -> SearchResults:
    """Search by meaning and by word, with everything in the body."""
    return await _search(principal, request, "body")


async def _search(principal: Principal, request: SearchRequest, place: str) -> SearchResults:
    # The first search imports numpy and the index: in a thread, while the store answers.
    searcher, cursors = await asyncio.gather(
        asyncio.to_thread(wiring.searcher), wiring.cursor_secrets().cursors(principal.tenant_id)
    )
    from search import presenter, service

    # A cursor is good for any page size, but only for the very same query, filters and moment.
    asked = request.model_dump_json(exclude={"cursor", "limit", "explain"})
    position = cursors.decode(asked, request.cursor) if request.cursor else None
    # "7d" means the same on every page: the first one's time travels with the cursor.
    now = datetime.fromtimestamp(position["now"], UTC) if position else datetime.now(UTC).replace(microsecond=0)
    after = service.position_from_json(position) if position else None
    wanted, hints = _read(request, now, place)
    past = await _past(principal, request, now, place)
    wanted = replace(wanted, past=past) if past else wanted
    page = await searcher.search(principal.tenant_id, wiring.sight(principal).hidden, wanted, request.limit, after)
    if after is None and page.found.views:
        await wiring.recall().sampled(principal.tenant_id, page.found.index.id, page.hits, page.exhaustively)
    following = {**service.position_to_json(page.next), "now": int(now.timestamp())} if page.next else None
    return presenter.results(page, cursors.encode(asked, following) if following else None, hints)


def _read(request: SearchRequest, now: datetime, place: str) -> "tuple[service.Asked, tuple[str, ...]]":
    """Return what a request asks for, and hints about its query."""
    from almanac.index import query_language
    from almanac.index.query_errors import QuerySyntaxError
    from search import narrowing, service

    try:
        query = query_language.parse(request.q, now)
    except QuerySyntaxError as error:
        raise InvalidQuery.of(error, f"{place}.q") from None
    filters = narrowing.filters_of(request, query.filters, now, place)
    return service.Asked(query.text, query.phrases, query.without, filters, request.explain), query.hints


async def _past(principal: Principal, request: SearchRequest, now: datetime, place: str) -> "Past | None":
    from search import past

    return await past.of_request(wiring.table(), wiring.reader().containers, principal, request, now, place)
