"""The audit log over HTTP."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from almanac import moments
from almanac.access import Permission, Principal
from almanac.audit.chain import Line
from almanac.audit.log import AuditLog
from almanac.audit.trail import Result
from almanac.errors import Unprocessable
from almanac.web.app import API_PREFIX
from almanac.web.auth import needs
from almanac.web.pagination import Cursor, InvalidCursor, Limit
from almanac.web.parameters import Moment
from almanac.web.problems import problem_responses
from identity import wiring
from identity.audit import service
from identity.audit.errors import LogDamaged
from identity.audit.schemas import AuditEntry, AuditEntryList, ChainCheck

router = APIRouter(prefix="/audit", tags=["audit"])

_MOST_OPEN = 1000
_NDJSON = "application/x-ndjson"


Auditor = Annotated[Principal, needs(Permission.AUDIT_READ)]
After = Annotated[int, Query(ge=0, lt=10**12, description="The entry to begin after; 0 is before the first.")]
Many = Annotated[int, Query(ge=1, le=1000, description="How many entries to read.")]
Text = Annotated[str | None, Query(min_length=1, max_length=100)]


@router.get("", response_model=AuditEntryList, responses=problem_responses(InvalidCursor, LogDamaged, Unprocessable))
async def list_audit(
    principal: Auditor,
    actor: Annotated[Text, Query(description="Who: the id of a person, service account or key.")] = None,
    action: Annotated[Text, Query(description="Which operation, as the OpenAPI document names it.")] = None,
    resource: Annotated[Text, Query(description="An id that the entry names.")] = None,
    result: Result | None = None,
    since: Moment = None,
    until: Moment = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AuditEntryList:
    """List what was done in the tenant, the newest first. A call shows within seconds of its end."""
    cursors = await wiring.cursor_secrets().cursors(principal.tenant_id)
    listing = json.dumps(["audit", actor, action, resource, result, since, until])
    before = cursors.decode(listing, cursor)["before"] if cursor else None
    wanted = service.Wanted(actor, action, resource, result, _moment(since), _moment(until))
    found = await service.find(_log(principal), wanted, limit, before)
    next_cursor = cursors.encode(listing, {"before": found.before}) if found.before else None
    return AuditEntryList(items=[AuditEntry.of(line) for line in found.lines], next_cursor=next_cursor)


@router.get("/verify", response_model=ChainCheck, responses=problem_responses(Unprocessable))
async def verify_audit(principal: Auditor, after: After = 0, limit: Many = 500) -> ChainCheck:
    """Compute the log's hash chain again and say up to where it is whole, or where it is first broken and how."""
    log = _log(principal)
    found = await service.verify(log, principal.tenant_id, after, limit)
    opened = await log.open(_MOST_OPEN)
    return ChainCheck.of(found.checked, after, found.head, goes_on=found.goes_on, opened=opened)


@router.get(
    "/export",
    response_model=None,
    response_class=Response,
    responses={
        200: {
            "description": "One entry on each line, oldest first, with all that its hash was made of",
            "content": {_NDJSON: {"schema": {"type": "string"}}},
            "headers": {
                "link": {
                    "description": 'The next part (`rel="next"`); without it this is the end.',
                    "schema": {"type": "string"},
                }
            },
        },
        **problem_responses(Unprocessable),
    },
)
async def export_audit(principal: Auditor, after: After = 0, limit: Many = 500) -> Response:
    """Return entries as lines of JSON, for keeping elsewhere and for checking the chain offline."""
    log = _log(principal)
    lines = await log.with_sources(await log.after(after, limit))
    text = await asyncio.to_thread(_written, lines)
    more = len(lines) == limit
    link = f'<{API_PREFIX}/audit/export?after={lines[-1]["seq"]}&limit={limit}>; rel="next"' if more else ""
    return Response(text, media_type=_NDJSON, headers={"link": link} if link else {})


def _written(lines: list[Line]) -> str:
    return "".join(json.dumps(line, sort_keys=True, separators=(",", ":"), default=str) + "\n" for line in lines)


def _log(principal: Principal) -> AuditLog:
    return AuditLog(wiring.table(), principal.tenant_id)


def _moment(text: str | None) -> datetime | None:
    return moments.parse(text, datetime.now(UTC)) if text else None
