"""The edges of every request: what is refused before anything reads it, and what every answer tells a browser."""

import asyncio
import json
from contextlib import suppress
from typing import Any

import pytest
from fastapi import APIRouter
from hypothesis import given
from hypothesis import strategies as st

from almanac.web import edges
from almanac.web.app import Handler, create_app, include, lambda_handler
from tests.integration.harness import Answer, Context, request_event

JSON = {"content-type": "application/json"}
BROWSER = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.fixture(scope="module")
def handler() -> Handler:
    app = create_app("test", "test")
    router = APIRouter()

    @router.post("/things")
    async def create_thing(body: dict[str, Any]) -> dict[str, Any]:
        return body

    @router.get("/slow")
    async def slow() -> dict[str, str]:
        await asyncio.sleep(30)
        return {}

    include(app, router, prefix="")
    return lambda_handler(app)


def send(handler: Handler, body: bytes | None, path: str = "/things", **arguments: Any) -> Answer:
    method = "GET" if body is None else "POST"
    context = Context(arguments.pop("milliseconds", 60_000))
    response = handler(request_event(method, path, body, **arguments), context)
    return Answer(response["statusCode"], {k.lower(): v for k, v in response["headers"].items()}, response["body"])


@pytest.mark.parametrize("path", ["/things", "/nothing"])
def test_every_answer_tells_a_browser_to_do_nothing_with_it(handler: Handler, path: str) -> None:
    answer = send(handler, b"{}", path, headers=JSON)
    assert {name: answer.headers[name] for name in BROWSER} == BROWSER


@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"{}", {"content-length": str(edges.MAX_BODY_BYTES + 1)}, 413, "body_too_large"),
        (b"{}", {"content-length": "9" * 400}, 413, "body_too_large"),
        (b" " * (edges.MAX_BODY_BYTES + 1), {"content-length": "2"}, 413, "body_too_large"),
        (b"{}", {"x-long": "x" * edges.MAX_HEADER_BYTES}, 431, "headers_too_large"),
        (b"{}", {f"x-{number}": "" for number in range(edges.MAX_HEADERS)}, 431, "headers_too_large"),
        (b"[" * 33 + b"]" * 33, JSON, 422, "json_refused"),
        (b'{"a": 1' + b"0" * 40 + b"}", JSON, 422, "json_refused"),
        (b'{"a": 0.' + b"1" * 40 + b"}", JSON, 422, "json_refused"),
        (b'{"a": NaN}', JSON, 422, "json_refused"),
        (b'{"a": [-Infinity]}', {"content-type": "application/merge-patch+json; charset=utf-8"}, 422, "json_refused"),
        (b'{"a": 1, "b": {"c": 1, "c": 1}}', JSON, 422, "json_refused"),
        (b'{"a": 1, "\\u0061": 2}', JSON, 422, "json_refused"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_no_route_takes_is_a_problem(
    handler: Handler, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    answer = send(handler, body, headers=headers)
    assert (answer.status, answer.json["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.text) < 1_000


def test_an_address_longer_than_any_route_takes_is_refused(handler: Handler) -> None:
    answer = send(handler, b"{}", "/things", query={"q": "x" * edges.MAX_ADDRESS_BYTES})
    assert (answer.status, answer.json["code"]) == (414, "uri_too_long")


def test_an_answer_that_is_not_ready_in_time_says_so_before_the_function_ends(handler: Handler) -> None:
    answer = send(handler, None, "/slow", milliseconds=700)
    assert (answer.status, answer.json["code"]) == (503, "deadline_exceeded")


def test_brackets_within_a_text_are_no_depth(handler: Handler) -> None:
    body = {"a": '\\"[[[[' * 50, "b\\": "]" * 50}
    assert send(handler, json.dumps(body).encode(), headers=JSON).json == body


@given(VALUES)
def test_json_within_the_limits_passes(value: Any) -> None:
    edges.check_json(json.dumps(value).encode())
    edges.check_json(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))


@given(st.binary(max_size=200))
def test_no_bytes_break_the_look_at_them(body: bytes) -> None:
    with suppress(edges.UnsafeJson):
        edges.check_json(body)


@given(st.integers(33, 3000), st.sampled_from([b"[", b'{"a":']))
def test_depth_is_bounded_however_it_is_spelled(depth: int, opening: bytes) -> None:
    with pytest.raises(edges.UnsafeJson):
        edges.check_json(opening * depth)
