"""`almanac watch`: every event once and in order, over a socket that breaks or by asking again."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, serve

from almanac_cli import feed
from tests.unit.cli.conftest import Cli, FakeApi

TOPIC = "document:doc_1"
Talk = Callable[[ServerConnection, dict[str, Any]], None]


def event(sequence: int, **data: Any) -> dict[str, Any]:
    stamped = {"at": "2026-01-31T12:00:00.000Z", "resource_id": "doc_1"}
    return {"sequence": sequence, "type": "document.changed", **stamped, "data": data}


@contextmanager
def sockets(api: FakeApi, *talks: Talk) -> Iterator[None]:
    """Serve the sockets that the API's tickets lead to: each talk is one connection, given its first frame."""
    left = list(talks)

    def converse(socket: ServerConnection) -> None:
        left.pop(0)(socket, json.loads(socket.recv()))

    with serve(converse, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}/live?ticket=rtt_1"
        api.answer("POST", feed.TICKETS, {"ticket": "rtt_1", "url": url}, status=201)
        yield
        server.shutdown()
        thread.join()


def telling(*events: dict[str, Any], asked: dict[str, Any], begins: int) -> Talk:
    """Return a talk that expects a request and tells events."""

    def talk(socket: ServerConnection, first: dict[str, Any]) -> None:
        assert first == {"action": "subscribe", "topic": TOPIC, **asked}
        socket.send(json.dumps({"type": "subscribed", "topic": TOPIC, "sequence": begins}))
        socket.send(json.dumps({"type": "events", "topic": TOPIC, "events": events}))

    return talk


