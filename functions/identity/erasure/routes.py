"""Erasing a tenant over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from almanac.clock import now
from almanac.errors import Unavailable, Unprocessable
from almanac.ids import id_pattern, new_id
from almanac.observability import correlation_id
from almanac.web.auth import SignedIn
from almanac.web.pagination import Limit
from almanac.web.problems import problem_responses
from identity import wiring
from identity.dependencies import TenantOwner
from identity.erasure import model
from identity.erasure.errors import BeingErased, ErasureNotFound, NotConfirmed, OwnsTenants
from identity.erasure.model import ErasureKind, ErasureState
from identity.erasure.person import erase_person
from identity.erasure.repository import ErasureRepository
from identity.erasure.schemas import Erasure, ErasureCreate, ErasureList, PersonErasureCreate
from identity.people.me_routes import account_of
from identity.tenants.errors import TenantNotFound

router = APIRouter(tags=["erasure"])


@router.post(
    "/erasures",
    status_code=202,
    response_model=Erasure,
    responses=problem_responses(TenantNotFound, BeingErased, NotConfirmed, Unprocessable),
)
async def create_erasure(principal: TenantOwner, body: ErasureCreate) -> Erasure:
    """Erase the tenant that the caller works in, and everything of it. Nobody can undo it."""
    asked = now()
    erasure = model.Erasure(
        id=new_id("ers"),
        kind=ErasureKind.TENANT,
        subject_id=principal.tenant_id,
        person_id=principal.actor_id,
        asked_at=asked,
        state=ErasureState.CLOSING,
        due_at=asked,
    )
    await ErasureRepository(wiring.table()).begin_tenant(erasure, body.confirm, correlation_id())
    return Erasure.of(erasure, wiring.log_retention_days())


@router.post(
    "/users/me/erasure",
    status_code=202,
    response_model=Erasure,
    responses=problem_responses(OwnsTenants, NotConfirmed, Unprocessable, Unavailable),
)
async def erase_me(request: Request, person: SignedIn, body: PersonErasureCreate) -> Erasure:
    """Erase the person who calls. What it wrote for tenants stays theirs. Nobody can undo it."""
    account = account_of(request, person)
    erasure = await erase_person(wiring.table(), account, person, body.confirm)
    return Erasure.of(erasure, wiring.log_retention_days())


@router.get("/erasures", response_model=ErasureList, responses=problem_responses(Unprocessable))
async def list_erasures(person: SignedIn, limit: Limit = 50) -> ErasureList:
    """List the newest erasures that the caller asked for."""
    found = await ErasureRepository(wiring.table()).newest(person.id, limit)
    return ErasureList(items=[Erasure.of(erasure, wiring.log_retention_days()) for erasure in found])


@router.get(
    "/erasures/{erasure_id}", response_model=Erasure, responses=problem_responses(ErasureNotFound, Unprocessable)
)
async def get_erasure(person: SignedIn, erasure_id: Annotated[str, Path(pattern=id_pattern("ers"))]) -> Erasure:
    """Show how far an erasure is, and the receipt of what it removed. The receipt is kept for 400 days."""
    found = await ErasureRepository(wiring.table()).get(erasure_id, person.id)
    return Erasure.of(found, wiring.log_retention_days())
