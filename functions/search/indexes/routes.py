"""Indexes over HTTP."""

import asyncio
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path

from almanac.access import Principal
from almanac.errors import Unavailable, Unprocessable
from almanac.web.auth import Reader as ReaderKey
from almanac.web.problems import problem_responses
from search import wiring
from search.dependencies import IndexManager
from search.indexes import models, presenter
from search.indexes.errors import (
    IndexBeingBuilt,
    IndexesChanged,
    IndexIncomplete,
    IndexNotFound,
    IndexServedLately,
    IndexServes,
    ModelNotAllowed,
)
from search.indexes.schemas import EXAMPLE_ID, CompactionQueued, Index, IndexCreate, IndexId, IndexList, IndexStatus
from search.indexes.service import IndexService

if TYPE_CHECKING:
    from almanac.index.reader import Reader

router = APIRouter(prefix="/search", tags=["search indexes"])

Id = Annotated[IndexId, Path(description="The index's id.", examples=[EXAMPLE_ID])]
_READING = (Unavailable,)
_CHANGING = (*_READING, IndexesChanged)


@router.get("/index", response_model=IndexStatus, responses=problem_responses(*_READING))
async def get_search_index(principal: ReaderKey) -> IndexStatus:
    """Show the index that answers queries: its size, its log, its snapshots, what waits for it."""
    service = await _service(principal)
    state, opened = await service.serving()
    hidden = await wiring.reader().containers.hidden(principal.tenant_id, state, wiring.sight(principal).hidden)
    if opened is not None:
        opened = await asyncio.to_thread(opened.without, hidden.projects)
    others = [listed for listed in await service.list() if listed.info.id != state.directory.serving.id]
    return presenter.status(state, opened, others, hidden)


@router.post("/index/compact", status_code=202, response_model=CompactionQueued, responses=problem_responses(*_READING))
async def compact_search_index(principal: IndexManager) -> CompactionQueued:
    """Have the serving index's log merged into its snapshot now, rather than when it is long."""
    info = await (await _service(principal)).compact()
    return CompactionQueued(index_id=info.id, shards=info.shards)


@router.get("/indexes", response_model=IndexList, responses=problem_responses(*_READING))
async def list_indexes(principal: ReaderKey) -> IndexList:
    """List the tenant's indexes."""
    return IndexList(items=[presenter.index(listed) for listed in await (await _service(principal)).list()])


@router.post(
    "/indexes",
    status_code=202,
    response_model=Index,
    responses=problem_responses(*_CHANGING, IndexBeingBuilt, Unprocessable, ModelNotAllowed),
)
async def create_index(principal: IndexManager, body: IndexCreate) -> Index:
    """Build an index beside the serving one, of the same embedding model or of another."""
    service = await _service(principal)
    model = models.check(body.model) if body.model is not None else None
    return presenter.index(await service.create(model, body.origin, body.shards))


@router.get(
    "/indexes/{index_id}",
    response_model=Index,
    responses=problem_responses(*_READING, IndexNotFound, Unprocessable),
)
async def get_index(principal: ReaderKey, index_id: Id) -> Index:
    """Show an index and how far its build is."""
    return presenter.index(await (await _service(principal)).get(index_id))


@router.post(
    "/indexes/{index_id}/activate",
    response_model=Index,
    responses=problem_responses(*_CHANGING, IndexNotFound, IndexIncomplete, Unprocessable),
)
async def activate_index(principal: IndexManager, index_id: Id) -> Index:
    """Let an index answer the queries from now on; activating the one before it again rolls back."""
    return presenter.index(await (await _service(principal)).activate(index_id))


@router.delete(
    "/indexes/{index_id}",
    status_code=204,
    response_model=None,
    responses=problem_responses(*_CHANGING, IndexNotFound, IndexServes, IndexServedLately, Unprocessable),
)
async def delete_index(principal: IndexManager, index_id: Id) -> None:
    """Delete an index that serves no query, and none that began a quarter of an hour ago."""
    await (await _service(principal)).delete(index_id)


async def _service(principal: Principal) -> IndexService:
    # The first call imports numpy and the index: in a thread.
    reader = await asyncio.to_thread(_reader)
    return IndexService(wiring.table(), reader, principal.tenant_id, wiring.default_directory())


def _reader() -> "Reader":
    from search.indexes import opening  # noqa: F401 - loaded with the rest

    return wiring.reader()
