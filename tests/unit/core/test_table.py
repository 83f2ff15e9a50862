"""Writes as values: what they ask of DynamoDB, and that every item comes back as it was."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.aws.keys import Key
from almanac.aws.table import Check, Delete, Put, Update, dynamo, plain

KEY = Key("TENANT#ten_1", "ITEM")
NUMBERS = st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False, width=32)
VALUES = st.recursive(
    st.booleans() | st.text() | st.binary() | NUMBERS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=6))
def test_an_item_comes_back_as_it_was(item: dict[str, Any]) -> None:
    assert plain(dynamo(item)) == item


@given(st.sets(st.text(min_size=1), min_size=1))
def test_a_set_comes_back_as_a_set(members: set[str]) -> None:
    assert plain(dynamo({"members": members})) == {"members": members}


def test_an_attribute_that_is_none_is_left_out() -> None:
    assert dynamo({"a": None, "b": 1, "c": [None]}) == {"b": {"N": "1"}, "c": {"L": [{"NULL": True}]}}


def test_what_dynamodb_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        dynamo({"a": object()})


def test_a_put_creates_unless_told_otherwise() -> None:
    item = {**KEY.as_dict(), "name": "Acme"}
    assert Put(item).request("t")["Put"]["ConditionExpression"] == "attribute_not_exists(#pk)"
    assert "ConditionExpression" not in Put(item, overwrite=True).request("t")["Put"]
    conditional = Put(item, condition="#version = :was", values={":was": 3}).request("t")["Put"]
    assert conditional["ExpressionAttributeNames"] == {"#version": "version"}
    assert conditional["ExpressionAttributeValues"] == {":was": {"N": "3"}}


def test_an_update_sets_adds_and_removes_what_it_names() -> None:
    update = Update(KEY, set={"name": "Acme", "status": "new"}, add={"version": 1}, remove=["draft"])
    request = update.request("t")["Update"]
    assert request["UpdateExpression"] == "SET #name = :_name, #status = :_status ADD #version :_version REMOVE #draft"
    assert request["ConditionExpression"] == "attribute_exists(#pk)"
    assert set(request["ExpressionAttributeNames"]) == {"#pk", "#name", "#status", "#version", "#draft"}
    assert request["ExpressionAttributeValues"] == {
        ":_name": {"S": "Acme"},
        ":_status": {"S": "new"},
        ":_version": {"N": "1"},
    }


def test_setting_an_attribute_to_none_removes_it() -> None:
    request = Update(KEY, set={"name": "Acme", "error": None}).request("t")["Update"]
    assert request["UpdateExpression"] == "SET #name = :_name REMOVE #error"
    assert request["ExpressionAttributeValues"] == {":_name": {"S": "Acme"}}
    only = Update(KEY, set={"error": None}).request("t")["Update"]
    assert only["UpdateExpression"] == "REMOVE #error"
    assert "ExpressionAttributeValues" not in only


def test_a_condition_may_speak_of_an_attribute_that_the_update_sets() -> None:
    update = Update(KEY, set={"state": "synced"}, condition="#state = :state", values={":state": "indexing"})
    values = update.request("t")["Update"]["ExpressionAttributeValues"]
    assert values == {":state": {"S": "indexing"}, ":_state": {"S": "synced"}}


@pytest.mark.parametrize(
    "write",
    [Put(KEY.as_dict()), Update(KEY, set={"a": 1}), Delete(KEY, condition="#a = :a", values={":a": 1}), Check(KEY)],
)
def test_every_refusal_shows_what_stood_there(write: Put | Update | Delete | Check) -> None:
    ((_, request),) = write.request("t").items()
    assert request["ReturnValuesOnConditionCheckFailure"] == "ALL_OLD"


def test_an_unconditional_delete_may_find_nothing() -> None:
    assert Delete(KEY).request("t") == {"Delete": {"TableName": "t", "Key": dynamo(KEY.as_dict())}}
