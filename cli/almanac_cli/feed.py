"""What happens, as it happens: over a socket, or by asking again and again where there is none.

A connection that breaks is made again and goes on behind the last event that was seen: nothing is missed and nothing
comes twice.
"""

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from almanac_cli.client import Api, Document
from almanac_cli.errors import CliError, Exit
from almanac_cli.sign_in import is_local

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

TICKETS = "/api/v1/realtime/tickets"
EVENTS = "/api/v1/events"
PAGE = 100
POLL_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.2
PING_SECONDS = 240.0
"""Sooner than the gateway ends a connection on which nobody says anything (10 minutes)."""
_LONG_POLL_SECONDS = 20
_OPEN_SECONDS = 30.0
_ATTEMPTS = 3
_FRAME_BYTES = 256 * 1024
# A new connection is the way out of these.
_PASSING = frozenset({"busy", "connection_gone", "ticket_refused"})


class Feed:
    """Events of one topic after `after`, or from now on when that is None. `is_live` tells whether over a socket."""

    def __init__(self, api: Api, topic: str, after: int | None = None) -> None:
        self._api = api
        self._topic = topic
        self._position = after
        self.is_live = False

    def events(
        self, until: Callable[[], bool] = lambda: False, seconds: float | None = None
    ) -> Iterator[Document | None]:
        """Iterate over events, and None whenever nothing was heard for `seconds`; ends when `until` says so.

        Raises `CliError` when the topic cannot be followed.
        """
        failures = 0
        while not until():
            try:
                for event in self._socket(until, seconds):
                    failures = 0
                    yield event
            except _Broken:
                self.is_live = False
                failures += 1
            if failures >= _ATTEMPTS:
                yield from self._polled(until, seconds)
                return
            yield None
            time.sleep(FIRST_PAUSE_SECONDS * 2**failures)

    def _socket(self, until: Callable[[], bool], seconds: float | None) -> Iterator[Document | None]:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        url = self._admitted()
        # A local stack is never behind the proxy that the environment names.
        proxied: Any = None if is_local(url) else True
        try:
            with connect(url, open_timeout=_OPEN_SECONDS, max_size=_FRAME_BYTES, proxy=proxied) as socket:
                yield from self._heard(socket, until, seconds)
        except (WebSocketException, OSError, ValueError) as error:
            raise _Broken(str(error)) from None

    def _heard(
        self, socket: "ClientConnection", until: Callable[[], bool], seconds: float | None
    ) -> Iterator[Document | None]:
        asked: Document = {"action": "subscribe", "topic": self._topic}
        socket.send(json.dumps(asked | ({} if self._position is None else {"resume_from": self._position})))
        patience, said = min(seconds or PING_SECONDS, PING_SECONDS), time.monotonic()
        while not until():
            try:
                frame = json.loads(socket.recv(timeout=patience))
            except TimeoutError:
                yield None
            else:
                yield from self._taken(frame)
            if time.monotonic() - said > PING_SECONDS:
                socket.send('{"action":"ping"}')
                said = time.monotonic()

    def _admitted(self) -> str:
        """Return the address of one new connection."""
        try:
            return str(self._api.post(TICKETS)["url"])
        except CliError as error:
            if error.status is Exit.UNAUTHORIZED:
                raise
            raise _Broken(error.problem) from None

    def _taken(self, frame: Document) -> Iterator[Document]:
        """Give a frame's events that are new; raises `CliError` when it says that there will be none."""
        match frame.get("type"):
            case "subscribed":
                self.is_live = True
                if self._position is None:
                    self._position = int(frame["sequence"])
            case "events":
                yield from self._new(frame["events"])
            case "error" if frame.get("code") in _PASSING:
                raise _Broken(str(frame.get("detail")))
            case "error":
                raise _refusal(frame)

    def _new(self, events: list[Document]) -> Iterator[Document]:
        for event in events:
            if self._position is None or event["sequence"] > self._position:
                self._position = event["sequence"]
                yield event

    def _polled(self, until: Callable[[], bool], seconds: float | None) -> Iterator[Document | None]:
        wait = _LONG_POLL_SECONDS if seconds is None else min(int(seconds), _LONG_POLL_SECONDS)
        if self._position is None:
            self._position = self._newest()
        while not until():
            began = time.monotonic()
            page = self._api.get(EVENTS, topic=self._topic, after=self._position, limit=PAGE, wait=wait or None)
            yield from self._new(page["items"])
            # Behind the last item where what follows it is not for this caller.
            self._position = int(page["after"])
            if not page["items"]:
                yield None
                time.sleep(max(0.0, POLL_SECONDS - (time.monotonic() - began)))

    def _newest(self) -> int:
        """Return the number of the topic's last event, 0 where there was none."""
        after: int | None = None
        while (page := self._api.get(EVENTS, topic=self._topic, after=after, limit=PAGE))["after"] != after:
            after = int(page["after"])
        return after or 0


class _Broken(Exception):
    """The socket is not there, or not any more."""


def _refusal(frame: Document) -> CliError:
    code = str(frame.get("code"))
    status = Exit.NOT_FOUND if code in {"not_found", "topic_not_found"} else Exit.API_ERROR
    way_out = "Without --after it goes on from now." if code == "gone" else "Check the topic's name and id."
    return CliError(str(frame.get("detail") or code), way_out, status, {"code": code})
