"""The template keeps its promises about queues, functions and variables."""

import json
import re
from typing import Any

import pytest

from almanac import settings as settings_module
from almanac.settings import Settings
from almanac.worker.batch import MAX_RECEIVES
from infra.template import load, resources

TEMPLATE = load()
QUEUES = resources(TEMPLATE, "AWS::SQS::Queue")
FUNCTIONS = resources(TEMPLATE, "AWS::Serverless::Function")
DEAD_LETTER = {name for name in QUEUES if name.endswith("DeadLetterQueue")}
WORKING = sorted(set(QUEUES) - DEAD_LETTER)


def get_att(value: Any) -> str:
    return str(value["Fn::GetAtt"][0])


@pytest.mark.parametrize("queue", WORKING)
def test_a_queue_has_a_dead_letter_queue_that_keeps_longer_than_it(queue: str) -> None:
    policy = QUEUES[queue]["RedrivePolicy"]
    dead = get_att(policy["deadLetterTargetArn"])
    assert dead in DEAD_LETTER
    assert policy["maxReceiveCount"] == MAX_RECEIVES
    assert QUEUES[dead]["MessageRetentionPeriod"] > QUEUES[queue]["MessageRetentionPeriod"]


@pytest.mark.parametrize("queue", sorted(DEAD_LETTER))
def test_a_dead_letter_queue_has_an_alarm_from_its_first_message(queue: str) -> None:
    alarms = [
        alarm
        for alarm in resources(TEMPLATE, "AWS::CloudWatch::Alarm").values()
        if {"Name": "QueueName", "Value": {"Fn::GetAtt": [queue, "QueueName"]}} in alarm.get("Dimensions", [])
    ]
    assert [(alarm["Threshold"], alarm["ComparisonOperator"]) for alarm in alarms] == [(0, "GreaterThanThreshold")]


@pytest.mark.parametrize("queue", WORKING)
def test_a_message_stays_hidden_six_times_as_long_as_its_worker_may_run(queue: str) -> None:
    consumers = [
        mapping["FunctionName"]["Ref"]
        for mapping in resources(TEMPLATE, "AWS::Lambda::EventSourceMapping").values()
        if mapping["EventSourceArn"] == {"Fn::GetAtt": [queue, "Arn"]}
    ]
    assert len(consumers) == 1
    assert QUEUES[queue]["VisibilityTimeout"] >= 6 * FUNCTIONS[consumers[0]]["Timeout"]


def test_every_worker_of_a_queue_reports_partial_failures() -> None:
    for mapping in resources(TEMPLATE, "AWS::Lambda::EventSourceMapping").values():
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_a_function_keeps_its_logs_for_a_limited_time(function: str) -> None:
    group = FUNCTIONS[function]["LoggingConfig"]["LogGroup"]["Ref"]
    assert "RetentionInDays" in resources(TEMPLATE, "AWS::Logs::LogGroup")[group]


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_no_statement_allows_every_action(function: str) -> None:
    for policy in FUNCTIONS[function].get("Policies", []):
        for statement in policy["Statement"]:
            if "Action" in statement:
                assert not [action for action in statement["Action"] if action.endswith("*")]


def test_every_alarm_is_heard_where_there_is_somebody_to_hear_it() -> None:
    for name, alarm in resources(TEMPLATE, "AWS::CloudWatch::Alarm").items():
        heard = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}
        assert alarm["AlarmActions"] == heard, name


def test_a_line_of_the_access_log_is_json() -> None:
    stage = resources(TEMPLATE, "AWS::ApiGatewayV2::Stage")["ApiStage"]
    written = re.sub(r"\$context(\.\w+)+", "-", stage["AccessLogSettings"]["Format"])
    assert set(json.loads(written).values()) == {"-"}
    # API Gateway puts this one between quotation marks of its own.
    assert "messageString" not in stage["AccessLogSettings"]["Format"]


def test_every_variable_of_a_function_is_a_setting() -> None:
    known = {
        f"ALMANAC_{name.upper()}"
        for cls in vars(settings_module).values()
        if isinstance(cls, type) and issubclass(cls, Settings)
        for name in cls.model_fields
    }
    unknown = [
        f"{function}: {variable}"
        for function, properties in FUNCTIONS.items()
        for variable in properties.get("Environment", {}).get("Variables", {})
        if variable.startswith("ALMANAC_") and variable not in known
    ]
    assert not unknown, "\n".join(unknown)


def test_the_gateway_keeps_no_answer_of_the_authorizer() -> None:
    (authorizer,) = resources(TEMPLATE, "AWS::ApiGatewayV2::Authorizer").values()
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0
    assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
