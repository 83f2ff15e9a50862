"""Quality and verification over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query

from almanac.errors import Unavailable, Unprocessable
from almanac.ids import new_ulid
from almanac.web.auth import Reader
from almanac.web.problems import problem_responses
from search import wiring
from search.dependencies import IndexManager
from search.quality import recall, report
from search.quality.report import Report
from search.quality.schemas import Quality, QualityDay, Verification, VerifyRequest

router = APIRouter(prefix="/search", tags=["search quality"])


@router.get("/quality", response_model=Quality, responses=problem_responses(Unprocessable))
async def get_search_quality(
    principal: Reader, days: Annotated[int, Query(ge=1, le=365, description="How many days to look back.")] = 7
) -> Quality:
    """Show how many of the best hits the tenant's searches found, and what the last verification found."""
    measured, last = await asyncio.gather(
        recall.days(wiring.table(), principal.tenant_id, days), report.last(wiring.table(), principal.tenant_id)
    )
    seen = last.as_seen(await wiring.sight(principal).hidden()) if last else None
    expected, found = sum(day.expected for day in measured), sum(day.found for day in measured)
    return Quality(
        sample_rate=wiring.settings().recall_sample,
        queries=sum(day.queries for day in measured),
        recall=_share(found, expected),
        days=[
            QualityDay(day=d.day, index_id=d.index_id, queries=d.queries, recall=_share(d.found, d.expected))
            for d in measured
        ],
        verification=Verification.model_validate(asdict(seen)) if seen else None,
    )


@router.post(
    "/verify",
    response_model=Verification,
    responses=problem_responses(Unprocessable, Unavailable),
)
async def verify_search_index(principal: IndexManager, body: VerifyRequest) -> Verification:
    """Compare a sample of the index with its sources, and a sample of the sources with the index."""
    verify = await asyncio.to_thread(_verify)
    found = await verify(principal.tenant_id, body.sample)
    return Verification.model_validate(asdict(found.as_seen(await wiring.sight(principal).hidden())))


def _share(found: int, expected: int) -> float | None:
    return found / expected if expected else None


def _verify() -> Callable[[str, int], Awaitable[Report]]:
    # The first call imports numpy and the index: in a thread.
    from almanac.index.manifest import Manifest
    from search.quality.verify import Verification as Comparison

    reader = wiring.reader()

    async def verify(tenant_id: str, sample: int) -> Report:
        manifest = Manifest(wiring.table(), tenant_id, wiring.default_directory())
        comparison = Comparison(wiring.table(), wiring.blobs(), reader, manifest, tenant_id, sample, new_ulid())
        return await comparison.run(wiring.embedder_for)

    return verify
