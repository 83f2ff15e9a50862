"""The roles of template.yaml, held against every call that a handler makes: what AWS would refuse is refused here.

moto carries out whatever it is asked. Under `enforced`, a call made inside a function's handler is first judged by the
policies behind the credentials that sign it: those of the function, or those of its data role in a session tagged with
a tenant. Each call is judged three times: it must be allowed as it is, and refused to another tenant's session and to
none. So the matrix of calls and tenants is whatever the tests make the code do, and no new call is forgotten.
"""

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import cache, partial
from typing import Any
from unittest import mock

from aiobotocore.client import AioBaseClient
from aiobotocore.signers import AioS3PostPresigner
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from infra.template import Template, load, resources
from tests.support.policies import Request, Statement, allows, name_of

TAG = "aws:PrincipalTag/tenant"
KEYS = "dynamodb:LeadingKeys"
OWN = "ten_own"
# The second would pass where a tenant's name is not closed by a delimiter.
STRANGERS = ("ten_other", "ten_ow")

_WRITES = {"Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_OBJECT_READS = {"GetObject", "HeadObject"}
_OBJECT_WRITES = {"PutObject", "CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}
_ID = re.compile(r"([a-z]{3})_[0-9a-hjkmnp-tv-z]{26}")
_NAMED = re.compile(r"(?<![:\w])(?!contains|OR|AND)[a-z]\w*")
_DIGITS = re.compile(r"[0-9a-f]{32,}|[0-9a-hjkmnp-tv-z]{26}|\d{3,}")

_running: ContextVar[str | None] = ContextVar("running", default=None)
# The tenant that a session was made out to, by the access key that it signs with.
_tenants: dict[str, str] = {}


class Roles:
    """What a template grants each of its functions, by itself and for a tenant."""

    def __init__(self, template: Template) -> None:
        self._functions = resources(template, "AWS::Serverless::Function")
        self._roles = resources(template, "AWS::IAM::Role")
        self._judged: dict[tuple[str, Request, str | None], list[str]] = {}

    def data_role(self, function: str) -> str | None:
        """Return the logical id of the function's data role."""
        variables = self._functions[function].get("Environment", {}).get("Variables", {})
        arn = variables.get("ALMANAC_DATA_ROLE_ARN")
        return str(arn["Fn::GetAtt"][0]) if arn else None

    def own(self, function: str) -> list[Statement]:
        """Return the statements of the function's own role."""
        return _statements(policy for policy in self._functions[function].get("Policies", []))

    def data(self, function: str) -> list[Statement]:
        """Return the statements of its data role."""
        role = self.data_role(function)
        return _statements(policy["PolicyDocument"] for policy in self._roles[role]["Policies"]) if role else []

    def may(self, function: str, request: Request, tenant: str | None = None) -> bool:
        """Tell whether a function may, in a session of its data role for `tenant`, or else by itself."""
        if tenant is None:
            return allows(self.own(function), request)
        tagged = replace(request, context={**request.context, TAG: (tenant,)})
        return allows(self.data(function), tagged)

    def may_assume(self, function: str, tags: Mapping[str, str]) -> bool:
        """Tell whether a function gets a session of its data role with these tags."""
        role = self.data_role(function)
        trust = self._roles[role]["AssumeRolePolicyDocument"]["Statement"] if role else []
        context = {f"aws:RequestTag/{name}": (value,) for name, value in tags.items()} | {"aws:TagKeys": tuple(tags)}
        trusting = [each for each in trust if f"{function}Role" in _principals(each)]
        return all(allows(trusting, Request(action, "", context)) for action in ("sts:AssumeRole", "sts:TagSession"))

    def faults(self, function: str, request: Request, tenant: str | None) -> list[str]:
        """Return what is wrong with a call that credentials of `tenant` sign, or the function's own."""
        request = _without_chance(request, tenant)
        tenant = OWN if tenant is not None and self.data_role(function) else None
        judged = (function, request, tenant)
        if judged not in self._judged:
            self._judged[judged] = list(self._judge(function, request, tenant))
        return self._judged[judged]

    def judged(self) -> list[tuple[str, Request, str | None]]:
        """Return every kind of call that was judged: the function, what it asked, and for which tenant."""
        return list(self._judged)

    def _judge(self, function: str, request: Request, tenant: str | None) -> Iterator[str]:
        what = told(request)
        if not self.may(function, request, tenant):
            yield f"{function} may not {what}{' for its tenant' if tenant else ''}"
        if tenant is None or not _concerns(request, tenant):
            return
        for stranger in STRANGERS:
            if self.may(function, request, stranger):
                yield f"{function} may {what} for another tenant"
        if self.may(function, request) or allows(self.data(function), request):
            yield f"{function} may {what} for no tenant"


def requests(service: str, operation: str, parameters: Mapping[str, Any]) -> list[Request]:
    """Return what AWS asks of the caller's role for a call."""
    match service:
        case "dynamodb":
            return _table(operation, parameters)
        case "s3":
            return list(_bucket(operation, parameters))
        case "sqs":
            action = operation.removesuffix("Batch")
            return [Request(f"sqs:{action}", parameters["QueueUrl"].rsplit("/", 1)[-1].removesuffix(".fifo"))]
        case "kms":
            context = parameters.get("EncryptionContext", {})
            bound = {f"kms:EncryptionContext:{name}": (value,) for name, value in context.items()}
            return [Request(f"kms:{operation}", "TokenKey", bound)]
        case "sesv2":
            # The stack's one sender is a parameter: whatever address a test sends from stands for it.
            identity = "arn:AWS::Partition:ses:AWS::Region:AWS::AccountId:identity/sender"
            return [Request(f"ses:{operation}", identity, {"ses:FromAddress": (str({"Ref": "MailFrom"}),)})]
        case "apigatewaymanagementapi":
            method = {"PostToConnection": "POST", "DeleteConnection": "DELETE"}[operation]
            api = "arn:AWS::Partition:execute-api:AWS::Region:AWS::AccountId:RealtimeApi"
            return [Request("execute-api:ManageConnections", f"{api}/live/{method}/@connections/1")]
        case "cognito-idp":
            # What an app client does takes no role; it is the calls that name the pool which are signed.
            return [Request(f"cognito-idp:{operation}", "UserPool")] if "UserPoolId" in parameters else []
    return [Request(f"{service}:{operation}", "unknown")]


@cache
def roles() -> Roles:
    """Return the roles of template.yaml."""
    return Roles(load())


@contextmanager
def enforced() -> Iterator[list[str]]:
    """Hold every handler of the template to its roles until the block ends; yields what was refused."""
    refused: list[str] = []
    original, original_async = BaseClient._make_api_call, AioBaseClient._make_api_call  # type: ignore[attr-defined]

    def call(client: Any, operation: str, parameters: Any) -> Any:
        _authorise(client, operation, parameters, None, refused)
        return original(client, operation, parameters)

    async def call_async(client: Any, operation: str, parameters: Any) -> Any:
        tenant = await _signed_for(client)
        _authorise(client, operation, parameters, tenant, refused)
        try:
            answer = await original_async(client, operation, parameters)
        except ClientError as error:
            _hide_absence(operation, parameters, error, tenant)
            raise
        if operation == "AssumeRole":
            _tenants[answer["Credentials"]["AccessKeyId"]] = _tags(parameters)["tenant"]
        return answer

    async def address(client: Any, api_params: Any, operation_model: Any, context: Any) -> Any:
        # A form's address is made as if for the making of a bucket: `form` judges it.
        if context.get("is_presign_request") and operation_model.name != "CreateBucket":
            # Whoever holds a signed address acts under the session that signed it.
            _authorise(client, operation_model.name, api_params, await _signed_for(client), refused)
        return await original_parameters(client, api_params, operation_model, context)

    async def form(presigner: Any, *, fields: Any, **more: Any) -> Any:
        # Whoever holds a signed form puts an object under the session that signed it.
        tenant = await _signer_for(presigner._request_signer)
        _judge_call("s3", "PutObject", {"Key": fields["key"]}, tenant, refused)
        return await original_form(presigner, fields=fields, **more)

    original_form = AioS3PostPresigner.generate_presigned_post
    original_parameters = AioBaseClient._emit_api_params  # type: ignore[attr-defined]
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(AioBaseClient, "_emit_api_params", address))
        patches.enter_context(mock.patch.object(AioS3PostPresigner, "generate_presigned_post", form))
        patches.enter_context(mock.patch.object(BaseClient, "_make_api_call", call))
        patches.enter_context(mock.patch.object(AioBaseClient, "_make_api_call", call_async))
        # Read here: a first look within a call would hold the event loop.
        roles()
        for function, properties in resources(load(), "AWS::Serverless::Function").items():
            module = importlib.import_module(properties["Handler"].rpartition(".")[0])
            patches.enter_context(mock.patch.object(module, "handler", partial(_invoke, function, module.handler)))
        yield refused


def _invoke(function: str, handler: Any, event: Any, context: Any) -> Any:
    token = _running.set(function)
    try:
        return handler(event, context)
    finally:
        _running.reset(token)


async def _signed_for(client: Any) -> str | None:
    """Return the tenant that the credentials are made out to which the client signs with in this task."""
    return await _signer_for(client._request_signer)


async def _signer_for(signer: Any) -> str | None:
    """Return the tenant that a signer's credentials are made out to."""
    credentials = signer._credentials
    frozen = await credentials.get_frozen_credentials() if credentials is not None else None
    return _tenants.get(frozen.access_key) if frozen is not None else None


def _authorise(client: Any, operation: str, parameters: Any, tenant: str | None, refused: list[str]) -> None:
    _judge_call(client.meta.service_model.service_name, operation, parameters, tenant, refused)


def _judge_call(service: str, operation: str, parameters: Any, tenant: str | None, refused: list[str]) -> None:
    function = _running.get()
    if function is None:
        return
    if (service, operation) == ("sts", "AssumeRole"):
        faults = [] if roles().may_assume(function, _tags(parameters)) else [f"{function} may not assume its data role"]
    else:
        faults = [
            fault
            for request in requests(service, operation, parameters)
            for fault in roles().faults(function, request, tenant)
        ]
    if faults:
        refused.extend(faults)
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": faults[0]}}, operation)


def _hide_absence(operation: str, parameters: Mapping[str, Any], error: ClientError, tenant: str | None) -> None:
    """S3 tells an object's absence only to who may list the bucket; a listing's prefix is no part of that question."""
    function = _running.get()
    absent = operation in _OBJECT_READS and error.response["Error"]["Code"] in {"NoSuchKey", "NoSuchVersion", "404"}
    if function and absent:
        action = "s3:ListBucketVersions" if "VersionId" in parameters else "s3:ListBucket"
        if not roles().may(function, Request(action, "Bucket"), tenant):
            code = "403" if operation == "HeadObject" else "AccessDenied"
            raise ClientError({"Error": {"Code": code, "Message": "Access Denied"}}, operation) from None


def _table(operation: str, parameters: Mapping[str, Any]) -> list[Request]:
    if operation == "TransactWriteItems":
        grouped: dict[str, list[str]] = {}
        for write in parameters["TransactItems"]:
            for kind, arguments in write.items():
                grouped.setdefault(_WRITES[kind], []).append(_partition(arguments))
        # Judged by action, over all of its items: whoever is allowed these together is allowed each.
        return [_items(action, "Table", found, enclosing=operation) for action, found in grouped.items()]
    if operation == "BatchGetItem":
        return [_items(operation, "Table", map(_pk, each["Keys"])) for each in parameters["RequestItems"].values()]
    if operation == "BatchWriteItem":
        return [
            _items(operation, "Table", (_partition(write) for one in each for write in one.values()))
            for each in parameters["RequestItems"].values()
        ]
    index = parameters.get("IndexName")
    resource = f"Table/index/{index}" if index else "Table"
    if operation == "Query":
        return [_items(operation, resource, [_queried(parameters)])]
    if "Key" in parameters or "Item" in parameters:
        return [_items(operation, resource, [_partition(parameters)])]
    if operation == "Scan" and "ProjectionExpression" in parameters:
        read = {*parameters["ProjectionExpression"].split(", "), *_NAMED.findall(parameters["FilterExpression"])}
        context = {"dynamodb:Attributes": tuple(sorted(read)), "dynamodb:Select": (parameters["Select"],)}
        return [Request("dynamodb:Scan", resource, context)]
    return [Request(f"dynamodb:{operation}", resource)]


def _items(action: str, resource: str, partitions: Any, *, enclosing: str | None = None) -> Request:
    within = {"dynamodb:EnclosingOperation": (enclosing,)} if enclosing else {}
    return Request(f"dynamodb:{action}", resource, {KEYS: tuple(dict.fromkeys(partitions)), **within})


def _partition(arguments: Mapping[str, Any]) -> str:
    return _pk(arguments["Key"] if "Key" in arguments else arguments["Item"])


def _pk(key: Mapping[str, Any]) -> str:
    return str(key["pk"]["S"])


def _queried(parameters: Mapping[str, Any]) -> str:
    """Return the partition that a query names: `<hash> = :name` stands first in its condition."""
    name = parameters["KeyConditionExpression"].split()[2].rstrip(")")
    return str(parameters["ExpressionAttributeValues"][name]["S"])


def _bucket(operation: str, parameters: Mapping[str, Any]) -> Iterator[Request]:
    item = f"Bucket/{parameters.get('Key', '')}"
    if operation in {"ListObjectsV2", "ListObjectVersions"}:
        action = "s3:ListBucket" if operation == "ListObjectsV2" else "s3:ListBucketVersions"
        yield Request(action, "Bucket", {"s3:prefix": (parameters["Prefix"],)} if "Prefix" in parameters else {})
    elif operation == "GetBucketVersioning":
        yield Request("s3:GetBucketVersioning", "Bucket")
    elif operation == "DeleteObjects":
        for each in parameters["Delete"]["Objects"]:
            yield Request(f"s3:DeleteObject{'Version' if 'VersionId' in each else ''}", f"Bucket/{each['Key']}")
    elif operation in _OBJECT_READS:
        yield Request(f"s3:GetObject{'Version' if 'VersionId' in parameters else ''}", item)
    elif operation in _OBJECT_WRITES:
        yield Request("s3:PutObject", item)
        if "Tagging" in parameters:
            yield Request("s3:PutObjectTagging", item)
    else:
        yield Request(f"s3:{operation}", item)


def _statements(policies: Any) -> list[Statement]:
    statements = [statement for policy in policies for statement in policy["Statement"]]
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in statements]


def _principals(statement: Statement) -> list[str]:
    given = statement["Principal"]["AWS"]
    return [name_of(each) for each in (given if isinstance(given, list) else [given])]


def _tags(parameters: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in parameters.get("Tags", [])}


def _without_chance(request: Request, tenant: str | None) -> Request:
    """Put fixed names for ids, hashes and numbers, so that one call of a kind is judged for all."""

    def fixed(text: str) -> str:
        text = text.replace(tenant, OWN) if tenant else text
        return _DIGITS.sub("1", _ID.sub(r"\1_1", text))

    context = {name: tuple(dict.fromkeys(map(fixed, values))) for name, values in request.context.items()}
    return Request(request.action, fixed(request.resource), context)


def _concerns(request: Request, tenant: str) -> bool:
    """Tell whether a request touches what is the tenant's."""
    told = [request.resource, *(value for values in request.context.values() for value in values)]
    return any(tenant in text for text in told)


def told(request: Request) -> str:
    """Return a call in words: what it does on what."""
    where = "".join(f" with {key} {', '.join(values)}" for key, values in request.context.items())
    return f"{request.action} on {request.resource}{where}"
