"""The HTTP API's request authorizer (payload 2.0, simple responses): from an API key to who is calling.

Every cold start of the API waits for this function, so it imports boto3 and nothing heavier: no settings class, no
web framework. The client is opened at import, while Lambda still gives the whole processor.
"""

import os
from typing import Any

import boto3
from botocore.config import Config

from almanac.access import Caller, Principal, read
from almanac.aws import keys
from identity.tokens import api_keys

_TABLE = os.environ["ALMANAC_TABLE"]
_dynamodb = boto3.client(
    "dynamodb", config=Config(connect_timeout=1, read_timeout=1, retries={"mode": "standard", "max_attempts": 2})
)

_REFUSED: dict[str, Any] = {"isAuthorized": False}


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:  # noqa: ARG001 - Lambda passes two arguments
    """Allow a caller with a known key. An unreachable store is an error, which API Gateway answers with a 500."""
    claim = api_keys.parse(_bearer(event.get("headers") or {}))
    if claim is None:
        return _REFUSED
    # Consistent, so that a key works as soon as it was created and not after it was revoked.
    key = keys.api_key(claim.tenant_id, claim.sha256)
    answer = _dynamodb.get_item(TableName=_TABLE, Key={"pk": {"S": key.pk}, "sk": {"S": key.sk}}, ConsistentRead=True)
    if "Item" not in answer:
        return _REFUSED
    item = answer["Item"]
    key_id = item["id"]["S"]
    principal = Principal(claim.tenant_id, key_id, read(item["scopes"]["S"]), key_id=key_id)
    return {"isAuthorized": True, "context": Caller(principal=principal).to_context()}


def _bearer(headers: dict[str, str]) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
