import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

from almanac.aws.clients import Clients
from almanac.embeddings.base import NetworkRefused
from almanac.llm.base import Completion, Message, ModelBusy, ModelRefused, Reply
from almanac.llm.bedrock import BedrockLanguageModel

MODEL = "anthropic.claude-3-5-haiku-20241022-v1:0"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
ASKED = Completion("Be brief.", [Message("user", "What is it?")], schema=SCHEMA)


def message(*blocks: Any, stop: str = "end_turn") -> dict[str, Any]:
    usage = {"inputTokens": 7, "outputTokens": 3, "totalTokens": 10}
    output = {"message": {"role": "assistant", "content": list(blocks)}}
    return {"output": output, "stopReason": stop, "usage": usage, "metrics": {"latencyMs": 1}}


USED = message({"text": "I use it."}, {"toolUse": {"toolUseId": "1", "name": "answer", "input": {"a": "b"}}})


class Runtime:
    """A loopback server in the place of bedrock-runtime, behind the real AWS client. The last answer is repeated."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: list[Any] = [USED]

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        self.calls.append((unquote(path), body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, tuple):
            return answer[0], {"x-amzn-errortype": answer[1]}, {"message": "told by the provider"}
        return 200, {}, answer


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
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    yield played
    server.shutdown()
    thread.join()
    server.server_close()


def ask(*requests: Completion) -> list[Reply]:
    async def call() -> list[Reply]:
        clients = Clients()
        model = BedrockLanguageModel(MODEL, clients)
        try:
            return [await model.complete(request) for request in requests]
        finally:
            await clients.close()

    return asyncio.run(call())


def test_a_model_is_held_to_a_form_by_a_tool_that_it_must_use(runtime: Runtime) -> None:
    assert ask(ASKED) == [Reply('{"a": "b"}', tokens_in=7, tokens_out=3, stopped="end")]
    ((path, sent),) = runtime.calls
    assert path == f"/model/{MODEL}/converse"
    assert sent["system"] == [{"text": "Be brief."}]
    assert sent["messages"] == [{"role": "user", "content": [{"text": "What is it?"}]}]
    assert sent["inferenceConfig"] == {"maxTokens": ASKED.max_tokens, "temperature": 0.0}
    assert sent["toolConfig"]["toolChoice"] == {"tool": {"name": "answer"}}
    assert sent["toolConfig"]["tools"][0]["toolSpec"]["inputSchema"] == {"json": SCHEMA}


def test_plain_text_is_asked_for_without_a_tool(runtime: Runtime) -> None:
    runtime.answers = [message({"text": "one "}, {"text": "two"})]
    assert ask(Completion("", [Message("user", "\ud800")]))[0].text == "one two"
    assert "toolConfig" not in runtime.calls[0][1]
    assert runtime.calls[0][1]["system"] == [{"text": " "}]
    assert runtime.calls[0][1]["messages"][0]["content"] == [{"text": "?"}]


def test_a_model_without_tools_is_asked_in_words_from_then_on(runtime: Runtime) -> None:
    runtime.answers = [(400, "ValidationException"), message({"text": '{"a": "c"}'})]
    assert [reply.text for reply in ask(ASKED, ASKED)] == ['{"a": "c"}'] * 2
    assert ["toolConfig" in body for _, body in runtime.calls] == [True, False, False]


def test_a_refusal_is_final_and_does_not_repeat_what_the_provider_said(runtime: Runtime) -> None:
    for code in ("AccessDeniedException", "ValidationException"):
        runtime.answers = [(403 if code.startswith("Access") else 400, code)]
        with pytest.raises(ModelRefused, match=code) as caught:
            ask(ASKED)
        assert "told by" not in str(caught.value)


def test_what_stays_throttled_comes_back_later(runtime: Runtime) -> None:
    runtime.answers = [(429, "ThrottlingException")]
    with pytest.raises(ModelBusy, match="ThrottlingException"):
        ask(ASKED)
    assert len(runtime.calls) > 1


def test_a_provider_that_cannot_be_reached_is_busy(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:9")
    with pytest.raises(ModelBusy, match="does not answer"):
        ask(ASKED)


@pytest.mark.parametrize(
    ("reason", "stopped"),
    [("max_tokens", "length"), ("guardrail_intervened", "refused"), ("content_filtered", "refused"), ("new", "end")],
)
def test_it_is_told_why_a_model_stopped(runtime: Runtime, reason: str, stopped: str) -> None:
    runtime.answers = [message({"text": "x"}, stop=reason)]
    assert ask(ASKED)[0].stopped == stopped


def test_an_answer_of_another_form_is_unusable(runtime: Runtime) -> None:
    runtime.answers = [{"stopReason": "end_turn"}]
    with pytest.raises(ModelRefused, match="usable"):
        ask(ASKED)


def test_a_test_cannot_call_the_real_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with pytest.raises(NetworkRefused):
        ask(ASKED)
