"""Confirm on AWS what only AWS can say of the second wall: `python -m infra.confirm_wall --stack NAME --yes`.

The tests judge calls by the template's policies as IAM's documentation has it. This asks IAM itself: it makes a role
for the time of the run, trusted by whoever runs it and with the policies of the deployed data roles, has sessions of it
made out to two tenants that never existed, and makes calls of every kind with them. It writes an item and an object for
each of the two, and removes these and the role. The caller needs `iam:*Role*`, `sts:AssumeRole`,
`cloudformation:DescribeStackResources` and `lambda:InvokeFunction`.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from almanac.aws import keys
from almanac.aws.wall import CLOSED
from almanac.ids import new_id, new_ulid

POLICIES_OF = ("ProjectsDataRole", "SearchDataRole", "CompactorDataRole")
_DENIED = {"AccessDenied", "AccessDeniedException", "403", "Forbidden"}
_PATIENCE_SECONDS = 90

Client = Callable[[str], Any]
"""Return a client of a service that signs with one tenant's session."""


@dataclass(frozen=True)
class Stack:
    """What the calls are made on."""

    table: str
    bucket: str
    key_id: str


@dataclass(frozen=True)
class Check:
    """A call, and whether the wall should let it through."""

    name: str
    passes: bool
    call: Callable[[], Any]


def checks(stack: Stack, first: str, second: str, client: Client) -> Iterator[Check]:
    """Return the calls that a session of the tenant `first` makes; `second` has items and objects as well."""
    yield from _table(stack, first, second, client("dynamodb"))
    yield from _bucket(stack, first, second, client("s3"))
    yield from _secrets(stack, first, second, client("kms"))


def seed(stack: Stack, tenant: str, client: Client) -> None:
    """Write what the calls find: an item that an index holds as well, and an object."""
    client("dynamodb").put_item(TableName=stack.table, Item=_item(tenant))
    client("s3").put_object(Bucket=stack.bucket, Key=_object(tenant), Body=b"confirm")


def remove(stack: Stack, tenant: str, client: Client) -> None:
    """Remove what was written."""
    client("dynamodb").delete_item(TableName=stack.table, Key=_key(tenant))
    client("s3").delete_object(Bucket=stack.bucket, Key=_object(tenant))


def _table(stack: Stack, first: str, second: str, dynamodb: Any) -> Iterator[Check]:
    table = {"TableName": stack.table}
    neighbour = f"{first}0"

    def written(tenant: str) -> dict[str, Any]:
        return {"Put": {**table, "Item": _item(tenant)}}

    def checked(tenant: str) -> dict[str, Any]:
        key = {**_key(tenant), "sk": {"S": "CONFIRM"}}
        return {"ConditionCheck": {**table, "Key": key, "ConditionExpression": "attribute_not_exists(pk)"}}

    def transact(*writes: Mapping[str, Any]) -> Callable[[], Any]:
        return lambda: dynamodb.transact_write_items(TransactItems=list(writes))

    def batch(*tenants: str) -> Callable[[], Any]:
        request = {stack.table: {"Keys": [_key(tenant) for tenant in tenants]}}
        return lambda: dynamodb.batch_get_item(RequestItems=request)

    def query(partition: str, index: str | None = None) -> Callable[[], Any]:
        name = "gsi1pk" if index else "pk"
        arguments = {"KeyConditionExpression": f"{name} = :p", "ExpressionAttributeValues": {":p": {"S": partition}}}
        return lambda: dynamodb.query(**table, **arguments, **({"IndexName": index} if index else {}))

    def get(tenant: str) -> Callable[[], Any]:
        return lambda: dynamodb.get_item(**table, Key=_key(tenant))

    yield Check("an item of its own", True, get(first))
    yield Check("an item of another tenant", False, get(second))
    yield Check("an item of a tenant whose name begins with its own", False, get(neighbour))
    yield Check("a query of its own partition", True, query(_key(first)["pk"]["S"]))
    yield Check("a query of another's partition", False, query(_key(second)["pk"]["S"]))
    yield Check("a query of an index, its own part", True, query(keys.projects(first), keys.CHILDREN_INDEX))
    yield Check("a query of an index, another's part", False, query(keys.projects(second), keys.CHILDREN_INDEX))
    yield Check("a transaction with another's item", False, transact(written(first), written(second)))
    yield Check("a transaction that checks its own item", True, transact(written(first), checked(first)))
    yield Check("a transaction that checks another's item", False, transact(written(first), checked(second)))
    yield Check("a batch of its own items", True, batch(first))
    yield Check("a batch of its own and another's", False, batch(first, second))
    yield Check("a scan", False, lambda: dynamodb.scan(**table, Limit=1))
    statement = f'SELECT * FROM "{stack.table}"'
    yield Check("a statement of PartiQL", False, lambda: dynamodb.execute_statement(Statement=statement))


