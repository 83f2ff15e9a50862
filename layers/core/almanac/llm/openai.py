"""Any server with OpenAI's `POST /v1/chat/completions`: OpenAI itself, Azure, vLLM, Ollama, llama.cpp."""

import asyncio
from typing import TYPE_CHECKING, Any

from almanac.accounts import AccountSource, Calls, fixed, seconds_to_wait
from almanac.embeddings.base import without_surrogates
from almanac.llm.base import Completion, ModelBusy, ModelRefused, Reply, Stop

if TYPE_CHECKING:
    import httpx

TIMEOUT_SECONDS = 20.0
_ATTEMPTS = 2
_MAX_WAIT = 2.0
_RETRYABLE = frozenset({408, 409, 429, 500, 502, 503, 504})
_NOT_UNDERSTOOD = frozenset({400, 422})
_STOPS: dict[str, Stop] = {"stop": "end", "length": "length", "content_filter": "refused"}


class OpenAILanguageModel:
    """Calls one model at `base_url` (ending in `/v1`), or as `account` says.

    Twice at most: somebody waits for the answer.

    Servers differ in how they are held to JSON and how they call the limit of tokens. A request that one does not
    understand is put in the next form; the form that worked is the first from then on.
    """

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key: str | None,
        pause: float = 0.5,
        seconds: float = TIMEOUT_SECONDS,
        transport: "httpx.AsyncBaseTransport | None" = None,
        account: AccountSource | None = None,
        allow_private: bool = False,
    ) -> None:
        self.name = f"openai:{name}"
        self._model = name
        self._account = account or fixed(base_url, api_key)
        self._calls = Calls(seconds, transport, allow_private=allow_private)
        self._pause = pause
        self._seconds = seconds
        self._form = 0

    async def complete(self, request: Completion) -> Reply:
        forms = _forms(request)
        for form in range(min(self._form, len(forms) - 1), len(forms)):
            answer = await self._post({"model": self._model, "messages": _messages(request), **forms[form]})
            if answer.is_success:
                self._form = form
                return self._reply(answer)
            if answer.status_code not in _NOT_UNDERSTOOD:
                break
        raise ModelRefused("language_model_refused", f"the provider of {self.name} answered {answer.status_code}")

    async def _post(self, body: dict[str, Any]) -> "httpx.Response":
        """Return the answer, whatever it says, unless it says that the provider is busy."""
        import httpx

        account = await self._account()
        problem = ""
        for attempt in range(_ATTEMPTS):
            wait = self._pause
            try:
                answer = await self._calls.post(account, "/chat/completions", body)
            except httpx.TimeoutException as error:
                # Whoever waited that long does not wait again.
                raise ModelBusy(f"{self.name} did not answer in {self._seconds:g} seconds") from error
            except httpx.TransportError as error:
                problem = type(error).__name__
            else:
                if answer.status_code not in _RETRYABLE:
                    return answer
                problem = f"status {answer.status_code}"
                wait = seconds_to_wait(answer, wait)
            if attempt + 1 < _ATTEMPTS:
                await asyncio.sleep(min(wait, _MAX_WAIT))
        raise ModelBusy(f"the provider of {self.name} kept failing: {problem}")

    def _reply(self, answer: "httpx.Response") -> Reply:
        try:
            document = answer.json()
            (choice, *_) = document["choices"]
            usage = document.get("usage") or {}
            refused = choice["message"].get("refusal")
            return Reply(
                text=str(choice["message"].get("content") or ""),
                tokens_in=int(usage.get("prompt_tokens") or 0),
                tokens_out=int(usage.get("completion_tokens") or 0),
                stopped="refused" if refused else _STOPS.get(choice.get("finish_reason"), "end"),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            problem = f"{self.name} gave no usable answer: {type(error).__name__}"
            raise ModelRefused("language_model_answer_unusable", problem) from error


def _messages(request: Completion) -> list[dict[str, str]]:
    said = [{"role": message.role, "content": without_surrogates(message.text)} for message in request.messages]
    return [{"role": "system", "content": without_surrogates(request.system)}, *said]


def _forms(request: Completion) -> list[dict[str, Any]]:
    """Return ways to ask for the same, the strictest first; models that reason take no temperature."""
    usual: dict[str, Any] = {"max_tokens": request.max_tokens, "temperature": 0}
    reasoning: dict[str, Any] = {"max_completion_tokens": request.max_tokens}
    if request.schema is None:
        return [usual, reasoning]
    schema = {"name": "answer", "schema": request.schema, "strict": True}
    strict = {"response_format": {"type": "json_schema", "json_schema": schema}}
    loose = {"response_format": {"type": "json_object"}}
    return [usual | strict, reasoning | strict, usual | loose, usual, reasoning]
