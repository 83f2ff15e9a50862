"""What a request may be before anything reads it: its size, its JSON, its time; and what every answer says to browsers.

API Gateway has limits of its own (10 MB, 10,240 bytes of headers, 30 s); these are the product's, the same wherever it
runs, and answered as problems.
"""

import asyncio
import json
import re
from collections.abc import Iterable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from almanac.errors import AppError, TooLarge, Unavailable, Unprocessable
from almanac.web import problems

MAX_BODY_BYTES = 6 * 1024 * 1024
MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 100
MAX_ADDRESS_BYTES = 8 * 1024
MAX_JSON_DEPTH = 32
MAX_NUMBER_CHARACTERS = 40
# API Gateway gives up after 30 seconds; an answer that says why must leave before.
MAX_SECONDS = 29.0
_LAST_SECONDS = 0.5
# A body of this size is looked through in a thread: it would hold the event loop for milliseconds.
_LARGE = 64 * 1024

SECURITY_HEADERS = [
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"strict-transport-security", b"max-age=63072000; includeSubDomains"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
]

_STRUCTURE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)


class BodyTooLarge(TooLarge):
    """The request is larger than any route takes."""

    code = "body_too_large"


class HeadersTooLarge(AppError):
    """The request's headers are more, or larger, than any route takes."""

    status = 431
    code = "headers_too_large"
    title = "Request header fields too large"


class AddressTooLong(AppError):
    """The request's path and query are longer than any route takes."""

    status = 414
    code = "uri_too_long"
    title = "URI too long"


class UnsafeJson(Unprocessable):
    """The body is JSON that two readers may read differently, or that costs more to read than it says."""

    code = "json_refused"


class DeadlineExceeded(Unavailable):
    """The answer was not ready in time. What the call began may be done: look before trying again."""

    code = "deadline_exceeded"


EVERYWHERE: tuple[type[AppError], ...] = (BodyTooLarge, HeadersTooLarge, AddressTooLong, DeadlineExceeded)


class Edges:
    """Refuses what no route takes, and ends what takes too long.

    Bodies that are sent to a path which matches `files` are taken as they are: no JSON, whatever they are called.
    """

    def __init__(self, app: ASGIApp, files: re.Pattern[str] | None = None) -> None:
        self._app = app
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            check_head(scope)
            body = await _read(receive)
            if _is_json(scope) and not (self._files and self._files.fullmatch(scope["path"])):
                await (asyncio.to_thread(check_json, body) if len(body) > _LARGE else _at_once(body))
        except AppError as error:
            await problems.render(error, scope["path"])(scope, receive, send)
            return
        await self._in_time(scope, _again(body, receive), send)

    async def _in_time(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def sending(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        seconds = remaining_seconds(scope)
        try:
            async with asyncio.timeout(seconds) as limit:
                await self._app(scope, receive, sending)
        except TimeoutError:
            if began or not limit.expired():
                raise
            text = f"The answer was not ready after {seconds:.0f} seconds. What the call began may be done: look first."
            await problems.render(DeadlineExceeded(text), scope["path"])(scope, receive, send)


def check_head(scope: Scope) -> None:
    """Raise for an address or headers, or an announced body, beyond the limits."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    size = sum(len(name) + len(value) for name, value in headers)
    if len(headers) > MAX_HEADERS or size > MAX_HEADER_BYTES:
        raise HeadersTooLarge(f"A request has at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes together.")
    if len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"]) > MAX_ADDRESS_BYTES:
        raise AddressTooLong(f"Path and query hold at most {MAX_ADDRESS_BYTES} bytes; long queries go in a body.")
    announced = next((value for name, value in headers if name == b"content-length"), b"")
    if announced.isdigit() and int(announced[:20]) > MAX_BODY_BYTES:
        raise _too_large()


def check_json(body: bytes) -> None:
    """Raise `UnsafeJson` for depth, numbers, constants or repeated names that readers may differ about.

    A body that is not JSON at all passes: the route's own validation says so.
    """
    depth = 0
    for match in _STRUCTURE.finditer(body):
        first = body[match.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise UnsafeJson(f"JSON is nested at most {MAX_JSON_DEPTH} levels deep.", field="body")
        elif first in b"]}":
            depth -= 1
    try:
        json.loads(body, parse_int=_number, parse_float=_number, parse_constant=_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return


def remaining_seconds(scope: Scope) -> float:
    """Return how long an answer may take: until just before the invocation or the gateway ends."""
    context = scope.get("aws.context")
    if context is None or not hasattr(context, "get_remaining_time_in_millis"):
        return MAX_SECONDS
    return float(max(0.1, min(MAX_SECONDS, context.get_remaining_time_in_millis() / 1000 - _LAST_SECONDS)))


async def _read(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _too_large()
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return what hands the body on that was read already."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving


async def _at_once(body: bytes) -> None:
    check_json(body)


def _is_json(scope: Scope) -> bool:
    kind = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    media = kind.partition(b";")[0].strip().lower()
    return bool(media == b"application/json" or media.endswith(b"+json"))


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"A request body holds at most {MAX_BODY_BYTES} bytes.", field="body")


def _number(text: str) -> float:
    if len(text) > MAX_NUMBER_CHARACTERS:
        raise UnsafeJson(f"A number has at most {MAX_NUMBER_CHARACTERS} characters.", field="body")
    return 0.0


def _constant(text: str) -> None:
    raise UnsafeJson(f"{text} is not JSON.", field="body")


def _once(pairs: Iterable[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            shown = name[:40].encode("utf-8", "replace").decode()
            raise UnsafeJson(f"The name {shown!r} stands twice in one object.", field="body")
        seen.add(name)
