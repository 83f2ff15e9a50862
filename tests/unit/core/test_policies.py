"""The judge of policies that the integration tests trust: it decides as IAM does, and refuses to guess."""

from typing import Any

import pytest

from tests.support.policies import Request, Unknown, allows

TENANT = {"aws:PrincipalTag/tenant": ["ten_1"]}
TAGGED = "${aws:PrincipalTag/tenant}"


def statement(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": "Bucket/*", **changes}


def judged(condition: dict[str, Any], context: dict[str, list[str]]) -> bool:
    return allows([statement(Condition=condition)], Request("s3:GetObject", "Bucket/x", context))


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert not allows([], Request("s3:GetObject", "Bucket/x"))
    assert not allows([statement()], Request("s3:PutObject", "Bucket/x"))
    assert not allows([statement()], Request("s3:GetObject", "Table"))


def test_one_deny_outweighs_every_allow() -> None:
    deny = statement(Effect="Deny", Resource="Bucket/secret/*")
    assert allows([statement(), deny], Request("s3:GetObject", "Bucket/x"))
    assert not allows([statement(), deny], Request("s3:GetObject", "Bucket/secret/x"))


def test_actions_have_wildcards_and_no_case() -> None:
    assert allows([statement(Action="S3:get*")], Request("s3:GetObject", "Bucket/x"))
    assert allows([statement(Action="s3:Get?bject")], Request("s3:GetObject", "Bucket/x"))


def test_a_variable_stands_for_its_value_and_its_value_for_itself_alone() -> None:
    own = statement(Resource=f"Bucket/tenants/{TAGGED}/*")
    assert allows([own], Request("s3:GetObject", "Bucket/tenants/ten_1/x", TENANT))
    assert not allows([own], Request("s3:GetObject", "Bucket/tenants/ten_10/x", TENANT))
    wild = {"aws:PrincipalTag/tenant": ["*"]}
    assert not allows([own], Request("s3:GetObject", "Bucket/tenants/ten_1/x", wild))


@pytest.mark.parametrize("operator", ["StringLike", "StringEquals"])
def test_a_variable_without_a_value_matches_nothing(operator: str) -> None:
    assert not allows([statement(Resource=f"Bucket/tenants/{TAGGED}/*")], Request("s3:GetObject", "Bucket/tenants//x"))
    assert not judged({operator: {"s3:prefix": f"tenants/{TAGGED}"}}, {"s3:prefix": ["tenants/"]})


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"k": "a*"}}, {"k": ["ab"]}, False),
        ({"StringEquals": {"k": "a*"}}, {"k": ["a*"]}, True),
        ({"StringLike": {"k": ["x", "a*"]}}, {"K": ["ab"]}, True),
        ({"StringLike": {"k": "a*"}}, {}, False),
        ({"StringLikeIfExists": {"k": "a*"}}, {}, True),
        ({"StringNotLike": {"k": "a*"}}, {}, True),
        ({"StringNotLike": {"k": "a*"}}, {"k": ["ab"]}, False),
        ({"StringEqualsIgnoreCase": {"k": "AB"}}, {"k": ["ab"]}, True),
        ({"Bool": {"k": "true"}}, {"k": ["True"]}, True),
        ({"ArnLike": {"k": "arn:aws:iam::*:role/x"}}, {"k": ["arn:aws:iam::1:role/x"]}, True),
        ({"Null": {"k": "true"}}, {}, True),
        ({"Null": {"k": "false"}}, {}, False),
        ({"Null": {"k": "false"}}, {"k": ["a"]}, True),
        # All of the request's values, which none is enough for; some of them, which it is not.
        ({"ForAllValues:StringLike": {"k": ["a*", "b"]}}, {"k": ["ax", "b"]}, True),
        ({"ForAllValues:StringLike": {"k": ["a*", "b"]}}, {"k": ["ax", "c"]}, False),
        ({"ForAllValues:StringLike": {"k": "a*"}}, {}, True),
        ({"ForAnyValue:StringLike": {"k": "a*"}}, {"k": ["ax", "c"]}, True),
        ({"ForAnyValue:StringLike": {"k": "a*"}}, {}, False),
        ({"StringLike": {"k": "a*"}, "Null": {"m": "true"}}, {"k": ["a"], "m": ["x"]}, False),
    ],
)
def test_conditions_hold_as_iam_says(condition: dict[str, Any], context: dict[str, list[str]], holds: bool) -> None:
    assert judged(condition, context) is holds


def test_what_it_does_not_know_it_refuses_to_judge() -> None:
    with pytest.raises(Unknown):
        judged({"NumericLessThan": {"k": "3"}}, {"k": ["2"]})
    with pytest.raises(Unknown):
        judged({"StringLike": {"k": "a"}}, {"k": ["a", "b"]})
    with pytest.raises(Unknown):
        allows([statement(NotAction=["s3:*"])], Request("s3:GetObject", "Bucket/x"))
