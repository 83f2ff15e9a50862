import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from almanac.embeddings.base import NetworkRefused
from almanac.embeddings.openai import OpenAIEmbedder
from almanac.errors import RetryableError, TerminalError


class Server:
    """Answers like the real endpoint, after the answers that the test puts before."""

    def __init__(self, *first: httpx.Response) -> None:
        self.first = list(first)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[httpx.Headers] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.requests.append(body)
        self.headers.append(request.headers)
        if self.first:
            return self.first.pop(0)
        rows = [{"index": n, "embedding": [len(text), 1.0, 0.0]} for n, text in enumerate(body["input"])]
        return httpx.Response(200, json={"data": rows[::-1]})


def embedder(
    server: Callable[[httpx.Request], httpx.Response], name: str = "small", dimensions: int = 3
) -> OpenAIEmbedder:
    transport = httpx.MockTransport(server)
    return OpenAIEmbedder(
        name, base_url="https://example.test/v1/", api_key="k", dimensions=dimensions, pause=0, transport=transport
    )


def test_texts_go_in_batches_and_come_back_in_order() -> None:
    server = Server()
    codes = asyncio.run(embedder(server).embed_documents(["x" * n for n in range(1, 151)]))
    assert [len(request["input"]) for request in server.requests] == [64, 64, 22]
    assert codes.shape == (150, 3)
    assert codes[49].tolist() == [127, round(127 / 50), 0]
    assert server.headers[0]["authorization"] == "Bearer k"


def test_no_text_is_no_call() -> None:
    server = Server()
    assert asyncio.run(embedder(server).embed_documents([])).shape == (0, 3)
    assert server.requests == []


def test_empty_and_broken_text_is_sent_in_a_form_that_servers_take() -> None:
    server = Server()
    asyncio.run(embedder(server).embed_documents(["", "a\ud800"]))
    assert server.requests[0]["input"] == [" ", "a?"]


def test_only_models_that_can_shorten_are_asked_to() -> None:
    server = Server()
    asyncio.run(embedder(server).embed_query("text"))
    asyncio.run(embedder(server, "text-embedding-3-small").embed_query("text"))
    assert [request.get("dimensions") for request in server.requests] == [None, 3]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_provider_is_asked_again(status: int) -> None:
    server = Server(httpx.Response(status), httpx.Response(status, headers={"retry-after": "0"}))
    assert asyncio.run(embedder(server).embed_query("text")).tolist() == [127, 32, 0]
    assert len(server.requests) == 3


def test_a_lost_connection_is_tried_again() -> None:
    calls = 0
    server = Server()

    def flaky(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise httpx.ConnectError("refused")
        return server(request)

    assert np.any(asyncio.run(embedder(flaky).embed_query("text")))


def test_a_provider_that_stays_busy_is_a_reason_to_come_back_later() -> None:
    with pytest.raises(RetryableError, match="429"):
        asyncio.run(embedder(lambda _: httpx.Response(429)).embed_query("text"))


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_final_and_does_not_repeat_what_the_provider_said(status: int) -> None:
    server = Server(httpx.Response(status, text="invalid key sk-secret"))
    with pytest.raises(TerminalError, match=str(status)) as caught:
        asyncio.run(embedder(server).embed_query("text"))
    assert "secret" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [{"index": 0, "embedding": [1.0, 2.0]}]},
        {"data": [{"index": 0, "embedding": [1.0, None, 2.0]}]},
        {"data": []},
        {"data": [{"index": 0, "embedding": [1, 2, 3]}, {"index": 1, "embedding": [1, 2, 3]}]},
        {"error": "no"},
    ],
)
def test_vectors_of_another_shape_never_enter_an_index(answer: dict[str, Any]) -> None:
    with pytest.raises(TerminalError):
        asyncio.run(embedder(Server(httpx.Response(200, json=answer))).embed_query("text"))


def test_a_test_cannot_call_the_real_provider() -> None:
    real = OpenAIEmbedder("text-embedding-3-small", base_url="https://api.openai.com/v1", api_key="k")
    with pytest.raises(NetworkRefused):
        asyncio.run(real.embed_query("text"))
