"""Amazon Bedrock's language models through the Converse API, called with the function's own role."""

import json
from collections.abc import Mapping
from typing import Any

from almanac.aws.clients import Clients, error_code
from almanac.embeddings.base import refuse_network, without_surrogates
from almanac.llm.base import Completion, ModelBusy, ModelRefused, Reply, Stop

_TOOL = "answer"
_RETRYABLE = frozenset(
    {
        *("ThrottlingException", "ServiceUnavailableException", "InternalServerException", "ModelErrorException"),
        *("ModelTimeoutException", "ModelNotReadyException", "ServiceQuotaExceededException"),
    }
)
_STOPS: dict[str, Stop] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "guardrail_intervened": "refused",
    "content_filtered": "refused",
}


class BedrockLanguageModel:
    """Calls one model or inference profile. botocore repeats throttled calls.

    Converse holds a model to a schema by making it use a tool. A model that knows none is asked in words alone, and
    from then on.
    """

    def __init__(self, name: str, clients: Clients) -> None:
        self.name = f"bedrock:{name}"
        self._model = name
        self._clients = clients
        self._has_tools = True

    async def complete(self, request: Completion) -> Reply:
        if request.schema is not None and self._has_tools:
            try:
                return self._reply(await self._converse({**self._request(request), "toolConfig": _tools(request)}))
            except _NotUnderstood:
                self._has_tools = False
        try:
            return self._reply(await self._converse(self._request(request)))
        except _NotUnderstood as error:
            # It was not the tool.
            self._has_tools = True
            raise ModelRefused("language_model_refused", f"Bedrock refused {self.name}: ValidationException") from error

    def _request(self, request: Completion) -> dict[str, Any]:
        messages = [{"role": said.role, "content": [_text(said.text)]} for said in request.messages]
        inference = {"maxTokens": request.max_tokens, "temperature": 0.0}
        return {
            "modelId": self._model,
            "system": [_text(request.system)],
            "messages": messages,
            "inferenceConfig": inference,
        }

    async def _converse(self, request: dict[str, Any]) -> Mapping[str, Any]:
        from botocore.exceptions import BotoCoreError

        client = await self._clients.get("bedrock-runtime")
        refuse_network(client.meta.endpoint_url)
        try:
            answer: Mapping[str, Any] = await client.converse(**request)
        except BotoCoreError as error:
            raise ModelBusy(f"{self.name} does not answer: {type(error).__name__}") from error
        except Exception as error:
            code = error_code(error)
            if code in _RETRYABLE:
                raise ModelBusy(f"{self.name} is busy: {code}") from error
            if code == "ValidationException":
                raise _NotUnderstood from error
            if code:
                raise ModelRefused("language_model_refused", f"Bedrock refused {self.name}: {code}") from error
            raise
        return answer

    def _reply(self, answer: Mapping[str, Any]) -> Reply:
        try:
            blocks = answer["output"]["message"]["content"]
            used = [json.dumps(block["toolUse"]["input"]) for block in blocks if "toolUse" in block]
            said = "".join(block["text"] for block in blocks if "text" in block)
            usage = answer.get("usage") or {}
            return Reply(
                text=used[0] if used else said,
                tokens_in=int(usage.get("inputTokens", 0)),
                tokens_out=int(usage.get("outputTokens", 0)),
                stopped=_STOPS.get(answer.get("stopReason", ""), "end"),
            )
        except (KeyError, TypeError, ValueError) as error:
            problem = f"{self.name} gave no usable answer: {type(error).__name__}"
            raise ModelRefused("language_model_answer_unusable", problem) from error


class _NotUnderstood(Exception):
    """The model does not take this form of request."""


def _text(text: str) -> dict[str, str]:
    # Converse refuses an empty text.
    return {"text": without_surrogates(text) or " "}


def _tools(request: Completion) -> dict[str, Any]:
    described = {"name": _TOOL, "description": "Gives the answer.", "inputSchema": {"json": request.schema}}
    return {"tools": [{"toolSpec": described}], "toolChoice": {"tool": {"name": _TOOL}}}
