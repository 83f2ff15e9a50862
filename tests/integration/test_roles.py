"""The integration tests hold every handler to its roles; these hold that to what AWS would do."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from infra.template import load, resources
from tests.integration.harness import Stack
from tests.support.policies import Request, allows, name_of
from tests.support.roles import KEYS, Roles, requests, roles

TENANT = "ten_01k9zq3v7m8x2c4b6n0d1f5g7h"
FUNCTIONS = sorted(resources(load(), "AWS::Serverless::Function"))
# What a function may touch by itself: what belongs to no tenant, and what tells whose tenant a caller is of.
OWN_PARTITIONS = {
    "PERSON#*",
    "INVITED#*",
    "ADDRESS#*",
    "CONNECTION#*",
    "ERASURE#*",
    "DUE#*",
    "DUE#ERASURE",
    "HEALTH",
    "TENANT#*#APIKEY#*",
}
# Besides, by the condition that stands in the place of a partition or a tenant.
OWN_CONDITIONS: list[dict[str, Any]] = [
    {"StringLike": {"s3:prefix": ["health/*"]}},
    {"StringLike": {"kms:EncryptionContext:tenant": "usr_*"}},
    # Erasure looks at the keys of all items, and at nothing else of them.
    {
        "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "entity", "tenant_id"]},
        "Null": {"dynamodb:Attributes": "false"},
        "StringEquals": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
    },
]
STREAM = {f"dynamodb:{name}" for name in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")}


def item(action: str, *partitions: str) -> Request:
    return Request(f"dynamodb:{action}", "Table", {KEYS: partitions})


@pytest.mark.parametrize(
    ("function", "request_"),
    [
        ("ProjectsFunction", Request("dynamodb:Query", "Table/index/due", {KEYS: ("DUE#OUTBOX",)})),
        ("ProjectsFunction", Request("dynamodb:Scan", "Table")),
        ("ProjectsFunction", Request("kms:Decrypt", "TokenKey", {"kms:EncryptionContext:tenant": (TENANT,)})),
        ("SearchFunction", Request("s3:GetObject", f"Bucket/tenants/{TENANT}/repositories/rep_1/packs/1")),
        ("SearchFunction", Request("s3:PutObject", f"Bucket/tenants/{TENANT}/index/m/parts/1")),
        ("SearchFunction", Request("s3:ListBucket", "Bucket")),
        ("CompactorFunction", Request("s3:DeleteObject", f"Bucket/tenants/{TENANT}/index/m/parts/1")),
        ("CompactorFunction", Request("s3:DeleteObjectVersion", f"Bucket/tenants/{TENANT}/messages/msg_1/1")),
        ("SweeperFunction", Request("s3:ListBucketVersions", "Bucket", {"s3:prefix": (f"tenants/{TENANT}/index/",)})),
        ("RelayFunction", Request("sqs:SendMessage", "SyncDeadLetterQueue")),
    ],
)
def test_a_role_grants_nothing_beside_what_its_function_needs(function: str, request_: Request) -> None:
    assert not roles().may(function, request_)
    assert not roles().may(function, request_, TENANT)


def test_the_authorizer_writes_to_keys_and_reads_people_and_touches_nothing_else() -> None:
    may = roles().may
    assert may("AuthorizerFunction", item("UpdateItem", f"TENANT#{TENANT}#APIKEY#9f86d0"))
    assert not may("AuthorizerFunction", item("PutItem", f"TENANT#{TENANT}#APIKEY#9f86d0"))
    assert not may("AuthorizerFunction", item("UpdateItem", "PERSON#usr_1"))
    assert not may("AuthorizerFunction", item("GetItem", f"TENANT#{TENANT}"))
    assert not may("AuthorizerFunction", item("GetItem", f"TENANT#{TENANT}#REPOSITORY#rep_1"))


def test_a_listing_is_granted_for_its_prefix_only() -> None:
    (everything,) = requests("s3", "ListObjectsV2", {"Bucket": "almanac", "Prefix": "tenants/"})
    (health,) = requests("s3", "ListObjectsV2", {"Bucket": "almanac", "Prefix": "health/"})
    assert not roles().may("ConsoleFunction", everything)
    assert roles().may("ConsoleFunction", health)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_by_itself_reaches_no_tenants_data(function: str) -> None:
    for statement in roles().own(function):
        services = {action.partition(":")[0] for action in statement["Action"]}
        if not services & {"dynamodb", "s3", "kms"} or set(statement["Action"]) <= STREAM:
            continue
        condition = statement["Condition"]
        if condition not in OWN_CONDITIONS:
            assert set(condition["ForAllValues:StringLike"][KEYS]) <= OWN_PARTITIONS
            assert condition["Null"] == {KEYS: "false"}


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if roles().data_role(name)])
def test_whatever_a_data_role_grants_it_grants_of_its_tenant(function: str) -> None:
    tenant = "${aws:PrincipalTag/tenant}"
    for statement in roles().data(function):
        if statement["Effect"] == "Deny":
            continue
        condition = statement.get("Condition", {})
        names = [name_of(each) for each in _list(statement["Resource"])]
        match {action.partition(":")[0] for action in statement["Action"]}.pop():
            case "dynamodb":
                (comparison,) = {"ForAllValues:StringLike", "ForAllValues:StringEquals"} & set(condition)
                partitions = set(condition[comparison][KEYS]) - OWN_PARTITIONS
                assert condition["Null"] == {KEYS: "false"}
                assert all(f"{name}#".startswith(f"TENANT#{tenant}#") for name in partitions)
            case "kms":
                assert condition["StringEquals"]["kms:EncryptionContext:tenant"] == tenant
            case "s3" if statement["Action"] == ["s3:GetBucketVersioning"]:
                assert names == ["Bucket"]
            case "s3" if "s3:prefix" in condition.get("StringLike", {}):
                assert all(name.startswith(f"tenants/{tenant}/") for name in condition["StringLike"]["s3:prefix"])
            case "s3":
                assert all(name.startswith(f"Bucket/tenants/{tenant}/") for name in names)
            case service:
                pytest.fail(f"{service} belongs into the function's own role")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if roles().data_role(name)])
def test_a_data_role_is_assumed_by_its_own_function_for_one_tenant_and_no_other_tag(function: str) -> None:
    may_assume = roles().may_assume
    assert may_assume(function, {"tenant": TENANT})
    assert not may_assume(function, {})
    assert not may_assume(function, {"tenant": "*"})
    assert not may_assume(function, {"tenant": TENANT, "role": "owner"})
    trusted = resources(load(), "AWS::IAM::Role")[str(roles().data_role(function))]["AssumeRolePolicyDocument"]
    assert all("AWS" in statement["Principal"] for statement in trusted["Statement"])


def test_no_function_assumes_the_data_role_of_another() -> None:
    shards = {"EvenShardFunction", "OddShardFunction"}
    owners: dict[str, set[str]] = {}
    for function in FUNCTIONS:
        if role := roles().data_role(function):
            owners.setdefault(role, set()).add(function)
    assert [names for names in owners.values() if len(names) > 1] == [shards]


def test_a_transaction_needs_the_permission_of_each_of_its_writes_on_all_of_its_items() -> None:
    key = {"pk": {"S": "TENANT#ten_1"}, "sk": {"S": "ITEM"}}
    other = {"pk": {"S": "TENANT#ten_1#MEMBER#usr_1"}, "sk": {"S": "ITEM"}}
    writes: list[dict[str, Any]] = [
        {"Put": {"Item": key}},
        {"Put": {"Item": other}},
        {"Update": {"Key": key}},
        {"Delete": {"Key": key}},
        {"ConditionCheck": {"Key": key}},
    ]
    found = requests("dynamodb", "TransactWriteItems", {"TransactItems": writes})
    assert {each.action: each.values(KEYS) for each in found} == {
        "dynamodb:PutItem": ("TENANT#ten_1", "TENANT#ten_1#MEMBER#usr_1"),
        "dynamodb:UpdateItem": ("TENANT#ten_1",),
        "dynamodb:DeleteItem": ("TENANT#ten_1",),
        "dynamodb:ConditionCheckItem": ("TENANT#ten_1",),
    }
    assert {each.values("dynamodb:EnclosingOperation") for each in found} == {("TransactWriteItems",)}


def test_a_batch_and_a_query_need_each_partition_that_they_name() -> None:
    first, second = {"pk": {"S": "TENANT#ten_1"}, "sk": {"S": "A"}}, {"pk": {"S": "TENANT#ten_2"}, "sk": {"S": "A"}}
    read = {"RequestItems": {"almanac": {"Keys": [first, second]}}}
    written = {"RequestItems": {"almanac": [{"PutRequest": {"Item": first}}, {"DeleteRequest": {"Key": second}}]}}
    query = {
        "IndexName": "children",
        "KeyConditionExpression": "gsi1pk = :partition AND begins_with(gsi1sk, :prefix)",
        "ExpressionAttributeValues": {":partition": {"S": "TENANT#ten_1#PROJECTS"}, ":prefix": {"S": "x"}},
    }
    assert requests("dynamodb", "BatchGetItem", read) == [item("BatchGetItem", "TENANT#ten_1", "TENANT#ten_2")]
    assert requests("dynamodb", "BatchWriteItem", written) == [item("BatchWriteItem", "TENANT#ten_1", "TENANT#ten_2")]
    assert requests("dynamodb", "Query", query) == [
        Request("dynamodb:Query", "Table/index/children", {KEYS: ("TENANT#ten_1#PROJECTS",)})
    ]


def test_a_call_that_nobody_foresaw_is_granted_to_no_role() -> None:
    (unknown,) = requests("sns", "Publish", {})
    assert not roles().may("ProjectsFunction", unknown)


def test_a_handler_is_refused_what_its_role_does_not_grant(
    stack: Stack, refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied = _changed(lambda text: text, drop="ProjectsDataRole")
    monkeypatch.setattr("tests.support.roles.roles", lambda: emptied)
    answer = stack.call("projects", "GET", "/api/v1/projects", tenant=stack.tenant())
    assert answer.status == 500
    (fault,) = set(refused)
    assert fault.startswith("ProjectsFunction may not dynamodb:")
    refused.clear()


# One call of each kind, as the second wall meets it.
CALLS = {
    "an item": ("SearchFunction", item("GetItem", f"TENANT#{TENANT}#CONVERSATION#cnv_1")),
    "the tenant itself": ("SearchFunction", item("GetItem", f"TENANT#{TENANT}")),
    "a transaction": ("ProjectsFunction", item("PutItem", f"TENANT#{TENANT}#PROJECT#prj_1", f"TENANT#{TENANT}#OUTBOX")),
    "an index": (
        "ProjectsFunction",
        Request("dynamodb:Query", "Table/index/children", {KEYS: (f"TENANT#{TENANT}#PROJECTS",)}),
    ),
    "an object": ("SearchFunction", Request("s3:GetObject", f"Bucket/tenants/{TENANT}/index/m/parts/1")),
    "a listing": (
        "SearchFunction",
        Request("s3:ListBucket", "Bucket", {"s3:prefix": (f"tenants/{TENANT}/messages/msg_1/",)}),
    ),
    "a secret": ("WebhooksFunction", Request("kms:Decrypt", "TokenKey", {"kms:EncryptionContext:tenant": (TENANT,)})),
}


@pytest.mark.parametrize("call", CALLS)
def test_each_kind_of_call_is_allowed_to_its_tenant_and_to_no_other_and_to_none(call: str) -> None:
    function, request = CALLS[call]
    assert roles().faults(function, request, TENANT) == []
    assert roles().may(function, request, TENANT)
    assert not roles().may(function, request, "ten_01k9zq3v7m8x2c4b6n0d1f5g7j")
    assert not roles().may(function, request)


def test_a_transaction_with_one_item_of_another_tenant_is_refused_whole() -> None:
    mixed = item("PutItem", f"TENANT#{TENANT}#OUTBOX", "TENANT#ten_01k9zq3v7m8x2c4b6n0d1f5g7j#OUTBOX")
    assert not roles().may("ProjectsFunction", mixed, TENANT)


def test_a_scan_is_refused_although_it_names_no_partition_at_all() -> None:
    reading = next(each for each in roles().data("SearchFunction") if "dynamodb:GetItem" in each["Action"])
    scanned = {**reading, "Effect": "Allow", "Action": ["dynamodb:Scan"]}
    without_guard = {**scanned, "Condition": {k: v for k, v in reading["Condition"].items() if k != "Null"}}
    scan = Request("dynamodb:Scan", "Table", {"aws:PrincipalTag/tenant": (TENANT,)})
    assert not allows([scanned], scan)
    assert allows([without_guard], scan)


@pytest.mark.parametrize(
    ("broken", "calls"),
    [
        # The delimiter is gone: `ten_1` would pass for `ten_10`.
        (lambda text: text.replace("TENANT#${aws:PrincipalTag/tenant}#*", "TENANT#${aws:PrincipalTag/tenant}*"), 3),
        (lambda text: re.sub(r"tenants/(\$\{!?aws:PrincipalTag/tenant\})/", r"tenants/\1*/", text), 2),
        # The tenant is gone.
        (lambda text: re.sub(r"\$\{!?aws:PrincipalTag/tenant\}", "*", text), 6),
        # The comparison is gone, or turned.
        (lambda text: text.replace("ForAllValues:StringLike", "ForAllValues:StringNotLike"), 4),
        (lambda text: text.replace("ForAllValues:StringLike", "ForAnyValue:StringNotLike"), 4),
        (lambda text: text.replace("StringLike", "StringEquals"), 4),
        (lambda text: text.replace("kms:EncryptionContext:tenant", "kms:EncryptionContext:resource"), 1),
    ],
)
def test_the_harness_notices_when_a_stone_of_the_wall_is_loose(broken: Callable[[str], str], calls: int) -> None:
    loose = _changed(broken)
    noticed = [name for name, (function, request) in CALLS.items() if loose.faults(function, request, TENANT)]
    assert len(noticed) >= calls, noticed


def _changed(change: Callable[[str], str], drop: str = "") -> Roles:
    """Return the template's roles with every text of the data roles changed, or with one role emptied."""

    def through(value: Any) -> Any:
        if isinstance(value, dict):
            return {change(key): through(each) for key, each in value.items()}
        if isinstance(value, list):
            return [through(each) for each in value]
        return change(value) if isinstance(value, str) else value

    template = copy.deepcopy(load())
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            policies = resource["Properties"]["Policies"]
            resource["Properties"]["Policies"] = [] if name == drop else through(policies)
    return Roles(template)
