import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from almanac.embeddings.base import NetworkRefused
from almanac.llm.base import Completion, Message, ModelBusy, ModelRefused, Reply
from almanac.llm.openai import OpenAILanguageModel

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
ASKED = Completion("Be brief.", [Message("user", "What is it?")], schema=SCHEMA)


def said(text: str | None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}, **more}
    return {"choices": [choice], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}


class Server:
    """Answers like the real endpoint, after the answers that the test puts before."""

    def __init__(self, *first: httpx.Response) -> None:
        self.first = list(first)
        self.requests: list[dict[str, Any]] = []
        self.headers: list[httpx.Headers] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(json.loads(request.content))
        self.headers.append(request.headers)
        return self.first.pop(0) if self.first else httpx.Response(200, json=said('{"a": "b"}'))


def model(server: Callable[[httpx.Request], httpx.Response]) -> OpenAILanguageModel:
    transport = httpx.MockTransport(server)
    return OpenAILanguageModel("gpt", base_url="https://example.test/v1/", api_key="k", pause=0, transport=transport)


def ask(server: Callable[[httpx.Request], httpx.Response], request: Completion = ASKED) -> Reply:
    return asyncio.run(model(server).complete(request))


def test_a_model_is_asked_for_json_of_a_form_and_without_chance() -> None:
    server = Server()
    assert ask(server) == Reply('{"a": "b"}', tokens_in=7, tokens_out=3, stopped="end")
    (sent,) = server.requests
    assert sent["model"] == "gpt"
    assert sent["temperature"] == 0
    assert sent["max_tokens"] == ASKED.max_tokens
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What is it?"},
    ]
    assert sent["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "schema": SCHEMA, "strict": True},
    }
    assert server.headers[0]["authorization"] == "Bearer k"


def test_plain_text_is_asked_for_without_a_form() -> None:
    server = Server()
    ask(server, Completion("s", [Message("user", "broken \ud800")]))
    assert "response_format" not in server.requests[0]
    assert server.requests[0]["messages"][1]["content"] == "broken ?"


def test_a_server_that_knows_no_schema_is_asked_more_simply_from_then_on() -> None:
    server = Server(*[httpx.Response(400)] * 2)
    asked = model(server)

    async def twice() -> None:
        await asked.complete(ASKED)
        await asked.complete(ASKED)

    asyncio.run(twice())
    forms = [request.get("response_format", {}).get("type") for request in server.requests]
    assert forms == ["json_schema", "json_schema", "json_object", "json_object"]
    assert "max_completion_tokens" in server.requests[1]
    assert "temperature" not in server.requests[1]


def test_a_request_that_no_form_helps_is_refused_for_good() -> None:
    server = Server(*[httpx.Response(400, text="prompt told to nobody")] * 5)
    with pytest.raises(ModelRefused, match="400") as caught:
        ask(server)
    assert "nobody" not in str(caught.value)
    assert len(server.requests) == 5


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_final_and_does_not_repeat_what_the_provider_said(status: int) -> None:
    server = Server(httpx.Response(status, text="invalid key sk-secret"))
    with pytest.raises(ModelRefused, match=str(status)) as caught:
        ask(server)
    assert "secret" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_provider_is_asked_once_more(status: int) -> None:
    server = Server(httpx.Response(status, headers={"retry-after": "0"}))
    assert ask(server).text == '{"a": "b"}'
    server = Server(*[httpx.Response(status)] * 2)
    with pytest.raises(ModelBusy, match=str(status)):
        ask(server)
    assert len(server.requests) == 2


def test_a_lost_connection_is_tried_again_and_a_silent_provider_is_not() -> None:
    calls: list[Exception] = [httpx.ConnectError("refused")]
    server = Server()

    def flaky(request: httpx.Request) -> httpx.Response:
        if calls:
            raise calls.pop()
        return server(request)

    assert ask(flaky).stopped == "end"
    calls.append(httpx.ReadTimeout("slow"))
    with pytest.raises(ModelBusy, match="did not answer"):
        ask(flaky)


@pytest.mark.parametrize(
    ("answer", "stopped"),
    [
        (said("cut", finish_reason="length"), "length"),
        (said("", finish_reason="content_filter"), "refused"),
        (said(None, message={"content": None, "refusal": "I cannot."}), "refused"),
        (said("done", finish_reason="something new"), "end"),
    ],
)
def test_it_is_told_why_a_model_stopped(answer: dict[str, Any], stopped: str) -> None:
    assert ask(Server(httpx.Response(200, json=answer))).stopped == stopped


@pytest.mark.parametrize("answer", [{}, {"choices": []}, {"choices": [{}]}, {"choices": "x"}, ["x"], "x", None])
def test_an_answer_of_another_form_is_unusable(answer: Any) -> None:
    with pytest.raises(ModelRefused, match="usable"):
        ask(Server(httpx.Response(200, json=answer)))


def test_an_answer_that_is_no_json_is_unusable() -> None:
    with pytest.raises(ModelRefused, match="usable"):
        ask(Server(httpx.Response(200, text="<html>")))


def test_a_test_cannot_call_the_real_provider() -> None:
    real = OpenAILanguageModel("gpt", base_url="https://api.openai.com/v1", api_key="k")
    with pytest.raises(NetworkRefused):
        asyncio.run(real.complete(ASKED))


@pytest.fixture
def loopback() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            content = json.dumps(said(f"at {self.path}")).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    thread.join()
    server.server_close()


def test_it_speaks_http_to_any_server(loopback: str) -> None:
    reply = asyncio.run(OpenAILanguageModel("gpt", base_url=loopback, api_key=None).complete(ASKED))
    assert reply.text == "at /v1/chat/completions"
