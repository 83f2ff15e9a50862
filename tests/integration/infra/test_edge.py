"""The local edge passes messages on as they are."""

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest

from infra.local.edge import create_edge


class _Echo(BaseHTTPRequestHandler):
    """Answers with what it was sent."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        told = {"path": self.path, "body": body.decode("latin-1"), "token": self.headers.get("Authorization")}
        answer = json.dumps(told).encode()
        self.send_response(202)
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        return


@pytest.fixture
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/_aws/execute-api/id/$default"
    server.shutdown()
    server.server_close()
    thread.join()


def call(upstream: str, method: str, path: str, **arguments: object) -> httpx.Response:
    async def send() -> httpx.Response:
        edge = create_edge(upstream)
        transport = httpx.ASGITransport(edge)
        async with (
            edge.router.lifespan_context(edge),
            httpx.AsyncClient(transport=transport, base_url="http://edge") as client,
        ):
            return await client.request(method, path, **arguments)  # type: ignore[arg-type]

    return asyncio.run(send())


def test_method_path_query_headers_and_bytes_pass_unchanged(upstream: str) -> None:
    answer = call(
        upstream, "POST", "/api/v1/a%2Fb?x=1&x=%20", content=b"\xff\x00", headers={"authorization": "Bearer k"}
    )
    assert answer.status_code == 202
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert answer.json() == {
        "path": "/_aws/execute-api/id/$default/api/v1/a%2Fb?x=1&x=%20",
        "body": "\xff\x00",
        "token": "Bearer k",
    }


def test_a_stack_that_does_not_answer_is_a_problem_that_says_what_to_do() -> None:
    answer = call("http://127.0.0.1:9", "GET", "/api/v1/projects")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "almanac up" in answer.json()["detail"]


def test_a_preflight_is_answered_without_asking_the_api() -> None:
    asking = {"origin": "http://localhost:3000", "access-control-request-method": "PATCH"}
    answer = call("http://127.0.0.1:9", "OPTIONS", "/api/v1/projects", headers=asking)
    assert answer.status_code == 200


def test_a_page_from_elsewhere_is_told_nothing_by_cors() -> None:
    for origin in ("https://evil.example", "http://localhost.evil.example", "http://127.0.0.1@evil.example", "null"):
        asking = {"origin": origin, "access-control-request-method": "GET"}
        answer = call("http://127.0.0.1:9", "OPTIONS", "/api/v1/projects", headers=asking)
        assert "access-control-allow-origin" not in answer.headers
