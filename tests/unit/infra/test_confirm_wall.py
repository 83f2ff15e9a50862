"""What is to be confirmed on AWS is what the tests take for granted: here the judge of the tests stands for AWS."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from almanac.aws.wall import CLOSED
from infra import confirm_wall
from infra.confirm_wall import Stack, assumptions, checks, judge, render, seed, understand
from infra.template import load, resources
from tests.support.policies import Request, Statement, allows
from tests.support.roles import TAG, requests

STACK = Stack("almanac", "almanac", "key")
FIRST, SECOND = "ten_01k9zq3v7m8x2c4b6n0d1f5g7h", "ten_01k9zq3v7m8x2c4b6n0d1f5g7j"


def _denied(operation: str) -> ClientError:
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, operation)


class Aws:
    """A service that lets through what the statements allow to a tenant's session, and keeps objects' names."""

    def __init__(self, statements: list[Statement], tenant: str, service: str, objects: set[str]) -> None:
        self._statements = statements
        self._tenant = tenant
        self._service = service
        self._objects = objects

    def _may(self, request: Request) -> bool:
        tagged = {**request.context, TAG: (self._tenant,)}
        return allows(self._statements, Request(request.action, request.resource, tagged))

    def __getattr__(self, name: str) -> Any:
        operation = "".join(part.title() for part in name.split("_"))

        def call(**parameters: Any) -> None:
            if not all(map(self._may, requests(self._service, operation, parameters))):
                raise _denied(operation)
            if operation == "PutObject":
                self._objects.add(parameters["Key"])
            missing = operation == "GetObject" and parameters["Key"] not in self._objects
            if missing and not self._may(Request("s3:ListBucket", "Bucket")):
                raise _denied(operation)

        return call


class Sts:
    """STS in front of a role that trusts as the template's data roles do."""

    def __init__(self) -> None:
        role = resources(load(), "AWS::IAM::Role")["SearchDataRole"]
        self._trust = role["AssumeRolePolicyDocument"]["Statement"]

    def assume_role(self, **parameters: Any) -> None:
        tags = {tag["Key"]: tag["Value"] for tag in parameters["Tags"]}
        context = {f"aws:RequestTag/{name}": (value,) for name, value in tags.items()} | {"aws:TagKeys": tuple(tags)}
        if not allows(self._trust, Request("sts:AssumeRole", "", context)):
            raise _denied("AssumeRole")


def statements() -> list[Statement]:
    found = resources(load(), "AWS::IAM::Role")
    return [
        statement
        for role in confirm_wall.POLICIES_OF
        for policy in found[role]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def confirmed(granted: list[Statement]) -> list[tuple[confirm_wall.Check, str, bool]]:
    objects: set[str] = set()
    for tenant in (FIRST, SECOND):
        seed(STACK, tenant, lambda service, tenant=tenant: Aws(granted, tenant, service, objects))  # type: ignore[misc]
    return judge(list(checks(STACK, FIRST, SECOND, lambda service: Aws(granted, FIRST, service, objects))))


def test_the_templates_policies_give_the_answers_that_the_script_expects_of_aws() -> None:
    results = confirmed(statements())
    assert all(held for *_, held in results), render(results)
    assert {check.passes for check, *_ in results} == {True, False}


def test_sessions_are_made_out_to_one_tenant_or_not_at_all() -> None:
    results = judge(list(assumptions(Sts(), "arn", FIRST)))
    assert all(held for *_, held in results), render(results)


def test_a_wall_that_lets_through_too_much_is_shown_call_by_call() -> None:
    open_wall: list[Statement] = [{"Effect": "Allow", "Action": ["dynamodb:*", "s3:*", "kms:*"], "Resource": "*"}]
    results = confirmed(open_wall)
    bad = {check.name for check, _, held in results if not held}
    assert {"a scan", "an item of another tenant", "an object of another tenant", "a data key of no tenant"} <= bad
    assert "BAD  a scan" in render(results)


def test_a_call_that_fails_for_another_reason_confirms_nothing() -> None:
    def broken() -> None:
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no"}}, "GetItem")

    (passing,) = judge([confirm_wall.Check("x", True, broken)])
    (denied,) = judge([confirm_wall.Check("x", False, broken)])
    assert passing[1:] == denied[1:] == ("error ResourceNotFoundException", False)


def test_nothing_is_made_on_aws_without_a_yes(capsys: pytest.CaptureFixture[str]) -> None:
    assert confirm_wall.main(["--stack", "almanac"]) == 2
    assert "--yes" in capsys.readouterr().err


class Iam:
    """Roles as they come and go."""

    def __init__(self) -> None:
        self.roles: dict[str, dict[str, str]] = {}

    def create_role(self, *, RoleName: str, **_: Any) -> Any:  # noqa: N803
        self.roles[RoleName] = {}
        return {"Role": {"Arn": f"arn:aws:iam::1:role/{RoleName}"}}

    def put_role_policy(self, *, RoleName: str, PolicyName: str, PolicyDocument: str) -> None:  # noqa: N803
        if PolicyDocument == "too large":
            raise _denied("PutRolePolicy")
        self.roles[RoleName][PolicyName] = PolicyDocument

    def list_role_policies(self, *, RoleName: str) -> Any:  # noqa: N803
        return {"PolicyNames": list(self.roles[RoleName])}

    def delete_role_policy(self, *, RoleName: str, PolicyName: str) -> None:  # noqa: N803
        del self.roles[RoleName][PolicyName]

    def delete_role(self, *, RoleName: str) -> None:  # noqa: N803
        assert not self.roles.pop(RoleName)


@pytest.mark.parametrize("policies", [["{}", "{}"], ["{}", "too large"]])
def test_the_temporary_role_is_gone_whatever_happened(policies: list[str]) -> None:
    iam = Iam()

    def use() -> None:
        with confirm_wall.temporary_role(iam, "arn:aws:iam::1:user/ada", policies) as arn:
            assert arn.startswith("arn:aws:iam::1:role/almanac-confirm-")
            raise _denied("GetItem")

    with pytest.raises(ClientError):
        use()
    assert iam.roles == {}


def test_only_a_function_that_looked_for_the_tenant_had_a_session_for_it() -> None:
    understand({"errorType": "CommandRefused", "errorMessage": "There is no such tenant."})
    for told in ({"errorType": "CommandRefused", "errorMessage": CLOSED}, {"errorType": "ClientError"}, {}):
        with pytest.raises(ClientError):
            understand(told)
