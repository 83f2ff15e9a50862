"""The audit log's place on the HTTP road: an entry before the route runs, its result when the answer has left.

Nothing of a body is ever kept: of an answer only the id of what it made, or the code of its problem.
"""

import asyncio
import json
import re
from collections.abc import Mapping, MutableMapping
from functools import cache
from typing import Any

from fastapi import Request
from starlette.types import Message

from almanac import runtime, tenancy
from almanac.access import Principal
from almanac.audit import operations, trail
from almanac.audit.trail import Call, Opened, Outcome
from almanac.aws.table import Table
from almanac.errors import Unavailable
from almanac.observability import log_failure
from almanac.settings import TableSettings

_OPENED = "audit_opened"
_FACTS = "audit_facts"
_PATIENCE_SECONDS = 5.0
_LONGEST_ANSWER = 64 * 1024
# Ids as we make them; a token of ours has more underscores, so that none is ever taken for one.
_ID = re.compile(r"[a-z]{3}_[0-9a-z]{26}|[A-Za-z0-9][A-Za-z0-9.-]{0,99}")
_NOT_AN_ID = "?"
_MAY_NAME_SOMETHING_NEW = frozenset({201, 202})


class AuditUnavailable(Unavailable):
    """The call could not be written to the audit log, so it was not carried out."""

    code = "audit_unavailable"


async def admit(request: Request, principal: Principal) -> None:
    """Write the entry of a call that leaves one, unless it has one; raises `AuditUnavailable`."""
    begun = _OPENED in request.scope.get("state", {})
    if not begun and operations.is_recorded(_operation(request), request.method):
        await begin(request, principal)


def note(request: Request, **facts: str) -> None:
    """Add to the call's entry what its ids do not tell: an id from the body, a role, permissions. Never free text."""
    request.scope.setdefault("state", {}).setdefault(_FACTS, {}).update(facts)


async def begin(request: Request, principal: Principal, **resource: str) -> None:
    """Write the entry of a call ahead of it; for routes that learn only from the body whether they change anything.

    `resource` names what the address does not.
    """
    call = call_of(request, principal.tenant_id, trail.actor_of(principal), **resource)
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            opened = await trail.begin(_table(), call)
    except Exception as error:  # noqa: BLE001 - whatever the cause, nothing happens that is not recorded
        log_failure("audit entry could not be written", error, action=call.action)
        raise AuditUnavailable("Nothing was done, since it could not be recorded. Try again in a moment.") from None
    request.scope.setdefault("state", {})[_OPENED] = opened


def call_of(request: Request, tenant_id: str, actor: Mapping[str, str], **resource: str) -> Call:
    """Return what the log says of a request before its end is known."""
    http = request.scope.get("aws.event", {}).get("requestContext", {}).get("http", {})
    agent = http.get("userAgent") or request.headers.get("user-agent")
    given = {"ip": http.get("sourceIp"), "user_agent": agent}
    named = {**request.path_params, **resource}
    ids = {name: value if _ID.fullmatch(value) else _NOT_AN_ID for name, value in named.items()}
    source = {name: value for name, value in given.items() if value}
    return Call(tenant_id, actor, _operation(request), request.method, ids, source)


class Ending:
    """Watches the answer to one request, and gives the request's entry its result."""

    def __init__(self, state: MutableMapping[str, Any]) -> None:
        self._state = state
        self._status = 500
        self._body = bytearray()

    def see(self, message: Message) -> None:
        """Take note of a part of the answer on its way out."""
        if _OPENED not in self._state:
            return
        if message["type"] == "http.response.start":
            self._status = message["status"]
        elif self._tells and len(self._body) <= _LONGEST_ANSWER:
            self._body += message.get("body", b"")

    async def record(self) -> None:
        """Finish the entry, if there is one. What fails here leaves it open, to be sealed as `unknown`."""
        opened: Opened | None = self._state.get(_OPENED)
        if opened is None:
            return
        try:
            with tenancy.working_for(opened.tenant_id):
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    await trail.finish(_table(), opened, self._outcome())
        except Exception as error:  # noqa: BLE001 - the call has happened, and its entry says that it began
            log_failure("audit entry stays without its result", error, entry=opened.id)

    @property
    def _tells(self) -> bool:
        return self._status >= 400 or self._status in _MAY_NAME_SOMETHING_NEW

    def _outcome(self) -> Outcome:
        try:
            body = json.loads(self._body) if 0 < len(self._body) <= _LONGEST_ANSWER else {}
        except ValueError:
            body = {}
        told = body if isinstance(body, dict) else {}
        facts = self._state.get(_FACTS, {})
        if self._status >= 400:
            return Outcome(self._status, code=_id(told.get("code"), underscores=True), facts=facts)
        return Outcome(self._status, created=_id(told.get("id")), facts=facts)


def _id(value: Any, *, underscores: bool = False) -> str | None:
    text = value if isinstance(value, str) else ""
    return value if _ID.fullmatch(text.replace("_", "-") if underscores else text) else None


def _operation(request: Request) -> str:
    return str(getattr(request.scope.get("route"), "name", "unmatched"))


@cache
def _table() -> Table:
    return Table(TableSettings.load().table, runtime.clients())
