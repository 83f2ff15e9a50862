"""The stack in one process: tables and queues made from the template on moto's server, slices through their handlers.

Real here: every line of ours, botocore, HTTP to the store. Played by this file: API Gateway's event and authorizer
context, the stream, and the event source mappings. The end-to-end tests leave none of these to play.
"""

import base64
import importlib
import json
import time
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, cast
from urllib.parse import urlencode

import boto3

from almanac.access import GRANTABLE, ROLES, Caller, Person, Principal, Role, read, spell
from almanac.aws import keys
from almanac.aws.table import dynamo
from almanac.ids import new_id
from infra.template import load, resources
from tests.support.store import EMPTY_PATH
from tests.support.user_pool import create_pool

# What a key of the harness may do.
ADMIN = spell(GRANTABLE)
WRITE = spell(ROLES[Role.MEMBER])
READ = spell(ROLES[Role.VIEWER])
_CONSUMERS = {
    "Arrivals": "documents.arrivals",
    "Documents": "documents.worker",
    "Embedding": "search.worker",
    "Identity": "identity.worker",
    "Index": "search.compactor",
    "Projects": "projects.worker",
    "Realtime": "realtime.worker",
    "Sync": "projects.sync_worker",
}


class Context:
    """What Lambda passes beside the event."""

    aws_request_id = "11111111-2222-3333-4444-555555555555"
    function_name = "test"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:test"

    def __init__(self, milliseconds: int = 60_000) -> None:
        self._ends = time.monotonic() + milliseconds / 1000

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._ends - time.monotonic()) * 1000))


@dataclass(frozen=True)
class Answer:
    """A response as a caller of the API sees it."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@cache
def aws(service: str, endpoint: str) -> Any:
    """Return the process's plain boto3 client of the store."""
    return cast("Any", boto3).client(service, endpoint_url=endpoint, region_name="us-east-1")


def person(
    tenant: str, role: Role, person_id: str = "usr_01k9zq3v7m8x2c4b6n0d1f5g7h", email: str = "ada@example.org"
) -> Caller:
    """Return a signed-in person in a tenant that it chose; `Stack.member` makes one that the table knows."""
    principal = Principal(tenant, person_id, ROLES[role], role=role, session_id="session")
    return Caller(Person(person_id, email, "session"), principal)


@cache
def _table_definition() -> dict[str, Any]:
    ((_, table),) = resources(load(), "AWS::DynamoDB::Table").items()
    supported = {"AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes"}
    return {name: table[name] for name in supported}


def create_table(dynamodb: Any) -> None:
    """Make the template's table, empty."""
    dynamodb.create_table(TableName="almanac", **_table_definition())


def create_resources(endpoint: str) -> dict[str, str]:
    """Make the template's table, bucket, key and queues on an empty store; returns the functions' environment."""
    template = load()
    create_table(aws("dynamodb", endpoint))
    s3 = aws("s3", endpoint)
    s3.create_bucket(Bucket="almanac")
    ((_, bucket),) = resources(template, "AWS::S3::Bucket").items()
    s3.put_bucket_versioning(Bucket="almanac", VersioningConfiguration=bucket["VersioningConfiguration"])
    key = aws("kms", endpoint).create_key()["KeyMetadata"]["KeyId"]
    environment = {
        "ALMANAC_STAGE": "test",
        "ALMANAC_TABLE": "almanac",
        "ALMANAC_BUCKET": "almanac",
        # The store keeps no roles: any stands for those of all functions, which tests/support/roles.py tells apart.
        "ALMANAC_DATA_ROLE_ARN": "arn:aws:iam::123456789012:role/data",
        "ALMANAC_KEY_ID": key,
        "ALMANAC_EMBEDDING_MODEL": "test:hash",
        # Which searches are measured is chance, and each leaves an item: tests that want it ask for it.
        "ALMANAC_RECALL_SAMPLE": "0",
        "ALMANAC_ALLOW_PRIVATE_HOSTS": "true",
        "ALMANAC_PUBLIC_URL": "http://127.0.0.1:8080",
    }
    environment |= create_pool(aws("cognito-idp", endpoint), template)
    sqs = aws("sqs", endpoint)
    for name, queue in resources(template, "AWS::SQS::Queue").items():
        variable = "".join(f"_{letter}" if letter.isupper() else letter for letter in name).upper()
        environment[f"ALMANAC{variable}_URL"] = _create_queue(sqs, f"{name}.fifo" if queue.get("FifoQueue") else name)
    _notify(s3, bucket)
    return environment


