"""What fails on our side costs a client its connection, never an event: it comes again and resumes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from almanac.errors import RetryableError
from almanac.limits import admission
from realtime import socket, talking
from realtime.connections import ConnectionStore
from realtime.model import MAX_EVENT_BYTES
from realtime.telling import Teller
from tests.integration.harness import Context
from tests.integration.realtime.world import World, event

PASSED_ON = 32 * 1024
"""What API Gateway takes as one frame of a WebSocket; it closes the connection on which a longer one comes."""


def test_a_frame_that_could_not_be_answered_ends_the_connection(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    client = world.connect()

    async def follow(*_: Any) -> bool:
        raise RetryableError("the transaction kept conflicting with others")

    monkeypatch.setattr(ConnectionStore, "follow", follow)
    socket.handler(event("MESSAGE", client.id, json.dumps({"action": "subscribe", "topic": world.topic})), Context())
    # Silent, it would wait for events for as long as it is open.
    assert client.is_closed


def test_who_has_much_to_catch_up_with_does_so_in_several_turns(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(talking, "SECONDS", 0.0)
    monkeypatch.setattr(talking, "_PAGE", 3)
    world.tell(*(world.happened() for _ in range(7)))
    client = world.connect()
    turns = 0
    while not turns or client.frames[-1].get("code") == "busy":
        had = client.sequences(world.topic)
        client.subscribe(world.topic, resume_from=had[-1] if had else 0)
        client.hear()
        turns += 1
    assert client.sequences(world.topic) == list(range(1, 8))
    assert turns == 3
    world.tell(world.happened())
    assert client.sequences(world.topic)[-1] == 8


def test_followers_of_an_event_that_has_a_number_and_was_never_sent_are_cut_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = world.connect()
    client.subscribe(world.topic)
    original = Teller._send

    async def send(self: Teller, tenant_id: str, told: Any, *more: Any) -> None:
        if told.shown["data"] == {"step": 1}:
            raise RetryableError("the table is busy")
        await original(self, tenant_id, told, *more)

    monkeypatch.setattr(Teller, "_send", send)
    world.tell(*(world.happened(step=step) for step in range(3)))

    # It would have heard the third without the second.
    assert client.sequences(world.topic) == [1]
    assert client.is_closed
    again = world.connect()
    again.subscribe(world.topic, resume_from=1)
    assert again.sequences(world.topic) == [2, 3]


def test_the_same_message_after_another_of_the_same_version_gets_no_second_number(world: World) -> None:
    first = world.happened(resource="msg_1", version=1, state="failed")
    second = world.happened(resource="msg_1", version=1, state="indexed").model_copy(
        update={"at": "2026-01-01T00:00:01.000Z"}
    )
    world.tell(first, second)
    world.publish(first)
    world.stack.drain()
    assert [each["data"]["state"] for each in world.poll(world.topic).json["items"]] == ["failed", "indexed"]


def test_no_text_is_longer_than_what_the_gateway_takes_as_one_frame(world: World) -> None:
    client = world.connect()
    client.subscribe(world.topic)
    sizes = (MAX_EVENT_BYTES - 600, MAX_EVENT_BYTES, 10_000, 10_000, 10_000, 10_000)
    world.tell(*(world.happened(text="x" * size) for size in sizes))
    client.hear()
    again = world.connect()
    again.subscribe(world.topic, resume_from=0)
    assert again.sequences(world.topic) == [1, 2, 3, 4, 5, 6]
    texts = [*world.sockets.posted[client.id], *world.sockets.posted[again.id]]
    assert max(len(text.encode()) for text in texts) <= PASSED_ON


@pytest.fixture
def _few_calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    given = {"TENANT_RATE": 2, "TENANT_BURST": 100, "ACTOR_RATE": 1, "ACTOR_BURST": 6}
    for name, value in given.items():
        monkeypatch.setenv(f"ALMANAC_{name}", str(value))
    admission.settings.cache_clear()
    admission.limiter.cache_clear()
    yield
    monkeypatch.undo()
    admission.settings.cache_clear()
    admission.limiter.cache_clear()


@pytest.mark.usefixtures("_few_calls")
def test_frames_spend_of_the_same_limits_as_calls(world: World) -> None:
    noisy, other = world.connect(), world.connect()
    for _ in range(8):
        if not noisy.is_closed:
            noisy.say(action="ping")
    assert noisy.hear()[-1]["code"] == "rate_limited"
    assert noisy.is_closed
    other.say(action="ping")
    assert other.hear() == [{"type": "pong"}]
