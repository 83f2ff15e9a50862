"""Importing an archive over HTTP: name its parts, upload them, start."""

import time
from typing import Annotated

from fastapi import APIRouter, Path

from almanac.access import Principal
from almanac.aws import keys
from almanac.aws.blobs import TRANSIENT
from almanac.clock import now
from almanac.errors import Unprocessable
from almanac.ids import id_pattern, new_id
from almanac.observability import correlation_id
from almanac.web.problems import problem_responses
from identity import wiring
from identity.dependencies import TenantOwner
from identity.imports import model
from identity.imports.errors import ImportNotFound, ImportUnderWay, TenantNotEmpty
from identity.imports.model import LIFETIME_SECONDS, ImportState
from identity.imports.repository import ImportRepository
from identity.imports.schemas import Import, ImportCreate, ImportUploads, Upload

router = APIRouter(prefix="/imports", tags=["export"])

ImportId = Annotated[str, Path(pattern=id_pattern("imp"))]
_ADDRESS_SECONDS = 900


@router.post(
    "", status_code=201, response_model=ImportUploads, responses=problem_responses(TenantNotEmpty, Unprocessable)
)
async def create_import(principal: TenantOwner, body: ImportCreate) -> ImportUploads:
    """Begin to import an archive into the caller's tenant, which has no projects yet."""
    created = model.Import(
        id=new_id("imp"),
        tenant_id=principal.tenant_id,
        asked_at=now(),
        asked_by=principal.actor_id,
        state=ImportState.WAITING,
        parts=[part.to_part() for part in body.manifest.parts],
        expires_at=int(time.time()) + LIFETIME_SECONDS,
    )
    await _imports(principal).create(created)
    return await _with_uploads(created)


@router.get("/{import_id}", response_model=ImportUploads, responses=problem_responses(ImportNotFound, Unprocessable))
async def get_import(principal: TenantOwner, import_id: ImportId) -> ImportUploads:
    """Show how far an import is, and until it is started where its files are to be sent."""
    return await _with_uploads(await _imports(principal).get(import_id))


@router.post(
    "/{import_id}/start",
    status_code=202,
    response_model=Import,
    responses=problem_responses(ImportNotFound, ImportUnderWay, Unprocessable),
)
async def start_import(principal: TenantOwner, import_id: ImportId) -> Import:
    """Carry an import out whose files are uploaded; one that failed begins again."""
    imports = _imports(principal)
    await imports.start(await imports.get(import_id), correlation_id())
    return Import.of(await imports.get(import_id))


async def _with_uploads(found: model.Import) -> ImportUploads:
    prefix = keys.import_prefix(found.tenant_id, found.id)
    expected = found.parts if found.state in {ImportState.WAITING, ImportState.FAILED} else []
    uploads = [await _upload(prefix, part.name) for part in expected]
    return ImportUploads(**Import.of(found).model_dump(), uploads=uploads)


async def _upload(prefix: str, name: str) -> Upload:
    url, headers = await wiring.blobs().upload_address(prefix + name, _ADDRESS_SECONDS, TRANSIENT)
    return Upload(name=name, url=url, headers=headers)


def _imports(principal: Principal) -> ImportRepository:
    return ImportRepository(wiring.table(), principal.tenant_id)
