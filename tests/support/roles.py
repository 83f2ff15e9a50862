"""The roles of template.yaml, held against every call that a handler makes: what AWS would refuse is refused here.

moto carries out whatever it is asked. Under `enforced`, a call made inside a function's handler is looked up in the
policies of that function first. A call that this file does not know is refused too, so that no new one is forgotten.
"""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import Any
from unittest import mock

from aiobotocore.client import AioBaseClient
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from infra.template import load, resources

_WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_OBJECT_READS = {"GetObject", "HeadObject"}
_OBJECT_WRITES = {"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}

_running: ContextVar[str | None] = ContextVar("running", default=None)


@dataclass(frozen=True)
class Need:
    """One permission: an action on a resource, named by logical id. `prefix` is what a listing asks for."""

    action: str
    resource: str
    prefix: str | None = None


def allows(function: str, need: Need) -> bool:
    """Tell whether the function's role grants the permission."""
    return any(_grants(statement, need) for statement in _statements(function))


def needs(service: str, operation: str, parameters: Mapping[str, Any]) -> list[Need]:
    """Return what AWS asks of the caller's role for a call."""
    match service:
        case "dynamodb":
            return [Need(f"dynamodb:{action}", resource) for action, resource in _table(operation, parameters)]
        case "s3":
            return list(_bucket(operation, parameters))
        case "sqs":
            action = operation.removesuffix("Batch")
            return [Need(f"sqs:{action}", parameters["QueueUrl"].rsplit("/", 1)[-1])]
        case "kms":
            return [Need(f"kms:{operation}", "TokenKey")]
    return [Need(f"{service}:{operation}", "unknown")]


@contextmanager
def enforced() -> Iterator[list[str]]:
    """Hold every handler of the template to its role until the block ends; yields what was refused."""
    refused: list[str] = []
    original, original_async = BaseClient._make_api_call, AioBaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, parameters: Any) -> Any:
        _authorise(client, operation, parameters, refused)
        return original(client, operation, parameters)

    async def call_async(client: Any, operation: str, parameters: Any) -> Any:
        _authorise(client, operation, parameters, refused)
        try:
            return await original_async(client, operation, parameters)
        except ClientError as error:
            _hide_absence(client, operation, error, refused)
            raise

    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(BaseClient, "_make_api_call", call))
        patches.enter_context(mock.patch.object(AioBaseClient, "_make_api_call", call_async))
        # Read here: a first look within a call would hold the event loop.
        for function, properties in _functions().items():
            module = importlib.import_module(properties["Handler"].rpartition(".")[0])
            patches.enter_context(mock.patch.object(module, "handler", partial(_invoke, function, module.handler)))
        yield refused


def _invoke(function: str, handler: Any, event: Any, context: Any) -> Any:
    token = _running.set(function)
    try:
        return handler(event, context)
    finally:
        _running.reset(token)


def _authorise(client: Any, operation: str, parameters: Any, refused: list[str]) -> None:
    function = _running.get()
    if function is None:
        return
    for need in needs(client.meta.service_model.service_name, operation, parameters):
        if not allows(function, need):
            refused.append(f"{function} may not {need.action} on {need.resource}")
            raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": refused[-1]}}, operation)


def _hide_absence(client: Any, operation: str, error: ClientError, refused: list[str]) -> None:
    """S3 tells an object's absence only to who may list the bucket; a listing's prefix is no part of that question."""
    function = _running.get()
    absent = operation in _OBJECT_READS and error.response["Error"]["Code"] in {"NoSuchKey", "404"}
    if function and absent and not allows(function, Need("s3:ListBucket", "Bucket")):
        refused.append(f"{function} may not learn that an object is absent: it lacks s3:ListBucket")
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": refused[-1]}}, operation) from None


def _table(operation: str, parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if operation == "TransactWriteItems":
        for write in parameters["TransactItems"]:
            yield from ((_WRITES[kind], "Table") for kind in write)
    elif index := parameters.get("IndexName"):
        yield operation, f"Table/index/{index}"
    else:
        yield operation, "Table"


def _bucket(operation: str, parameters: Mapping[str, Any]) -> Iterator[Need]:
    item = f"Bucket/{parameters.get('Key', '')}"
    if operation == "ListObjectsV2":
        yield Need("s3:ListBucket", "Bucket", parameters.get("Prefix", ""))
    elif operation == "ListObjectVersions":
        yield Need("s3:ListBucketVersions", "Bucket", parameters.get("Prefix", ""))
    elif operation == "GetBucketVersioning":
        yield Need("s3:GetBucketVersioning", "Bucket")
    elif operation == "DeleteObjects":
        for each in parameters["Delete"]["Objects"]:
            yield Need(f"s3:DeleteObject{'Version' if 'VersionId' in each else ''}", f"Bucket/{each['Key']}")
    elif operation in _OBJECT_READS:
        yield Need(f"s3:GetObject{'Version' if 'VersionId' in parameters else ''}", item)
    elif operation in _OBJECT_WRITES:
        yield Need("s3:PutObject", item)
        if "Tagging" in parameters:
            yield Need("s3:PutObjectTagging", item)
    else:
        yield Need(f"s3:{operation}", item)


@cache
def _functions() -> dict[str, Any]:
    return resources(load(), "AWS::Serverless::Function")


def _statements(function: str) -> list[dict[str, Any]]:
    statements = [statement for policy in _functions()[function]["Policies"] for statement in policy["Statement"]]
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in statements]


def _grants(statement: Mapping[str, Any], need: Need) -> bool:
    given = statement["Resource"]
    patterns = [_name(resource) for resource in (given if isinstance(given, list) else [given])]
    prefixes = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix")
    return (
        need.action in statement["Action"]
        and _matches(need.resource, patterns)
        and (prefixes is None or (need.prefix is not None and _matches(need.prefix, prefixes)))
    )


def _matches(value: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(value, pattern) for pattern in patterns)


def _name(resource: Any) -> str:
    """Return a resource by its logical id: `!GetAtt Table.Arn` is `Table`, `${Bucket.Arn}/x/*` is `Bucket/x/*`."""
    if isinstance(resource, str):
        return resource
    if "Fn::GetAtt" in resource:
        return str(resource["Fn::GetAtt"][0])
    return str(resource["Fn::Sub"]).replace("${", "").replace(".Arn}", "")