def _bucket(stack: Stack, first: str, second: str, s3: Any) -> Iterator[Check]:
    bucket = {"Bucket": stack.bucket}
    missing = f"{_object(first)}-missing"
    yield Check("an object of its own", True, lambda: s3.get_object(**bucket, Key=_object(first)))
    yield Check("an object of another tenant", False, lambda: s3.get_object(**bucket, Key=_object(second)))
    yield Check("a write over another's object", False, lambda: s3.put_object(**bucket, Key=_object(second), Body=b""))
    source = {**bucket, "Key": _object(second)}
    yield Check(
        "a copy of another's object", False, lambda: s3.copy_object(**bucket, Key=_object(first), CopySource=source)
    )
    yield Check("a missing object: 403, not 404", False, lambda: s3.get_object(**bucket, Key=missing))
    yield Check("a listing of the missing object's key", True, lambda: s3.list_objects_v2(**bucket, Prefix=missing))
    other = keys.message_prefix(second, "msg_confirm")
    yield Check("a listing of another's objects", False, lambda: s3.list_objects_v2(**bucket, Prefix=other))
    yield Check("a listing of all objects", False, lambda: s3.list_objects_v2(**bucket))


def _secrets(stack: Stack, first: str, second: str, kms: Any) -> Iterator[Check]:
    def data_key(context: Mapping[str, str]) -> Callable[[], Any]:
        return lambda: kms.generate_data_key(KeyId=stack.key_id, KeySpec="AES_256", EncryptionContext=dict(context))

    yield Check("a data key of its own", True, data_key({"tenant": first, "resource": "rep_confirm"}))
    yield Check("a data key of another tenant", False, data_key({"tenant": second, "resource": "rep_confirm"}))
    yield Check("a data key of no tenant", False, data_key({}))


def assumptions(sts: Any, role_arn: str, tenant: str) -> Iterator[Check]:
    """Return the ways to ask for a session that must not lead to one."""

    def asked(*tags: tuple[str, str]) -> Callable[[], Any]:
        wanted = [{"Key": key, "Value": value} for key, value in tags]
        return lambda: sts.assume_role(RoleArn=role_arn, RoleSessionName="confirm", Tags=wanted)

    yield Check("a session of a tenant", True, asked(("tenant", tenant)))
    yield Check("a session without a tenant", False, asked())
    yield Check("a session of what is no tenant", False, asked(("tenant", "anybody")))
    yield Check("a session with another tag besides", False, asked(("tenant", tenant), ("role", "owner")))


def judge(found: Sequence[Check]) -> list[tuple[Check, str, bool]]:
    """Make the calls; returns what became of each, and whether that is as it should be."""
    return [(check, what := _outcome(check.call), what == ("passes" if check.passes else "denied")) for check in found]


def _outcome(call: Callable[[], Any]) -> str:
    try:
        call()
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return "denied" if code in _DENIED else f"error {code}"
    return "passes"


def render(results: Sequence[tuple[Check, str, bool]]) -> str:
    """Return the results as a table."""
    width = max(len(check.name) for check, _, _ in results)
    lines = [
        f"{'ok ' if held else 'BAD'}  {check.name:<{width}}  {'passes' if check.passes else 'denied'}  {what}"
        for check, what, held in results
    ]
    return "\n".join([f"     {'call':<{width}}  wanted  found", *lines])


@contextmanager
def temporary_role(iam: Any, caller_arn: str, policies: Sequence[str]) -> Iterator[str]:
    """Make a role with these policies, which the caller may assume for one tenant as the functions may theirs."""
    name = f"almanac-confirm-{new_ulid()}"
    condition = {
        "StringLike": {"aws:RequestTag/tenant": "ten_*"},
        "ForAllValues:StringEquals": {"aws:TagKeys": ["tenant"]},
    }
    trusting = {
        "Effect": "Allow",
        "Principal": {"AWS": caller_arn},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": condition,
    }
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusting]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    try:
        for number, policy in enumerate(policies):
            iam.put_role_policy(RoleName=name, PolicyName=f"p{number}", PolicyDocument=policy)
        yield arn
    finally:
        for policy_name in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            iam.delete_role_policy(RoleName=name, PolicyName=policy_name)
        iam.delete_role(RoleName=name)


