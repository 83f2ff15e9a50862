"""Findings over HTTP."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from almanac.access import Principal
from almanac.errors import Unprocessable
from almanac.findings.model import State
from almanac.web.app import API_PREFIX
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.problems import problem_responses
from search import wiring
from search.dependencies import SecretsManager
from search.findings.errors import FindingChanged, FindingNotFound, PurgeNotFound, ReasonMissing
from search.findings.schemas import Finding, FindingList, FindingUpdate, Purge, StateName
from search.findings.service import FindingService

router = APIRouter(prefix="/secret-findings", tags=["secrets in content"])

OfState = Annotated[StateName | None, Query(description="Only findings in this state.")]
OfKind = Annotated[
    str | None, Query(max_length=64, pattern="^[a-z_]+$", description="Only findings of this kind, as `github_token`.")
]


@router.get("", response_model=FindingList, responses=problem_responses(InvalidCursor, Unprocessable))
async def list_secret_findings(
    principal: SecretsManager, state: OfState = None, kind: OfKind = None, limit: Limit = 50, cursor: Cursor = None
) -> FindingList:
    """List the secrets that stand in repositories and messages, the newest first."""
    cursors = await wiring.cursor_secrets().cursors(principal.tenant_id)
    query = f"secret-findings?state={state or ''}&kind={kind or ''}"
    after = cursors.decode(query, cursor) if cursor is not None else None
    page = await _service(principal).list(limit, after, State(state) if state else None, kind)
    return FindingList(
        items=[Finding.of(finding) for finding in page.findings],
        next_cursor=cursors.encode(query, page.next) if page.next else None,
    )


@router.get("/{finding_id}", response_model=Finding, responses=problem_responses(FindingNotFound))
async def get_secret_finding(principal: SecretsManager, finding_id: str) -> Finding:
    """Show a finding."""
    return Finding.of(await _service(principal).get(finding_id))


@router.patch(
    "/{finding_id}",
    response_model=Finding,
    responses=problem_responses(FindingNotFound, FindingChanged, ReasonMissing, Unprocessable),
)
async def update_secret_finding(principal: SecretsManager, finding_id: str, body: FindingUpdate) -> Finding:
    """Dismiss a finding that is no secret, or take it up again."""
    return Finding.of(await _service(principal).judge(finding_id, body.version, body.state, body.reason))


@router.post("/{finding_id}/purge", status_code=202, response_model=Purge, responses=problem_responses(FindingNotFound))
async def purge_secret(principal: SecretsManager, finding_id: str, response: Response) -> Purge:
    """Remove a secret from every copy that Almanac can change; the receipt says which those were."""
    receipt = await _service(principal).purge(finding_id)
    response.headers["location"] = f"{API_PREFIX}/secret-findings/{finding_id}/purge"
    return Purge.model_validate(receipt.model_dump())


@router.get("/{finding_id}/purge", response_model=Purge, responses=problem_responses(FindingNotFound, PurgeNotFound))
async def get_secret_purge(principal: SecretsManager, finding_id: str) -> Purge:
    """Show the receipt of a purge: what was removed, what remains, and when the last backup is gone."""
    return Purge.model_validate((await _service(principal).receipt(finding_id)).model_dump())


def _service(principal: Principal) -> FindingService:
    return FindingService(wiring.table(), wiring.findings(principal.tenant_id), principal)
