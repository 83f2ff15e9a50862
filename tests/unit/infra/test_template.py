from pathlib import Path

import pytest
import yaml

from infra import template

DOCUMENT = template.load()
FUNCTIONS = template.resources(DOCUMENT, "AWS::Serverless::Function")
ROLES = template.resources(DOCUMENT, "AWS::IAM::Role")


def _statements(function: str) -> list[dict[str, object]]:
    """Return what a function may do: in its own right, and with the data of the tenant that it works for."""
    policies = list(FUNCTIONS[function].get("Policies", []))
    role = FUNCTIONS[function]["Environment"]["Variables"].get("ALMANAC_DATA_ROLE_ARN")
    if role is not None:
        policies += [each["PolicyDocument"] for each in ROLES[role["Fn::GetAtt"][0]]["Policies"]]
    statements = [statement for policy in policies for statement in policy["Statement"]]
    return [statement["Fn::If"][1] if "Fn::If" in statement else statement for statement in statements]


def test_short_tags_read_as_their_long_forms(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("a: !Ref B\nb: !GetAtt C.Arn\nc: !If [X, {d: !Sub '${E}'}, !Ref F]\n")
    assert template.load(path) == {
        "a": {"Ref": "B"},
        "b": {"Fn::GetAtt": ["C", "Arn"]},
        "c": {"Fn::If": ["X", {"d": {"Fn::Sub": "${E}"}}, {"Ref": "F"}]},
    }


def test_a_tag_that_makes_objects_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(yaml.YAMLError):
        template.load(path)


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_no_role_reaches_every_resource_of_a_service_that_can_name_them(function: str) -> None:
    for statement in _statements(function):
        if statement["Resource"] == "*":
            assert statement["Action"] == ["dynamodb:ListStreams"]


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_may_use_exactly_the_kinds_of_stores_whose_names_it_is_given(function: str) -> None:
    variables = FUNCTIONS[function]["Environment"]["Variables"]
    actions = {str(action).split(":")[0] for statement in _statements(function) for action in statement["Action"]}  # type: ignore[attr-defined]
    assert ("ALMANAC_TABLE" in variables) == ("dynamodb" in actions)
    assert ("ALMANAC_BUCKET" in variables) == ("s3" in actions)
    assert ("ALMANAC_KEY_ID" in variables) == ("kms" in actions)


def test_only_functions_behind_the_api_pay_for_snapshots() -> None:
    behind = {name for name in FUNCTIONS if f"{name.removesuffix('Function')}Integration" in DOCUMENT["Resources"]}
    snapshots = {name for name, properties in FUNCTIONS.items() if "SnapStart" in properties}
    assert snapshots == behind | {"AuthorizerFunction"}


def test_data_outlives_the_stack() -> None:
    for name in ("Table", "Bucket", "TokenKey"):
        resource = DOCUMENT["Resources"][name]
        assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")