def confirm(stack_name: str) -> bool:
    """Make every check on a deployed stack; returns whether all are as they should be."""
    deployed = boto3.client("cloudformation").describe_stack_resources(StackName=stack_name)["StackResources"]
    names = {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in deployed}
    stack = Stack(names["Table"], names["Bucket"], names["TokenKey"])
    iam, sts = boto3.client("iam"), boto3.client("sts")
    policies = [json.dumps(_policy(iam, names[role])) for role in POLICIES_OF]
    first, second = new_id("ten"), new_id("ten")
    with temporary_role(iam, _role_of(iam, sts.get_caller_identity()["Arn"]), policies) as role_arn:
        _await(lambda: _session(sts, role_arn, first))
        sessions = {tenant: _session(sts, role_arn, tenant) for tenant in (first, second)}
        clients = {tenant: session.client for tenant, session in sessions.items()}
        try:
            for tenant in (first, second):
                _await(lambda tenant=tenant: seed(stack, tenant, clients[tenant]))  # type: ignore[misc]
            results = judge([*assumptions(sts, role_arn, first), *checks(stack, first, second, clients[first])])
            results += judge([_by_function(names["IdentityAdminFunction"], first)])
        finally:
            for tenant in (first, second):
                remove(stack, tenant, clients[tenant])
    print(render(results))
    return all(held for *_, held in results)


def _by_function(function: str, tenant: str) -> Check:
    """A function assumes its own data role: asked for a key of a tenant that is none, it says just that."""

    def call() -> None:
        command = json.dumps({"action": "create_key", "tenant_id": tenant, "name": "confirm"})
        answer = boto3.client("lambda").invoke(FunctionName=function, Payload=command.encode())
        understand(json.loads(answer["Payload"].read()))

    return Check("a function's own session", True, call)


def understand(told: Mapping[str, Any]) -> None:
    """Raise `ClientError` unless the function looked for the tenant in the table, and so had a session for it."""
    refused = told.get("errorType") == "CommandRefused"
    if not refused or told.get("errorMessage") == CLOSED:
        code = "NoSession" if refused else str(told.get("errorType"))
        raise ClientError({"Error": {"Code": code, "Message": "unexpected"}}, "Invoke")


def _policy(iam: Any, role: str) -> Any:
    return iam.get_role_policy(RoleName=role, PolicyName="tenant-data")["PolicyDocument"]


def _role_of(iam: Any, caller_arn: str) -> str:
    """Return what a trust policy may name: for a session of a role, the role."""
    if ":assumed-role/" not in caller_arn:
        return caller_arn
    return str(iam.get_role(RoleName=caller_arn.split("/")[1])["Role"]["Arn"])


def _session(sts: Any, role_arn: str, tenant: str) -> Any:
    tags = [{"Key": "tenant", "Value": tenant}]
    given = sts.assume_role(RoleArn=role_arn, RoleSessionName=tenant, Tags=tags)["Credentials"]
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])


def _await(call: Callable[[], Any]) -> None:
    """Wait until IAM knows of the role everywhere."""
    ends = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            call()
        except ClientError:
            if time.monotonic() > ends:
                raise
            time.sleep(3)
        else:
            return


def _key(tenant: str) -> dict[str, Any]:
    key = keys.project(tenant, "prj_confirm")
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def _item(tenant: str) -> dict[str, Any]:
    index = {"gsi1pk": {"S": keys.projects(tenant)}, "gsi1sk": {"S": "prj_confirm"}}
    return {**_key(tenant), **index, "expires_at": {"N": str(int(time.time()) + 3600)}}


def _object(tenant: str) -> str:
    return keys.message_object(tenant, "msg_confirm", 1, "confirm")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Confirm the second wall on AWS.")
    parser.add_argument("--stack", required=True, help="the name of the deployed stack")
    parser.add_argument("--yes", action="store_true", help="make a temporary role, items and objects, and remove them")
    given = parser.parse_args(arguments)
    if not given.yes:
        print("This makes a role, two items and two objects on AWS and removes them: say --yes.", file=sys.stderr)
        return 2
    return 0 if confirm(given.stack) else 1


if __name__ == "__main__":
    sys.exit(main())
