"""Any server with OpenAI's `POST /v1/embeddings`: OpenAI itself, Azure, vLLM, Ollama, text-embeddings-inference."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from almanac.accounts import AccountSource, Calls, fixed, seconds_to_wait
from almanac.embeddings.base import count, fingerprint_of, quantize, slug_of, without_surrogates
from almanac.errors import RetryableError, TerminalError

if TYPE_CHECKING:
    import httpx

    from almanac.embeddings.base import Codes

KNOWN_DIMENSIONS = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
_SHORTENS = frozenset({"text-embedding-3-small", "text-embedding-3-large"})
_BATCH = 64
_ATTEMPTS = 5
_MAX_WAIT = 20.0
_RETRYABLE = frozenset({408, 409, 429, 500, 502, 503, 504})
_MAX_CHARACTERS = 24_000


class OpenAIEmbedder:
    """Calls one model at `base_url` (ending in `/v1`), or as `account` says.

    Name and dimensions make its fingerprint: a server may move.

    Waits `pause`, 2 `pause`, ... seconds between attempts, or as long as the server asks for.
    """

    languages = None

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        api_key: str | None,
        dimensions: int | None = None,
        pause: float = 0.5,
        transport: "httpx.AsyncBaseTransport | None" = None,
        account: AccountSource | None = None,
        allow_private: bool = False,
    ) -> None:
        known = dimensions or KNOWN_DIMENSIONS.get(name)
        if known is None:
            raise ValueError(f"how many dimensions has {name}? write openai:{name}@<dimensions>")
        self._name = name
        self._account = account or fixed(base_url, api_key)
        self._calls = Calls(60, transport, allow_private=allow_private)
        self._asks_for_dimensions = dimensions is not None and name in _SHORTENS
        self._pause = pause
        self.dimensions = known
        self.model = f"openai:{name}" + (f"@{dimensions}" if dimensions else "")
        self.slug = slug_of(self.model)
        self.fingerprint = fingerprint_of("openai", name, str(known))

    async def embed_documents(self, texts: Sequence[str]) -> "Codes":
        import numpy as np

        batches = [await self._embed(texts[start : start + _BATCH]) for start in range(0, len(texts), _BATCH)]
        return np.concatenate([np.empty((0, self.dimensions), np.int8), *batches])

    async def embed_query(self, text: str) -> "Codes":
        codes: Codes = (await self._embed([text]))[0]
        return codes

    async def _embed(self, texts: Sequence[str]) -> "Codes":
        # An empty input is refused by OpenAI; a space is not.
        inputs = [without_surrogates(text[:_MAX_CHARACTERS]) or " " for text in texts]
        body: dict[str, Any] = {"model": self._name, "input": inputs, "encoding_format": "float"}
        if self._asks_for_dimensions:
            body["dimensions"] = self.dimensions
        answer = await self._post(body)
        try:
            document = answer.json()
            count(int((document.get("usage") or {}).get("prompt_tokens") or 0))
            rows = sorted(document["data"], key=lambda row: row["index"])
            codes = quantize([row["embedding"] for row in rows], self.dimensions)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise TerminalError("embedding_answer_unusable", f"{self.model} gave no usable vectors: {error}") from error
        if len(codes) != len(texts):
            raise TerminalError("embedding_answer_unusable", f"{self.model} gave {len(codes)} vectors for {len(texts)}")
        return codes

    async def _post(self, body: dict[str, Any]) -> "httpx.Response":
        import httpx

        account = await self._account()
        problem = ""
        for attempt in range(_ATTEMPTS):
            wait = self._pause * 2**attempt
            try:
                answer = await self._calls.post(account, "/embeddings", body)
            except httpx.TransportError as error:
                problem = type(error).__name__
            else:
                if answer.is_success:
                    return answer
                problem = f"status {answer.status_code}"
                if answer.status_code not in _RETRYABLE:
                    raise TerminalError("embedding_refused", f"the provider of {self.model} answered {problem}")
                wait = seconds_to_wait(answer, wait)
            if attempt + 1 < _ATTEMPTS:
                await asyncio.sleep(min(wait, _MAX_WAIT))
        raise RetryableError(f"the provider of {self.model} kept failing: {problem}")
