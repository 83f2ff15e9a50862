import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from almanac.aws.clients import Clients
from almanac.embeddings.base import NetworkRefused
from almanac.embeddings.bedrock import BedrockEmbedder, Purpose
from almanac.errors import RetryableError, TerminalError

TITAN = "amazon.titan-embed-text-v2:0"
COHERE = "cohere.embed-multilingual-v3"


class Runtime:
    """A loopback server in the place of bedrock-runtime, behind the real AWS client."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.error: tuple[int, str] | None = None
        self.dimensions = 1024

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], dict[str, Any]]:
        self.calls.append((unquote(path), body))
        if self.error:
            return self.error[0], {"x-amzn-errortype": self.error[1]}, {"message": "told by the provider"}
        if "inputText" in body:
            return 200, {}, {"embedding": self.vector(body["inputText"]), "inputTextTokenCount": 1}
        return 200, {}, {"embeddings": [self.vector(text) for text in body["texts"]], "id": "1"}

    def vector(self, text: str) -> list[float]:
        return [float(len(text)), 1.0, *[0.0] * (self.dimensions - 2)]


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Runtime]:
    played = Runtime()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, headers, answer = played.answer(self.path, body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {**headers, "content-type": "application/json", "content-length": len(content)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    yield played
    server.shutdown()
    thread.join()
    server.server_close()


def embed(name: str, texts: list[str], *, dimensions: int | None = None, purpose: Purpose = "search_document") -> Any:
    async def call() -> Any:
        clients = Clients()
        model = BedrockEmbedder(name, clients, dimensions=dimensions)
        try:
            if purpose == "search_query":
                return await model.embed_query(texts[0])
            return await model.embed_documents(texts)
        finally:
            await clients.close()

    return asyncio.run(call())


def test_titan_takes_one_text_per_call_and_the_wanted_dimensions(runtime: Runtime) -> None:
    runtime.dimensions = 256
    codes = embed(TITAN, ["a", "bb", "ccc"], dimensions=256)
    assert codes.shape == (3, 256)
    assert codes[:, 1].tolist() == [127, 64, 42]
    assert {path for path, _ in runtime.calls} == {f"/model/{TITAN}/invoke"}
    assert {"inputText": "a", "dimensions": 256, "normalize": True} in [body for _, body in runtime.calls]


def test_cohere_takes_batches_and_is_told_what_they_are_for(runtime: Runtime) -> None:
    assert embed(COHERE, ["text"] * 100).shape == (100, 1024)
    assert embed(COHERE, ["query"], purpose="search_query").shape == (1024,)
    assert sorted(len(body["texts"]) for _, body in runtime.calls) == [1, 4, 96]
    assert [body["input_type"] for _, body in runtime.calls][-1] == "search_query"


def test_long_and_broken_text_is_cut_and_cleaned(runtime: Runtime) -> None:
    embed(COHERE, ["x" * 5000, "", "\ud800"])
    assert runtime.calls[0][1]["texts"] == ["x" * 2048, " ", "?"]


def test_a_refusal_is_final(runtime: Runtime) -> None:
    runtime.error = (403, "AccessDeniedException")
    with pytest.raises(TerminalError, match="AccessDeniedException") as caught:
        embed(TITAN, ["a"])
    assert "told by" not in str(caught.value)


def test_what_stays_throttled_comes_back_later(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    runtime.error = (429, "ThrottlingException")
    with pytest.raises(RetryableError, match="ThrottlingException"):
        embed(TITAN, ["a"])
    assert len(runtime.calls) > 1


def test_vectors_of_another_size_never_enter_an_index(runtime: Runtime) -> None:
    runtime.dimensions = 512
    with pytest.raises(TerminalError, match="1024"):
        embed(TITAN, ["a"])


def test_no_text_is_no_call(runtime: Runtime) -> None:
    assert embed(TITAN, []).shape == (0, 1024)
    assert runtime.calls == []


def test_a_test_cannot_call_the_real_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(NetworkRefused):
        embed(TITAN, ["a"])


def test_codes_are_int8(runtime: Runtime) -> None:
    assert embed(TITAN, ["a"]).dtype == np.int8
