"""Use of quotas over HTTP."""

import asyncio
import time
from functools import cache
from types import ModuleType

from fastapi import APIRouter

from almanac.access import Principal
from almanac.aws import keys
from almanac.limits import recount
from almanac.limits.quotas import Quotas
from almanac.settings import QuotaSettings
from almanac.web.problems import problem_responses
from identity import wiring
from identity.dependencies import TenantManager, TenantReader
from identity.usage.schemas import Usage

router = APIRouter(tags=["identity"])


@router.get("/tenants/me/usage", response_model=Usage, responses=problem_responses())
async def get_usage(principal: TenantReader) -> Usage:
    """Show what the tenant uses of its quotas."""
    item = await wiring.table().get(keys.usage(principal.tenant_id)) or {}
    return Usage.of(item, _quotas(), time.time())


@router.post("/tenants/me/usage/recount", response_model=Usage, responses=problem_responses(recount.CountChanged))
async def recount_usage(principal: TenantManager) -> Usage:
    """Count projects, repositories and what the index holds again, and show the use."""
    return Usage.of(await _recounted(principal), _quotas(), time.time())


async def _recounted(principal: Principal) -> dict[str, object]:
    table = wiring.table()
    manifest = (await asyncio.to_thread(_manifests)).Manifest(table, principal.tenant_id)
    await recount.index(table, principal.tenant_id, await manifest.read())
    return await recount.containers(table, principal.tenant_id)


def _manifests() -> ModuleType:
    """Import what reads manifests: the slice has no other use for it."""
    from almanac.index import manifest

    return manifest


@cache
def _quotas() -> Quotas:
    return Quotas.configured(QuotaSettings.load())
