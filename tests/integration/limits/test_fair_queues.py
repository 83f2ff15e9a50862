"""What makes the queues fair: each message says whose it is. That SQS then lets the quiet go first, only AWS shows."""

import pytest

from almanac import runtime
from almanac.aws import outbox
from almanac.aws.table import Table
from almanac.events import Event, Queue, SyncRepository
from infra.template import load, resources
from tests.integration.harness import Stack


def _sync(tenant: str) -> Event:
    return SyncRepository(tenant_id=tenant, correlation_id="c" * 26, repository_id="rep_1", reason="push")


def test_every_message_names_its_tenant_as_its_group(stack: Stack) -> None:
    noisy, quiet = stack.tenant("Noisy"), stack.tenant("Quiet")
    table = Table("almanac", runtime.clients())
    runtime.run(table.transact([outbox.message(_sync(tenant)) for tenant in (noisy, noisy, quiet)]))
    stack.relay()
    answer = stack.client("sqs").receive_message(
        QueueUrl=stack.environment["ALMANAC_SYNC_QUEUE_URL"], MaxNumberOfMessages=10, AttributeNames=["MessageGroupId"]
    )
    groups = sorted(message["Attributes"]["MessageGroupId"] for message in answer["Messages"])
    assert groups == sorted([noisy, noisy, quiet])


IN_ORDER = {"RealtimeQueue", "RealtimeDeadLetterQueue"}


@pytest.mark.parametrize("name", sorted(resources(load(), "AWS::SQS::Queue")))
def test_only_news_is_first_in_first_out(name: str) -> None:
    # In such a queue a group is an order: one tenant's messages are handed out one batch at a time, which is what
    # who follows a topic is promised, and what all other work must not be.
    assert ("FifoQueue" in resources(load(), "AWS::SQS::Queue")[name]) == (name in IN_ORDER)


def test_every_consumer_has_a_cap_on_what_it_takes_of_the_account() -> None:
    sources = resources(load(), "AWS::Lambda::EventSourceMapping")
    of_queues = {name: each for name, each in sources.items() if _queue(each)}
    assert {_queue(each) for each in of_queues.values()} == {queue.value for queue in Queue} | {"arrivals"}
    assert [name for name, each in of_queues.items() if "ScalingConfig" not in each] == []


def _queue(mapping: dict[str, object]) -> str:
    source = mapping["EventSourceArn"]
    name = str(source["Fn::GetAtt"][0]) if isinstance(source, dict) else ""
    return name.removesuffix("Queue").lower() if name.endswith("Queue") else ""
