"""The same events for who has no socket: the same numbers, the same rights."""

import asyncio
import time
from typing import Any

import pytest

from almanac.aws import keys
from almanac.aws.table import dynamo
from realtime import service
from tests.integration.realtime.world import World


def sequences(world: World, **query: Any) -> list[int]:
    answer = world.poll(world.topic, **query)
    assert answer.status == 200, answer.text
    return [each["sequence"] for each in answer.json["items"]]


def expire(world: World, *numbers: int) -> None:
    for number in numbers:
        key = keys.topic_event(world.tenant, world.topic, number)
        world.stack.client("dynamodb").update_item(
            TableName="almanac",
            Key=dynamo(key.as_dict()),
            UpdateExpression="SET expires_at = :past",
            ExpressionAttributeValues=dynamo({":past": int(time.time()) - 1}),
        )


def test_polling_gives_what_a_socket_gives(world: World) -> None:
    client = world.connect()
    client.subscribe(world.topic)
    world.tell(*(world.happened(step=step) for step in range(5)))
    client.hear()
    assert world.poll(world.topic).json["items"] == client.events[world.topic]


def test_pages_follow_one_another_without_gap_or_repetition(world: World) -> None:
    world.tell(*(world.happened() for _ in range(7)))
    seen: list[int] = []
    after = 0
    while page := world.poll(world.topic, after=after, limit=3).json["items"]:
        seen += [each["sequence"] for each in page]
        after = seen[-1]
    assert seen == list(range(1, 8))


def test_a_topic_of_which_nothing_happened_yet_is_empty(world: World) -> None:
    assert world.poll(world.topic).json == {"topic": world.topic, "items": [], "after": 0}


def test_who_asks_for_what_is_not_kept_any_more_learns_from_where_it_can_go_on(world: World) -> None:
    world.tell(*(world.happened() for _ in range(5)))
    expire(world, 1, 2)

    answer = world.poll(world.topic, after=0)
    assert (answer.status, answer.json["code"], answer.json["oldest"]) == (410, "gone", 3)
    assert sequences(world, after=2) == [3, 4, 5]
    assert sequences(world) == [3, 4, 5]
    client = world.connect()
    client.subscribe(world.topic, resume_from=1)
    (frame,) = client.hear()
    assert (frame["code"], frame["oldest"], frame["topic"]) == ("gone", 3, world.topic)


def test_when_nothing_is_kept_any_more_it_goes_on_behind_the_last(world: World) -> None:
    world.tell(world.happened(), world.happened())
    expire(world, 1, 2)
    assert world.poll(world.topic, after=1).json["oldest"] == 3
    assert world.poll(world.topic).json["after"] == 2
    assert sequences(world, after=2) == []


def test_a_number_that_was_not_reached_yet_is_refused(world: World) -> None:
    world.tell(world.happened())
    answer = world.poll(world.topic, after=9)
    assert (answer.status, answer.json["oldest"]) == (410, 2)


def test_a_call_may_wait_for_an_event(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_LOOK_SECONDS", 0.05)
    original = asyncio.sleep
    event = world.happened()

    async def sleep(seconds: float) -> None:
        from realtime import wiring

        await wiring.teller().tell(event)
        await original(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert sequences(world, after=0, wait=5) == [1]


def test_a_call_that_waited_in_vain_is_empty(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_LOOK_SECONDS", 0.01)
    assert sequences(world, after=0, wait=1) == []
