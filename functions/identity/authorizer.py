"""The HTTP API's request authorizer (payload 2.0, simple responses): from a bearer token to who is calling.

API keys begin with `alm_` and are read from the table at every call; anything else is a JSON Web Token of a configured
issuer, whose outcome is kept for `REMEMBERED_SECONDS` under the token and the tenant that the call names, which is all
that the decision used besides the table. API Gateway itself keeps nothing (docs/decisions/no-cache-at-the-gateway.md).

Every cold start of the API waits for this function, so it imports botocore and what checks signatures and nothing
heavier: no settings class, no web framework. The client is opened at import, while Lambda gives the whole processor.
"""

import json
import os
import time
from collections import OrderedDict
from hashlib import sha256
from typing import Any

import botocore.session
from botocore.config import Config

from almanac.access import TENANT_HEADER, Caller
from identity import issuers
from identity.tokens import api_keys
from identity.tokens.callers import Callers
from identity.tokens.claims import SKEW_SECONDS
from identity.tokens.errors import TokenRefused
from identity.tokens.web_tokens import WebTokens

REMEMBERED_SECONDS = 20
_MOST_REMEMBERED = 2000

_dynamodb = botocore.session.get_session().create_client(
    "dynamodb", config=Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "max_attempts": 2})
)
_callers = Callers(os.environ["ALMANAC_TABLE"], _dynamodb)
_web_tokens = WebTokens(
    issuers.parse(
        [os.environ.get("ALMANAC_ISSUERS", ""), os.environ.get("ALMANAC_EXTRA_ISSUERS", "")],
        local=os.environ.get("ALMANAC_STAGE") == "local",
    )
)
# Until when, and what was decided.
_remembered: OrderedDict[tuple[str, str | None], tuple[float, Caller]] = OrderedDict()

_REFUSED: dict[str, Any] = {"isAuthorized": False}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes two arguments
    """Allow a known caller. Where there can be no verdict, this is an error, which API Gateway answers with a 500."""
    headers = event.get("headers") or {}
    try:
        caller = _admit(_bearer(headers), headers.get(TENANT_HEADER), time.time())
    except TokenRefused as refused:
        _log("refused", event, reason=refused.reason)
        return _REFUSED
    _log("admitted", event)
    return {"isAuthorized": True, "context": caller.to_context()}


def _admit(token: str, tenant: str | None, now: float) -> Caller:
    if token.startswith(api_keys.PREFIX):
        return _callers.of_key(token, tenant, now)
    remembered = (sha256(token.encode()).hexdigest(), tenant)
    until, caller = _remembered.get(remembered, (0.0, None))
    if caller is not None and now < until:
        return caller
    identity = _web_tokens.verify(token, now)
    caller = _callers.of_person(identity, tenant)
    # Whoever has no tenant yet may have one at the next call.
    if caller.principal is not None:
        _remembered[remembered] = (min(now + REMEMBERED_SECONDS, identity.expires_at + SKEW_SECONDS), caller)
        while len(_remembered) > _MOST_REMEMBERED:
            _remembered.popitem(last=False)
    return caller


def _bearer(headers: dict[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip(" ") if scheme.lower() == "bearer" else ""


def _log(message: str, event: dict[str, Any], **more: str) -> None:
    """Say what became of which call, in one line; nothing of the token, nor of whose it is."""
    request_id = event.get("requestContext", {}).get("requestId", "")
    line = {"level": "INFO", "service": "authorizer", "message": message, "request_id": request_id, **more}
    print(json.dumps(line), flush=True)
