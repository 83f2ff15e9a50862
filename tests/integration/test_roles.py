"""The integration tests hold every handler to its role; these hold that to what AWS would do."""

from typing import Any

import pytest

from tests.integration.harness import Stack
from tests.support.roles import Need, allows, needs


@pytest.mark.parametrize(
    ("function", "action", "resource"),
    [
        ("AuthorizerFunction", "dynamodb:PutItem", "Table"),
        ("ProjectsFunction", "kms:Decrypt", "TokenKey"),
        ("ProjectsFunction", "dynamodb:Query", "Table/index/due"),
        ("SearchFunction", "s3:GetObject", "Bucket/tenants/ten_1/repositories/rep_1/packs/1"),
        ("SearchFunction", "s3:PutObject", "Bucket/tenants/ten_1/index/m/parts/1"),
        ("CompactorFunction", "s3:DeleteObject", "Bucket/tenants/ten_1/index/m/parts/1"),
        ("CompactorFunction", "s3:DeleteObjectVersion", "Bucket/tenants/ten_1/messages/msg_1/1"),
        ("SweeperFunction", "s3:ListBucketVersions", "Bucket"),
        ("RelayFunction", "sqs:SendMessage", "SyncDeadLetterQueue"),
    ],
)
def test_a_role_grants_nothing_beside_what_its_function_needs(function: str, action: str, resource: str) -> None:
    assert not allows(function, Need(action, resource))


def test_a_listing_is_granted_for_its_prefix_only() -> None:
    listing = {"Bucket": "almanac", "Prefix": "tenants/"}
    assert not allows("ConsoleFunction", *needs("s3", "ListObjectsV2", listing))
    assert allows("ConsoleFunction", *needs("s3", "ListObjectsV2", {**listing, "Prefix": "health/"}))


def test_a_transaction_needs_the_permission_of_each_of_its_writes() -> None:
    writes: list[dict[str, Any]] = [{"Put": {}}, {"Update": {}}, {"Delete": {}}, {"ConditionCheck": {}}]
    assert [need.action for need in needs("dynamodb", "TransactWriteItems", {"TransactItems": writes})] == [
        "dynamodb:PutItem",
        "dynamodb:UpdateItem",
        "dynamodb:DeleteItem",
        "dynamodb:ConditionCheckItem",
    ]


def test_a_call_that_nobody_foresaw_is_granted_to_no_role() -> None:
    assert not allows("ProjectsFunction", *needs("sns", "Publish", {}))


def test_a_handler_is_refused_what_its_role_does_not_grant(
    stack: Stack, refused: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.support.roles._statements", lambda _: [])
    answer = stack.call("projects", "GET", "/api/v1/projects", tenant=stack.tenant())
    assert answer.status == 500
    assert refused == ["ProjectsFunction may not dynamodb:Query on Table/index/children"]
    refused.clear()
