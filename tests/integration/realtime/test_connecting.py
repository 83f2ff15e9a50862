"""Tickets open one connection each; what is dead is dropped, and holds nobody up."""

import json
import time

import pytest

from almanac.access import GRANTABLE, Permission, Role
from almanac.aws import keys
from almanac.aws.table import dynamo
from almanac.ids import new_ulid
from realtime import frames, gateway, socket, tickets
from realtime.model import MAX_EVENT_BYTES, MAX_FRAME_BYTES, MAX_TOPICS, Told
from tests.integration.harness import Context
from tests.integration.realtime.world import World, event, no_document


def test_a_ticket_opens_one_connection_and_no_second(world: World) -> None:
    ticket = world.ticket(world.member())
    assert world.open(ticket)[0] == 200
    assert world.open(ticket)[0] == 401


def test_a_ticket_is_good_for_a_minute(world: World) -> None:
    ticket = world.ticket(world.member())
    key = keys.ticket(world.tenant, tickets.digest(ticket))
    world.stack.client("dynamodb").update_item(
        TableName="almanac",
        Key=dynamo(key.as_dict()),
        UpdateExpression="SET expires_at = :past",
        ExpressionAttributeValues=dynamo({":past": int(time.time()) - 1}),
    )
    assert world.open(ticket)[0] == 401


@pytest.mark.parametrize("ticket", ["", "rtt_", "alm_01k9zq3v7m8x2c4b6n0d1f5g7h_" + "a" * 49, "rtt_" + "x" * 70])
def test_what_is_no_ticket_opens_nothing(world: World, ticket: str) -> None:
    assert world.open(ticket)[0] == 401


def test_a_ticket_of_one_tenant_is_unknown_in_another(world: World) -> None:
    ticket = world.ticket(world.member())
    other = world.stack.tenant().removeprefix("ten_")
    assert world.open(ticket.replace(world.tenant.removeprefix("ten_"), other))[0] == 401
    assert world.open(ticket)[0] == 200


def test_the_ticket_itself_is_stored_nowhere(world: World) -> None:
    ticket = world.ticket(world.member())
    items = world.stack.client("dynamodb").scan(TableName="almanac")["Items"]
    assert ticket not in json.dumps(items, default=str)


def test_a_connection_that_is_gone_is_removed_with_all_its_rows(world: World) -> None:
    gone, other = world.connect(), world.connect()
    for client in (gone, other):
        client.subscribe(world.topic)
    world.sockets.dead.add(gone.id)

    world.tell(world.happened())

    assert other.sequences(world.topic) == [1]
    items = world.stack.client("dynamodb").scan(TableName="almanac")["Items"]
    assert gone.id not in json.dumps(items, default=str)


def test_a_connection_that_cannot_be_reached_is_cut_off_and_delays_no_other(world: World) -> None:
    broken, other = world.connect(), world.connect()
    for client in (broken, other):
        client.subscribe(world.topic)
    world.sockets.broken.add(broken.id)

    world.tell(world.happened())
    world.sockets.broken.clear()
    world.tell(world.happened())

    assert other.sequences(world.topic) == [1, 2]
    assert broken.is_closed
    # It comes again for what it missed; had it stayed, it would have heard the second without the first.
    assert broken.sequences(world.topic) == []
    again = world.connect()
    again.subscribe(world.topic, resume_from=0)
    assert again.sequences(world.topic) == [1, 2]


def test_a_connection_that_takes_too_long_is_cut_off(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "PATIENCE_SECONDS", 0.3)
    slow, other = world.connect(), world.connect()
    for client in (slow, other):
        client.subscribe(world.topic)
    world.sockets.slow.add(slow.id)

    world.tell(world.happened(), world.happened())

    assert other.sequences(world.topic) == [1, 2]
    assert slow.is_closed


def test_a_connection_that_closes_leaves_nothing(world: World) -> None:
    client = world.connect()
    client.subscribe(world.topic)
    client.subscribe(no_document())
    client.disconnect()
    items = world.stack.client("dynamodb").scan(TableName="almanac")["Items"]
    assert client.id not in json.dumps(items, default=str)


def test_a_frame_of_a_connection_that_nobody_knows_closes_it(world: World) -> None:
    stranger = new_ulid()
    assert socket.handler(event("MESSAGE", stranger, '{"action":"ping"}'), Context())["statusCode"] == 200
    assert stranger in world.sockets.closed
    assert stranger not in world.sockets.posted


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{", '{"action":"shout"}', '{"action":"subscribe"}', '{"action":"ping","more":1}', "x" * 5000],
)
def test_a_frame_that_is_not_of_the_protocol_is_answered_with_what_is_wrong(world: World, body: str) -> None:
    client = world.connect()
    assert socket.handler(event("MESSAGE", client.id, body), Context())["statusCode"] == 200
    (frame,) = client.hear()
    assert (frame["type"], frame["code"]) == ("error", "invalid_frame")


def test_a_connection_follows_no_more_topics_than_it_may(world: World) -> None:
    client = world.connect()
    table = world.stack.client("dynamodb")
    table.update_item(
        TableName="almanac",
        Key=dynamo(keys.connection(world.tenant, client.id).as_dict()),
        UpdateExpression="SET topics = :topics",
        ExpressionAttributeValues=dynamo({":topics": [f"project:{n}" for n in range(MAX_TOPICS)]}),
    )

    client.subscribe(world.topic)
    assert client.hear()[-1]["code"] == "too_many_topics"
    client.say(action="unsubscribe", topic="project:0")
    client.subscribe(world.topic)
    world.tell(world.happened())
    assert client.sequences(world.topic) == [1]


def test_a_viewer_may_follow_and_an_auditor_may_not(world: World) -> None:
    world.connect(world.member(Role.VIEWER))
    refused = world.stack.call("realtime", "POST", "/api/v1/realtime/tickets", caller=world.member(Role.AUDITOR))
    assert refused.status == 403
    assert Permission.CONTENT_READ in GRANTABLE


def test_an_event_that_is_too_large_is_told_without_its_data(world: World) -> None:
    client = world.connect()
    client.subscribe(world.topic)
    world.tell(world.happened(text="x" * MAX_EVENT_BYTES))
    client.hear()
    assert client.events[world.topic][0]["data"] == {"left_out": "too_large"}


def test_events_that_are_told_again_are_cut_into_frames_that_the_gateway_passes_on(world: World) -> None:
    world.tell(*(world.happened(text="é" * 5_000) for _ in range(15)))
    client = world.connect()
    client.subscribe(world.topic, resume_from=0)
    assert client.sequences(world.topic) == list(range(1, 16))
    texts = world.sockets.posted[client.id]
    assert max(len(text.encode()) for text in texts) <= MAX_FRAME_BYTES
    assert 3 < len(texts) < 10


def test_frames_hold_every_event_once_and_in_order_whatever_their_sizes() -> None:
    told = [
        Told(topic="t", sequence=n, text=json.dumps({"sequence": n, "data": "x" * (n * 7919 % 30_000)}), expires_at=0)
        for n in range(1, 60)
    ]
    texts = list(frames.events("t", told))
    assert all(len(text.encode()) <= MAX_FRAME_BYTES for text in texts)
    assert [each["sequence"] for text in texts for each in json.loads(text)["events"]] == list(range(1, 60))
