"""The API's documentation and health over HTTP. Everything here is public."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, Response

from almanac.errors import Unprocessable
from almanac.web.app import VERSION
from almanac.web.problems import problem_responses
from console import assets, wiring
from console.errors import AssetNotFound, Unhealthy
from console.schemas import Health, Part

router = APIRouter(tags=["console"])


@router.get("/docs", response_model=None, response_class=HTMLResponse, responses=problem_responses())
async def docs() -> HTMLResponse:
    """Read and try the API in Swagger UI."""
    return HTMLResponse(assets.page("docs"), headers=assets.PAGE_HEADERS)


@router.get("/redoc", response_model=None, response_class=HTMLResponse, responses=problem_responses())
async def redoc() -> HTMLResponse:
    """Read the API reference in ReDoc."""
    return HTMLResponse(assets.page("redoc"), headers=assets.PAGE_HEADERS)


@router.get("/openapi.json", response_model=dict[str, Any], responses=problem_responses())
async def openapi() -> Response:
    """Return the OpenAPI document of the whole API."""
    return Response(wiring.document(), media_type="application/json", headers={"cache-control": "no-cache"})


@router.get(
    "/docs/assets/{file}",
    response_model=None,
    response_class=Response,
    responses={
        200: {
            "description": "The file",
            "content": {"text/javascript": {"schema": {"type": "string"}}, "text/css": {"schema": {"type": "string"}}},
        },
        **problem_responses(AssetNotFound),
    },
)
async def get_asset(request: Request, file: Annotated[str, Path(examples=["swagger-ui.css"])]) -> Response:
    """Return a file that the documentation's pages load."""
    asset = await asyncio.to_thread(assets.asset, file)
    if asset is None:
        raise AssetNotFound("The documentation has no such file.")
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers = {**assets.ASSET_HEADERS, "content-encoding": "gzip"}
        return Response(asset.gzipped, media_type=asset.media_type, headers=headers)
    return Response(asset.body, media_type=asset.media_type, headers=assets.ASSET_HEADERS)


@router.get(
    "/health",
    response_model=Health,
    response_model_exclude_none=True,
    responses=problem_responses(Unprocessable, Unhealthy),
)
async def health(
    deep: Annotated[bool, Query(description="Look at the table, the bucket and the queues too.")] = False,
) -> Health:
    """Tell whether the API works."""
    stage = wiring.settings().stage
    if not deep:
        return Health(status="ok", version=VERSION, stage=stage)
    found = await wiring.health().look()
    parts = {
        name: Part(status="ok" if outcome.ok else "failed", milliseconds=outcome.milliseconds)
        for name, outcome in found.items()
    }
    failed = [name for name, part in parts.items() if part.status == "failed"]
    if failed:
        shown = {name: part.model_dump() for name, part in parts.items()}
        raise Unhealthy(f"These parts do not answer: {', '.join(failed)}.", parts=shown)
    return Health(status="ok", version=VERSION, stage=stage, parts=parts)