def _notify(s3: Any, bucket: Mapping[str, Any]) -> None:
    """Have the bucket tell the queues what the template says."""
    told = [
        {
            "Events": [given["Event"]],
            "QueueArn": f"arn:aws:sqs:us-east-1:123456789012:{given['Queue']['Fn::GetAtt'][0]}",
            "Filter": {"Key": {"FilterRules": given["Filter"]["S3Key"]["Rules"]}},
        }
        for given in bucket["NotificationConfiguration"]["QueueConfigurations"]
    ]
    s3.put_bucket_notification_configuration(Bucket="almanac", NotificationConfiguration={"QueueConfigurations": told})


def _create_queue(sqs: Any, name: str) -> str:
    return str(
        sqs.create_queue(QueueName=name, Attributes={"FifoQueue": "true"} if name.endswith(".fifo") else {})["QueueUrl"]
    )


@dataclass
class Stack:
    """One process's stack."""

    endpoint: str
    environment: Mapping[str, str]
    invoked: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        return aws(service, self.endpoint)

    def tenant(self, name: str = "Acme") -> str:
        """Create a tenant and return its id."""
        tenant_id = new_id("ten")
        item = {
            **keys.tenant(tenant_id).as_dict(),
            "entity": "tenant",
            "id": tenant_id,
            "name": name,
            "created_at": "2026-01-01T00:00:00.000Z",
            "version": 1,
            "cursor_secret": b"0" * 32,
        }
        self.client("dynamodb").put_item(TableName="almanac", Item=dynamo(item))
        return tenant_id

    def member(self, tenant: str, role: Role, person_id: str | None = None, email: str = "ada@example.org") -> Caller:
        """Make somebody a member of a tenant, and return them as a caller who chose it."""
        caller = person(tenant, role, person_id or new_id("usr"), email)
        assert caller.person is not None
        common = {"role": role.value, "tenant_id": tenant}
        member = {
            **keys.member(tenant, caller.person.id).as_dict(),
            "gsi1pk": keys.members(tenant),
            "gsi1sk": caller.person.id,
            "entity": "member",
            "person_id": caller.person.id,
            "email": email,
            "name": "Ada",
            "joined_at": "2026-01-01T00:00:00.000Z",
            "version": 1,
        }
        membership = {
            **keys.person_tenant(caller.person.id, tenant).as_dict(),
            "entity": "person_tenant",
            "tenant_name": "Acme",
            "tenant_version": 1,
            "since": "2026-01-01T00:00:00.000Z",
        }
        dynamodb = self.client("dynamodb")
        for item in (member, membership):
            dynamodb.put_item(TableName="almanac", Item=dynamo({**item, **common}))
        dynamodb.update_item(
            TableName="almanac",
            Key=dynamo(keys.tenant(tenant).as_dict()),
            UpdateExpression="ADD owners :owners",
            ExpressionAttributeValues=dynamo({":owners": int(role is Role.OWNER)}),
        )
        return caller

    def call(
        self,
        slice_name: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        tenant: str | None = None,
        scope: str = ADMIN,
        query: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        caller: Caller | None = None,
    ) -> Answer:
        """Send one request through the slice's real handler. `tenant=None` is a caller without credentials.

        `body` is JSON unless it is `bytes`, which go as they are. `caller` is who calls, instead of a key of `tenant`
        whose scopes are `scope`.
        """
        handler = importlib.import_module(f"{slice_name}.app").handler
        event = request_event(
            method, path, body, tenant=tenant, scope=scope, query=query, headers=headers, caller=caller
        )
        response = handler(event, Context())
        text = response.get("body") or ""
        if response.get("isBase64Encoded"):
            text = base64.b64decode(text).decode()
        return Answer(response["statusCode"], {k.lower(): v for k, v in response["headers"].items()}, text)

    def outbox(self) -> list[dict[str, Any]]:
        """Return the outbox items, in DynamoDB's typed form, oldest first.

        Without those that ask for the audit log's sealing, and those that tell the followers: most changes leave them.
        """
        bodies = ((item, item["body"]["S"]) for item in self._outbox())
        return [item for item, body in bodies if '"audit.seal"' not in body and '"kind":"happened"' not in body]

    def _outbox(self) -> list[dict[str, Any]]:
        dynamodb = self.client("dynamodb")
        answer = dynamodb.query(
            TableName="almanac",
            IndexName="due",
            KeyConditionExpression="gsi2pk = :due",
            ExpressionAttributeValues={":due": {"S": keys.due_outbox()}},
        )
        found = (
            dynamodb.get_item(TableName="almanac", Key={"pk": item["pk"], "sk": item["sk"]}) for item in answer["Items"]
        )
        return [item["Item"] for item in found if "Item" in item]

    def relay(self) -> int:
        """Play the table's stream: give the outbox to the relay. Returns how many items there were."""
        items = self._outbox()
        if items:
            records = [{"eventName": "INSERT", "dynamodb": {"NewImage": _stream_image(item)}} for item in items]
            importlib.import_module("relay.worker").handler({"Records": records}, Context())
        return len(items)

    def deliver(self, queue: str, *, milliseconds: int = 60_000) -> int:
        """Play one event source mapping for one batch. Failed messages are visible again at once."""
        url = self.environment[f"ALMANAC_{queue.upper()}_QUEUE_URL"]
        sqs = self.client("sqs")
        messages = sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=1 if queue == "Sync" else 10, AttributeNames=["All"]
        ).get("Messages", [])
        if not messages:
            return 0
        self.invoked.append(queue)
        handler = importlib.import_module(_CONSUMERS[queue]).handler
        answer = {"batchItemFailures": [{"itemIdentifier": message["MessageId"]} for message in messages]}
        try:
            answer = handler({"Records": [_record(message) for message in messages]}, Context(milliseconds))
        finally:
            self._settle(url, messages, answer)
        return len(messages)

    def _settle(self, url: str, messages: list[Any], answer: dict[str, Any]) -> None:
        """Take delivered messages away but for those that failed: all of them, when the worker died."""
        sqs = self.client("sqs")
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        for message in messages:
            handle = {"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]}
            if message["MessageId"] in failed:
                sqs.change_message_visibility(**handle, VisibilityTimeout=0)
            else:
                sqs.delete_message(**handle)

    def drain(self, rounds: int = 200, *, milliseconds: int = 60_000) -> None:
        """Relay and deliver until nothing moves."""
        for _ in range(rounds):
            moved = self.relay() + sum(self.deliver(queue, milliseconds=milliseconds) for queue in _CONSUMERS)
            if not moved:
                return
        raise AssertionError(f"the queues did not come to rest in {rounds} rounds")

    def dead_letters(self, queue: str) -> list[dict[str, Any]]:
        """Take what a dead-letter queue holds: body, and `code` and `cause` where a worker wrote them."""
        url = self.environment[f"ALMANAC_{queue.upper()}_DEAD_LETTER_QUEUE_URL"]
        sqs = self.client("sqs")
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
        found = []
        for message in messages.get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            attributes = {name: value["StringValue"] for name, value in message.get("MessageAttributes", {}).items()}
            found.append({"body": json.loads(message["Body"]), **attributes})
        return found

    def discard_messages(self) -> None:
        """Empty the queues and the outbox: what was asked for is lost."""
        sqs, dynamodb = self.client("sqs"), self.client("dynamodb")
        for name, url in self.environment.items():
            if name.endswith("_QUEUE_URL"):
                sqs.delete_queue(QueueUrl=url)
                _create_queue(sqs, url.rsplit("/", 1)[-1])
        for item in self._outbox():
            dynamodb.delete_item(TableName="almanac", Key={"pk": item["pk"], "sk": item["sk"]})

    def reset(self) -> None:
        """Empty the table, the bucket and the queues: no test inherits another's work.

        The store looks through a whole table or bucket for every listing: what grew over a run would slow each test.
        """
        request = urllib.request.Request(f"{self.endpoint}{EMPTY_PATH}", method="POST")  # noqa: S310 - our own server
        urllib.request.urlopen(request, timeout=60).close()  # noqa: S310


def request_event(
    method: str,
    path: str,
    body: Any = None,
    *,
    tenant: str | None = None,
    scope: str = ADMIN,
    query: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    caller: Caller | None = None,
) -> dict[str, Any]:
    """Return an HTTP API event (payload 2.0) as API Gateway sends it after the authorizer allowed it."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    given = {"host": "api.test", "content-length": str(len(raw))}
    given |= {"content-type": "application/json"} if body is not None and not isinstance(body, bytes) else {}
    given |= {name.lower(): value for name, value in (headers or {}).items()}
    context: dict[str, Any] = {
        "http": {"method": method, "path": path, "sourceIp": "127.0.0.1", "protocol": "HTTP/1.1", "userAgent": "test"},
        "requestId": str(uuid.uuid4()),
        "stage": "$default",
    }
    if caller is None and tenant is not None:
        caller = Caller(principal=Principal(tenant, "key_test", read(scope), key_id="key_test"))
    if caller is not None:
        context["authorizer"] = {"lambda": caller.to_context()}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": urlencode(query or {}, doseq=True),
        "headers": given,
        "requestContext": context,
        "body": base64.b64encode(raw).decode(),
        "isBase64Encoded": True,
    }


def _stream_image(item: dict[str, Any]) -> dict[str, Any]:
    return {
        name: {"B": base64.b64encode(value["B"]).decode()} if "B" in value else value for name, value in item.items()
    }


def _record(message: dict[str, Any]) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "awsRegion": "us-east-1",
    }
