"""Exporting a tenant over HTTP."""

import time
from typing import Annotated

from fastapi import APIRouter, Path

from almanac.aws import keys
from almanac.clock import now
from almanac.errors import Unprocessable
from almanac.ids import id_pattern, new_id
from almanac.observability import correlation_id
from almanac.web.problems import problem_responses
from identity import wiring
from identity.dependencies import TenantExporter
from identity.exports import model
from identity.exports.errors import ExportNotFound, ExportUnderWay
from identity.exports.model import LIFETIME_SECONDS, ExportState
from identity.exports.repository import ExportRepository
from identity.exports.schemas import Export, ExportFile, ExportFiles, ExportList

router = APIRouter(prefix="/exports", tags=["export"])

ExportId = Annotated[str, Path(pattern=id_pattern("exp"))]
_ADDRESS_SECONDS = 900


@router.post("", status_code=202, response_model=Export, responses=problem_responses(ExportUnderWay))
async def create_export(principal: TenantExporter) -> Export:
    """Have an archive of the tenant written. It is kept for seven days."""
    export = model.Export(
        id=new_id("exp"),
        tenant_id=principal.tenant_id,
        asked_at=now(),
        asked_by=principal.actor_id,
        state=ExportState.RUNNING,
        expires_at=int(time.time()) + LIFETIME_SECONDS,
    )
    await ExportRepository(wiring.table(), principal.tenant_id).begin(export, correlation_id())
    return Export.of(export)


@router.get("", response_model=ExportList, responses=problem_responses())
async def list_exports(principal: TenantExporter) -> ExportList:
    """List the exports that are kept, newest first."""
    found = await ExportRepository(wiring.table(), principal.tenant_id).list()
    return ExportList(items=[Export.of(export) for export in found])


@router.get("/{export_id}", response_model=ExportFiles, responses=problem_responses(ExportNotFound, Unprocessable))
async def get_export(principal: TenantExporter, export_id: ExportId) -> ExportFiles:
    """Show an export, and where its files can be downloaded for 15 minutes."""
    export = await ExportRepository(wiring.table(), principal.tenant_id).get(export_id)
    ready = export.state is ExportState.READY
    names = ["manifest.json", *(part.name for part in export.parts)] if ready else []
    prefix = keys.export_prefix(principal.tenant_id, export_id)
    files = [
        ExportFile(name=name, url=await wiring.blobs().address(prefix + name, _ADDRESS_SECONDS, name)) for name in names
    ]
    return ExportFiles(**Export.of(export).model_dump(), files=files)


@router.delete(
    "/{export_id}", status_code=204, response_model=None, responses=problem_responses(ExportNotFound, Unprocessable)
)
async def delete_export(principal: TenantExporter, export_id: ExportId) -> None:
    """Remove an export and its files before their time."""
    exports = ExportRepository(wiring.table(), principal.tenant_id)
    await exports.delete(await exports.get(export_id), wiring.blobs())