def watched(cli: Cli, *arguments: str) -> list[dict[str, Any]]:
    result = cli.run("watch", TOPIC, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(feed, "LONGEST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(feed, "POLL_SECONDS", 0.01)


def test_a_broken_connection_goes_on_after_the_last_event_and_repeats_none(api: FakeApi, cli: Cli) -> None:
    first = telling(event(5), event(6), asked={}, begins=4)
    second = telling(event(6), event(7), asked={"resume_from": 6}, begins=6)
    with sockets(api, first, second):
        assert [one["sequence"] for one in watched(cli, "--count", "3")] == [5, 6, 7]


def test_it_begins_after_the_event_that_is_named(api: FakeApi, cli: Cli) -> None:
    with sockets(api, telling(event(3, title="Plan", state="ready"), asked={"resume_from": 2}, begins=2)):
        shown = cli.run("watch", TOPIC, "--after", "2", "--count", "1").stdout
    assert "document.changed doc_1 Plan · ready" in shown


def test_without_sockets_the_same_events_are_polled_from_the_newest_on(api: FakeApi, cli: Cli) -> None:
    api.answer("POST", feed.TICKETS, {"detail": "No sockets."}, status=503)
    first: list[tuple[list[dict[str, Any]], int]] = [([event(1)], 1), ([], 1)]
    pages = [*first, ([event(2)], 2), ([], 3), ([event(4)], 4)]
    api.answer("GET", feed.EVENTS, *({"items": items, "after": after} for items, after in pages))
    assert [one["sequence"] for one in watched(cli, "--count", "2")] == [2, 4]
    asked = [request.query.get("after") for request in api.sent("GET", feed.EVENTS)]
    assert asked == [None, ["1"], ["1"], ["2"], ["3"]]


def test_what_cannot_be_followed_is_an_error_with_its_cause(api: FakeApi, cli: Cli) -> None:
    def refuse(socket: ServerConnection, _first: dict[str, Any]) -> None:
        socket.send(
            json.dumps({"type": "error", "topic": TOPIC, "code": "topic_not_found", "detail": "No such topic."})
        )

    with sockets(api, refuse):
        result = cli.run("watch", TOPIC)
    assert (result.exit_code, "No such topic." in result.stderr) == (4, True)


def test_a_busy_topic_is_asked_for_again(api: FakeApi, cli: Cli) -> None:
    def busy(socket: ServerConnection, _first: dict[str, Any]) -> None:
        socket.send(json.dumps({"type": "error", "topic": TOPIC, "code": "busy", "detail": "Later."}))

    with sockets(api, busy, telling(event(1), asked={}, begins=0)):
        assert [one["sequence"] for one in watched(cli, "--count", "1")] == [1]


def test_who_is_not_logged_in_is_told_so_at_once(api: FakeApi, cli: Cli) -> None:
    api.answer("POST", feed.TICKETS, {"detail": "Who are you?"}, status=401)
    assert cli.run("watch", TOPIC).exit_code == 5


def breaking(socket: ServerConnection, _first: dict[str, Any]) -> None:
    socket.close()


def test_a_server_that_was_away_for_a_while_is_waited_for(api: FakeApi, cli: Cli) -> None:
    away = [(503, {"detail": "Away."})] * 6
    back = telling(event(2), asked={"resume_from": 1}, begins=1)
    with sockets(api, telling(event(1), asked={}, begins=0), back):
        (admitted,) = api.answers["POST", feed.TICKETS]
        api.answers["POST", feed.TICKETS] = [admitted, *away, admitted]
        api.answers["GET", feed.EVENTS] = [(503, {"detail": "Away."})]
        result = cli.run("watch", TOPIC, "--count", "2", "--json")
    assert [json.loads(line)["sequence"] for line in result.stdout.splitlines()] == [1, 2]
    assert "Away." in result.stderr


def test_a_server_that_was_never_there_is_not_waited_for(api: FakeApi, cli: Cli) -> None:
    api.answer("POST", feed.TICKETS, {"detail": "Away."}, status=503)
    api.answer("GET", feed.EVENTS, {"detail": "Away."}, status=503)
    assert cli.run("watch", TOPIC).exit_code == 3


def test_who_lost_its_access_while_watching_is_told_so(api: FakeApi, cli: Cli) -> None:
    with sockets(api, telling(event(1), asked={}, begins=0)):
        (admitted,) = api.answers["POST", feed.TICKETS]
        api.answers["POST", feed.TICKETS] = [admitted, (403, {"detail": "Not any more."})]
        result = cli.run("watch", TOPIC)
    assert (result.exit_code, "Not any more." in result.stderr) == (5, True)


def test_sockets_are_tried_again_after_a_time_of_polling(
    api: FakeApi, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "POLLED_SECONDS", 0.0)
    with sockets(api, breaking, breaking, breaking, telling(event(2), asked={"resume_from": 1}, begins=1)):
        api.answer("GET", feed.EVENTS, {"items": [event(1)], "after": 1})
        told = watched(cli, "--after", "0", "--count", "2")
    assert [one["sequence"] for one in told] == [1, 2]


def gone(oldest: int) -> dict[str, Any]:
    detail = f"Events before {oldest} are not kept."
    return {"type": "error", "topic": TOPIC, "code": "gone", "detail": detail, "oldest": oldest}


def test_all_that_is_kept_begins_with_the_oldest_that_is(api: FakeApi, cli: Cli) -> None:
    def talk(socket: ServerConnection, first: dict[str, Any]) -> None:
        assert first["resume_from"] == 0
        socket.send(json.dumps(gone(oldest=8)))
        telling(event(8), asked={"resume_from": 7}, begins=7)(socket, json.loads(socket.recv()))

    with sockets(api, talk):
        assert [one["sequence"] for one in watched(cli, "--after", "0", "--count", "1")] == [8]
    api.answer("POST", feed.TICKETS, {"detail": "No sockets."}, status=404)
    api.answers["GET", feed.EVENTS] = [(410, gone(oldest=8)), (200, {"items": [event(8)], "after": 8})]
    assert [one["sequence"] for one in watched(cli, "--after", "0", "--count", "1")] == [8]
    assert api.sent("GET", feed.EVENTS)[-1].query["after"] == ["7"]


def test_what_was_missed_for_good_is_said_and_the_rest_told(api: FakeApi, cli: Cli) -> None:
    def talk(socket: ServerConnection, _first: dict[str, Any]) -> None:
        socket.send(json.dumps(gone(oldest=8)))
        telling(event(8), asked={"resume_from": 7}, begins=7)(socket, json.loads(socket.recv()))

    with sockets(api, telling(event(1), asked={}, begins=0), talk):
        result = cli.run("watch", TOPIC, "--count", "2", "--json")
    assert [json.loads(line)["sequence"] for line in result.stdout.splitlines()] == [1, 8]
    assert "not kept" in result.stderr


def test_a_number_that_is_not_kept_any_more_is_an_error(api: FakeApi, cli: Cli) -> None:
    with sockets(api, lambda socket, _: socket.send(json.dumps(gone(oldest=8)))):
        result = cli.run("watch", TOPIC, "--after", "3")
    assert (result.exit_code, "not kept" in result.stderr) == (1, True)


def test_a_request_that_was_lost_on_the_way_is_made_again(
    api: FakeApi, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(socket: ServerConnection, _first: dict[str, Any]) -> None:
        socket.send(json.dumps({"message": "Internal server error", "connectionId": "c", "requestId": "r"}))
        socket.recv()

    def silent(socket: ServerConnection, _first: dict[str, Any]) -> None:
        socket.recv()

    monkeypatch.setattr(feed, "OPEN_SECONDS", 0.5)
    with sockets(api, lose, silent, telling(event(1), asked={}, begins=0)):
        assert [one["sequence"] for one in watched(cli, "--count", "1")] == [1]
