"""Entry of the WebSocket API: connections open, speak and close."""

import json
from typing import Any

from almanac import runtime, tenancy
from almanac.observability import bind_correlation_id, emit, log, log_failure
from realtime import tickets, wiring
from realtime.connections import ConnectionStore, tenant_of
from realtime.errors import TicketRefused

_MOST_BYTES = 4096
"""Of a caller's frame: what it may say is short."""


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one route of the WebSocket API."""
    bind_correlation_id(getattr(context, "aws_request_id", None))
    return runtime.run(_route(event))


async def _route(event: dict[str, Any]) -> dict[str, Any]:
    given = event["requestContext"]
    connection_id, kind = given["connectionId"], given["eventType"]
    # A task of its own would bind it for itself; this is the loop's one run.
    with tenancy.working_for(None):
        try:
            match kind:
                case "CONNECT":
                    return await _connect(connection_id, event.get("queryStringParameters") or {})
                case "DISCONNECT":
                    await _disconnect(connection_id)
                case _:
                    await _speak(connection_id, event.get("body") or "")
        except Exception as error:  # noqa: BLE001 - the caller is told nothing of it, the log everything
            log_failure("socket request failed", error, kind=kind)
            return {"statusCode": 500}
    return {"statusCode": 200}


async def _connect(connection_id: str, query: dict[str, str]) -> dict[str, Any]:
    claim = tickets.parse(query.get("ticket", ""))
    try:
        if claim is None:
            raise TicketRefused
        with tenancy.working_for(claim.tenant_id):
            store = ConnectionStore(wiring.table(), claim.tenant_id)
            connection = await store.open(claim, connection_id)
            # Looked at when the row stands: whoever loses its access later is found by it.
            if await wiring.standings().principal(claim.tenant_id, connection) is None:
                await store.remove(connection_id)
                raise TicketRefused
    except TicketRefused as refused:
        log("info", "connection refused")
        emit({"ConnectionsRefused": (1, "Count")}, worker="realtime")
        return {"statusCode": 401, "body": json.dumps({"code": refused.code, "detail": refused.detail})}
    emit({"ConnectionsOpened": (1, "Count")}, worker="realtime")
    return {"statusCode": 200}


async def _disconnect(connection_id: str) -> None:
    tenant_id = await tenant_of(wiring.table(), connection_id)
    if tenant_id is None:
        return
    with tenancy.working_for(tenant_id):
        await ConnectionStore(wiring.table(), tenant_id).remove(connection_id)


async def _speak(connection_id: str, body: str) -> None:
    tenant_id = await tenant_of(wiring.table(), connection_id)
    if tenant_id is None:
        await wiring.gateway().close(connection_id)
        return
    with tenancy.working_for(tenant_id):
        try:
            await wiring.talk(tenant_id).answer(connection_id, body if len(body.encode()) <= _MOST_BYTES else "")
        except Exception:
            # Its caller would wait for an answer that does not come: it comes again, and resumes.
            await wiring.gateway().close(connection_id)
            raise
