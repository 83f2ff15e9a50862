"""What happens, as it happens: over a socket, or by asking again and again where there is none.

A connection that breaks is made again and goes on behind the last event that was seen: nothing is missed and nothing
comes twice. A server that was there once is waited for when it goes away.
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
POLLED_SECONDS = 60.0
"""How long it is polled before a socket is tried again."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 15.0
PING_SECONDS = 240.0
"""Sooner than the gateway ends a connection on which nobody says anything (10 minutes)."""
_LONG_POLL_SECONDS = 20
OPEN_SECONDS = 30.0
"""How long a socket may take to open, and then to answer."""
_ATTEMPTS = 3
_FRAME_BYTES = 256 * 1024
# A new connection is the way out of these.
_PASSING = frozenset({"busy", "connection_gone", "rate_limited", "ticket_refused"})
_GONE = "gone"
_TOO_MANY_CALLS = 429

Notice = Callable[[str], None]
"""Is told what a person who watches should know besides the events."""


class Feed:
    """Events of one topic after `after`, or from now on when that is None. `is_live` tells whether over a socket."""

    def __init__(self, api: Api, topic: str, after: int | None = None, notice: Notice = lambda _: None) -> None:
        self._api = api
        self._topic = topic
        self._position = after
        self._notice = notice
        self._has_begun = False
        self.is_live = False

    def events(
        self, until: Callable[[], bool] = lambda: False, seconds: float | None = None
    ) -> Iterator[Document | None]:
        """Iterate over events, and None whenever nothing was heard for `seconds`; ends when `until` says so.

        Raises `CliError` when the topic cannot be followed, or not any more.
        """
        broken, pauses, said = 0, 0, ""
        while not until():
            polls = broken >= _ATTEMPTS
            # Whoever polled for a while tries once whether there are sockets now.
            broken = min(broken, _ATTEMPTS - 1)
            try:
                for event in self._polled(until, seconds) if polls else self._socket(until, seconds):
                    pauses, broken, said = 0, broken if polls else 0, ""
                    yield event
                continue
            except _Broken:
                broken += 1
            except CliError as error:
                if not (self._has_begun and passes(error)):
                    raise
                if error.problem != said:
                    said = error.problem
                    self._notice(f"{said} It is tried again.")
            self.is_live = False
            yield None
            longest = LONGEST_PAUSE_SECONDS if seconds is None else min(seconds, LONGEST_PAUSE_SECONDS)
            time.sleep(min(longest, FIRST_PAUSE_SECONDS * 2**pauses))
            pauses = min(pauses + 1, 10)

    def _socket(self, until: Callable[[], bool], seconds: float | None) -> Iterator[Document | None]:
        from websockets.exceptions import WebSocketException
        from websockets.sync.client import connect

        url = self._admitted()
        # A local stack is never behind the proxy that the environment names.
        proxied: Any = None if is_local(url) else True
        try:
            with connect(url, open_timeout=OPEN_SECONDS, max_size=_FRAME_BYTES, proxy=proxied) as socket:
                yield from self._heard(socket, until, seconds)
        except (WebSocketException, OSError, ValueError) as error:
            raise _Broken(str(error)) from None

    def _heard(
        self, socket: "ClientConnection", until: Callable[[], bool], seconds: float | None
    ) -> Iterator[Document | None]:
        self._ask(socket)
        said = asked = time.monotonic()
        while not until():
            patience = PING_SECONDS if self.is_live else OPEN_SECONDS
            try:
                frame = json.loads(socket.recv(timeout=min(seconds or patience, patience)))
            except TimeoutError:
                yield None
            else:
                if frame.get("code") == _GONE and self._goes_on(frame):
                    self._ask(socket)
                else:
                    yield from self._taken(frame)
            if not self.is_live and time.monotonic() - asked > OPEN_SECONDS:
                raise _Broken("nothing is answered")
            if time.monotonic() - said > PING_SECONDS:
                socket.send('{"action":"ping"}')
                said = time.monotonic()

    def _ask(self, socket: "ClientConnection") -> None:
        asked: Document = {"action": "subscribe", "topic": self._topic}
        socket.send(json.dumps(asked | ({} if self._position is None else {"resume_from": self._position})))

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
                self.is_live = self._has_begun = True
                if self._position is None:
                    self._position = int(frame["sequence"])
            case "events":
                yield from self._new(frame["events"])
            case "error" if frame.get("code") in _PASSING:
                raise _Broken(str(frame.get("detail")))
            case "error":
                raise _refusal(frame)
            case None:
                # Of the gateway: the frame before has not come to whoever would have answered it.
                raise _Broken(str(frame.get("message")))

    def _new(self, events: list[Document]) -> Iterator[Document]:
        for event in events:
            if self._position is None or event["sequence"] > self._position:
                self._position = event["sequence"]
                yield event

    def _goes_on(self, gone: Document) -> bool:
        """Go on with the oldest event that is kept, unless somebody asked for one by its number that is not."""
        if self._position and not self._has_begun:
            return False
        if self._has_begun:
            self._notice(str(gone.get("detail")))
        self._position = int(gone["oldest"]) - 1
        return True

    def _polled(self, until: Callable[[], bool], seconds: float | None) -> Iterator[Document | None]:
        wait = _LONG_POLL_SECONDS if seconds is None else min(int(seconds), _LONG_POLL_SECONDS)
        if self._position is None:
            self._position = self._newest()
        began = time.monotonic()
        while not until():
            asked = time.monotonic()
            page = self._page(wait)
            self._has_begun = True
            yield from self._new(page["items"])
            # Behind the last item where what follows it is not for this caller.
            self._position = int(page["after"])
            if not page["items"]:
                yield None
                time.sleep(max(0.0, POLL_SECONDS - (time.monotonic() - asked)))
            if time.monotonic() - began >= POLLED_SECONDS:
                return

    def _page(self, wait: int) -> Document:
        try:
            page = self._api.get(EVENTS, topic=self._topic, after=self._position, limit=PAGE, wait=wait or None)
        except CliError as error:
            if error.fields.get("code") != _GONE or not self._goes_on({"detail": error.problem, **error.fields}):
                raise
            return {"items": [], "after": self._position}
        return dict(page)

    def _newest(self) -> int:
        """Return the number of the topic's last event, 0 where there was none."""
        after: int | None = None
        while (page := self._api.get(EVENTS, topic=self._topic, after=after, limit=PAGE))["after"] != after:
            after = int(page["after"])
        return after or 0


class _Broken(Exception):
    """The socket is not there, or not any more."""


def passes(error: CliError) -> bool:
    """Tell whether the API, which was there, may be there again later."""
    answered = int(error.fields.get("status", 0))
    return error.status is Exit.UNREACHABLE or answered >= 500 or answered == _TOO_MANY_CALLS


def _refusal(frame: Document) -> CliError:
    code = str(frame.get("code"))
    status = Exit.NOT_FOUND if code in {"not_found", "topic_not_found"} else Exit.API_ERROR
    way_out = "Without --after it goes on from now." if code == _GONE else "Check the topic's name and id."
    return CliError(str(frame.get("detail") or code), way_out, status, {"code": code})
