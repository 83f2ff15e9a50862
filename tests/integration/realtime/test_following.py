"""What happens reaches who follows it, each event once and in order, across reconnections."""

import pytest

from almanac import runtime
from almanac.access import Role
from almanac.errors import RetryableError, TerminalError
from almanac.events import Happened
from realtime.gateway import Gateway
from realtime.log import TopicLog
from realtime.model import Told
from tests.integration.realtime.world import World, make_world


def test_whoever_follows_a_topic_receives_its_events_in_order(world: World) -> None:
    client = world.connect()
    client.subscribe(world.topic)
    (reply,) = client.hear()
    assert reply == {"type": "subscribed", "topic": world.topic, "sequence": 0}

    world.tell(*(world.happened(step=step) for step in range(12)))

    client.hear()
    told = client.events[world.topic]
    assert [each["sequence"] for each in told] == list(range(1, 13))
    assert [each["data"]["step"] for each in told] == list(range(12))
    assert told[0] == {
        "sequence": 1,
        "type": "thing.changed",
        "at": "2026-01-01T00:00:00.000Z",
        "resource_id": world.project,
        "data": {"step": 0},
    }


def test_a_client_that_comes_again_misses_nothing_and_hears_nothing_twice(world: World) -> None:
    first = world.connect()
    first.subscribe(world.topic)
    world.tell(world.happened(), world.happened())
    assert first.sequences(world.topic) == [1, 2]
    first.disconnect()
    world.tell(*(world.happened() for _ in range(3)))

    second = world.connect()
    second.subscribe(world.topic, resume_from=2)
    world.tell(world.happened())

    assert second.sequences(world.topic) == [3, 4, 5, 6]
    sent = [each["sequence"] for frame in second.frames if frame["type"] == "events" for each in frame["events"]]
    assert sent == [3, 4, 5, 6]


def test_an_event_that_happens_while_older_ones_are_told_again_comes_after_them_and_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.tell(*(world.happened() for _ in range(3)))
    client = world.connect()
    original = Gateway.post
    late = [world.happened(), world.happened()]

    async def post(self: Gateway, connection_id: str, text: str) -> object:
        posted = await original(self, connection_id, text)
        if late and '"events"' in text:
            from realtime import wiring

            await wiring.teller().tell(late.pop())
        return posted

    monkeypatch.setattr(Gateway, "post", post)
    client.subscribe(world.topic, resume_from=0)

    assert client.sequences(world.topic) == [1, 2, 3, 4, 5]
    assert runtime.loop() is not None


def test_the_same_message_again_gets_no_second_number(world: World) -> None:
    client = world.connect()
    client.subscribe(world.topic)
    once = world.happened(resource="doc_1", version=3, state="ready")
    world.tell(once)
    world.publish(once)
    world.stack.drain()
    again = world.happened()
    world.tell(again)
    world.tell(again)

    assert client.sequences(world.topic) == [1, 2]


def test_an_older_state_that_arrives_after_a_newer_one_is_left_out(world: World) -> None:
    client = world.connect()
    client.subscribe(world.topic)
    world.tell(world.happened(resource="doc_1", version=5, percent=50))
    world.tell(world.happened(resource="doc_1", version=4, percent=40))
    world.tell(world.happened(resource="doc_2", version=1, percent=10))

    client.hear()
    assert [each["data"]["percent"] for each in client.events[world.topic]] == [50, 10]


def test_events_behind_one_that_fails_for_a_while_wait_for_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client, other = world.connect(), make_world(world.stack, world.sockets)
    client.subscribe(world.topic)
    failures = iter(range(2))
    original = TopicLog.append

    async def append(self: TopicLog, event: Happened, topic: str) -> Told | None:
        if event.data.get("step") == 1 and next(failures, None) is not None:
            raise RetryableError("the table is busy")
        return await original(self, event, topic)

    monkeypatch.setattr(TopicLog, "append", append)
    world.publish(*(world.happened(step=step) for step in range(4)))
    other.tell(other.happened())

    client.hear()
    assert [each["data"]["step"] for each in client.events[world.topic]] == [0, 1, 2, 3]
    assert len(other.poll(other.topic).json["items"]) == 1


def test_an_event_that_never_succeeds_goes_aside_with_its_cause_and_the_others_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = world.connect()
    client.subscribe(world.topic)
    original = TopicLog.append

    async def append(self: TopicLog, event: Happened, topic: str) -> Told | None:
        if event.data.get("step") == 1:
            raise TerminalError("bad", "It is bad.")
        return await original(self, event, topic)

    monkeypatch.setattr(TopicLog, "append", append)
    world.tell(*(world.happened(step=step) for step in range(3)))

    client.hear()
    assert [each["data"]["step"] for each in client.events[world.topic]] == [0, 2]
    (dead,) = world.stack.dead_letters("Realtime")
    assert (dead["code"], dead["body"]["data"]) == ("bad", {"step": 1})


def test_who_unsubscribed_or_went_away_is_told_nothing_more(world: World) -> None:
    leaving, gone = world.connect(), world.connect()
    for client in (leaving, gone):
        client.subscribe(world.topic)
    leaving.say(action="unsubscribe", topic=world.topic)
    gone.disconnect()

    world.tell(world.happened())

    assert leaving.sequences(world.topic) == []
    assert leaving.frames[-1] == {"type": "unsubscribed", "topic": world.topic}
    assert gone.sequences(world.topic) == []


def test_a_ping_is_answered(world: World) -> None:
    client = world.connect(world.member(Role.VIEWER))
    client.say(action="ping")
    assert client.hear() == [{"type": "pong"}]
