"""Connections as API Gateway holds them, played on loopback, and clients that keep to the protocol."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from almanac import runtime
from almanac.access import Caller, Role
from almanac.aws import outbox
from almanac.aws.table import Table
from almanac.events import Happened
from almanac.ids import new_id, new_ulid
from realtime import socket
from tests.integration.harness import Answer, Context, Stack


class Sockets:
    """What was posted to which connection.

    Those in `dead` are gone, those in `broken` cannot be reached, those in `slow` answer after a second.
    """

    def __init__(self) -> None:
        self.posted: dict[str, list[str]] = {}
        self.dead: set[str] = set()
        self.broken: set[str] = set()
        self.slow: set[str] = set()
        self.closed: list[str] = []
        self.lock = threading.Lock()

    def post(self, connection_id: str, text: str) -> int:
        if connection_id in self.slow:
            time.sleep(1)
            return 500
        with self.lock:
            if connection_id in self.broken:
                return 500
            if connection_id in self.dead or connection_id in self.closed:
                return 410
            self.posted.setdefault(connection_id, []).append(text)
            return 200

    def close(self, connection_id: str) -> int:
        with self.lock:
            if connection_id in self.dead or connection_id in self.closed:
                return 410
            self.closed.append(connection_id)
            return 204


@contextmanager
def management() -> Iterator[tuple[str, Sockets]]:
    """Serve the management endpoint of a WebSocket API; yields its address and what it holds."""
    sockets = Sockets()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["content-length"])).decode()
            self._answer(sockets.post(self._connection(), text))

        def do_DELETE(self) -> None:
            self._answer(sockets.close(self._connection()))

        def _connection(self) -> str:
            return unquote(self.path.rsplit("/", 1)[-1])

        def _answer(self, status: int) -> None:
            self.send_response(status)
            if status == 410:
                self.send_header("x-amzn-ErrorType", "GoneException")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", sockets
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def event(kind: str, connection_id: str, body: str = "", **query: str) -> dict[str, Any]:
    """Return what API Gateway sends of a connection."""
    context = {"connectionId": connection_id, "eventType": kind, "requestId": new_ulid()}
    return {"requestContext": context, "queryStringParameters": query or None, "body": body}


@dataclass
class Client:
    """One connection, and what its other end made of it: of each topic the events that it had not yet."""

    world: "World"
    id: str
    read: int = 0
    frames: list[dict[str, Any]] = field(default_factory=list)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def say(self, **frame: Any) -> None:
        assert socket.handler(event("MESSAGE", self.id, json.dumps(frame)), Context())["statusCode"] == 200

    def subscribe(self, topic: str, resume_from: int | None = None) -> None:
        self.say(action="subscribe", topic=topic, **({} if resume_from is None else {"resume_from": resume_from}))

    def hear(self) -> list[dict[str, Any]]:
        """Read what arrived since the last time; returns the frames."""
        texts = self.world.sockets.posted.get(self.id, [])[self.read :]
        self.read += len(texts)
        new = [json.loads(text) for text in texts]
        self.frames += new
        for frame in new:
            if frame["type"] == "events":
                had = self.events.setdefault(frame["topic"], [])
                # The protocol's one rule for who receives: what was there already is not new.
                had += [each for each in frame["events"] if not had or each["sequence"] > had[-1]["sequence"]]
        return new

    def sequences(self, topic: str) -> list[int]:
        self.hear()
        return [each["sequence"] for each in self.events.get(topic, [])]

    def disconnect(self) -> None:
        self.world.sockets.dead.add(self.id)
        assert socket.handler(event("DISCONNECT", self.id), Context())["statusCode"] == 200

    @property
    def is_closed(self) -> bool:
        return self.id in self.world.sockets.closed


@dataclass
class World:
    """A tenant with a project, and whoever follows what happens in it."""

    stack: Stack
    sockets: Sockets
    tenant: str
    project: str

    @property
    def topic(self) -> str:
        return f"project:{self.project}"

    def member(self, role: Role = Role.MEMBER) -> Caller:
        return self.stack.member(self.tenant, role)

    def ticket(self, caller: Caller) -> str:
        answer = self.stack.call("realtime", "POST", "/api/v1/realtime/tickets", caller=caller)
        assert answer.status == 201, answer.text
        (ticket,) = parse_qs(urlsplit(answer.json["url"]).query)["ticket"]
        assert ticket == answer.json["ticket"]
        return str(ticket)

    def open(self, ticket: str) -> tuple[int, Client]:
        client = Client(self, new_ulid())
        return socket.handler(event("CONNECT", client.id, ticket=ticket), Context())["statusCode"], client

    def connect(self, caller: Caller | None = None) -> Client:
        status, client = self.open(self.ticket(caller or self.member()))
        assert status == 200
        return client

    def happened(
        self,
        *,
        topics: tuple[str, ...] | None = None,
        resource: str = "",
        version: int = 0,
        owners: tuple[str, ...] = (),
        event_id: str | None = None,
        **data: Any,
    ) -> Happened:
        return Happened(
            tenant_id=self.tenant,
            correlation_id="c" * 26,
            event_id=event_id or new_ulid(),
            type="thing.changed",
            topics=topics or (self.topic,),
            resource_id=resource or self.project,
            resource_version=version,
            owners=owners,
            at="2026-01-01T00:00:00.000Z",
            data=data,
        )

    def publish(self, *events: Happened) -> None:
        """Write events into the outbox, as the change that they tell of does."""
        table = Table("almanac", runtime.clients())
        for each in events:
            runtime.run(table.transact([outbox.message(each)]))

    def tell(self, *events: Happened) -> None:
        self.publish(*events)
        self.stack.drain()

    def poll(self, topic: str, *, caller: Caller | None = None, **query: Any) -> Answer:
        caller = caller or self.member()
        return self.stack.call("realtime", "GET", "/api/v1/events", query={"topic": topic, **query}, caller=caller)

    def make_private(self, member: Caller | None = None) -> None:
        path = f"/api/v1/projects/{self.project}"
        version = self.stack.call("projects", "GET", path, tenant=self.tenant).json["version"]
        changed = self.stack.call(
            "projects", "PATCH", path, {"version": version, "visibility": "private"}, tenant=self.tenant
        )
        assert changed.status == 200, changed.text
        if member is not None:
            assert member.principal is not None
            added = self.stack.call(
                "projects", "PUT", f"{path}/members/{member.principal.actor_id}", tenant=self.tenant
            )
            assert added.status == 200, added.text


def make_world(stack: Stack, sockets: Sockets) -> World:
    tenant = stack.tenant()
    project = stack.call("projects", "POST", "/api/v1/projects", {"name": "Payments"}, tenant=tenant).json["id"]
    return World(stack, sockets, tenant, project)


def no_document() -> str:
    return f"document:{new_id('doc')}"
