"""Amazon Bedrock's embedding models, Titan and Cohere, called with the function's own role."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from almanac.aws.clients import Clients, error_code
from almanac.embeddings.base import count, fingerprint_of, quantize, refuse_network, slug_of, without_surrogates
from almanac.errors import RetryableError, TerminalError

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes

Purpose = Literal["search_document", "search_query"]


@dataclass(frozen=True)
class _Family:
    dimensions: tuple[int, ...]
    batch: int
    max_characters: int
    languages: frozenset[str] | None = None


_TITAN = _Family(dimensions=(1024, 512, 256), batch=1, max_characters=24_000)
FAMILIES = {
    "amazon.titan-embed-text-v2:0": _TITAN,
    "cohere.embed-english-v3": _Family((1024,), batch=96, max_characters=2048, languages=frozenset({"en"})),
    "cohere.embed-multilingual-v3": _Family((1024,), batch=96, max_characters=2048),
}
_RETRYABLE = frozenset(
    {
        *("ThrottlingException", "ServiceUnavailableException", "InternalServerException"),
        *("ModelTimeoutException", "ModelNotReadyException", "ServiceQuotaExceededException"),
    }
)
_CONCURRENCY = 8


class BedrockEmbedder:
    """Calls one model. botocore repeats throttled calls; what still fails is retryable or terminal by its code."""

    def __init__(self, name: str, clients: Clients, *, dimensions: int | None = None) -> None:
        family = FAMILIES.get(name)
        if family is None:
            raise ValueError(f"unknown Bedrock embedding model {name}; known: {', '.join(FAMILIES)}")
        if dimensions is not None and dimensions not in family.dimensions:
            raise ValueError(f"{name} has {' or '.join(map(str, family.dimensions))} dimensions, not {dimensions}")
        self._name = name
        self._family = family
        self._clients = clients
        self.dimensions = dimensions or family.dimensions[0]
        self.languages = family.languages
        self.model = f"bedrock:{name}" + (f"@{dimensions}" if dimensions else "")
        self.slug = slug_of(self.model)
        self.fingerprint = fingerprint_of("bedrock", name, str(self.dimensions))

    async def embed_documents(self, texts: Sequence[str]) -> "Codes":
        import numpy as np

        limit = asyncio.Semaphore(_CONCURRENCY)

        async def embed(batch: Sequence[str]) -> "Codes":
            async with limit:
                return await self._embed(batch, "search_document")

        step = self._family.batch
        codes = await asyncio.gather(*(embed(texts[start : start + step]) for start in range(0, len(texts), step)))
        return np.concatenate([np.empty((0, self.dimensions), np.int8), *codes])

    async def embed_query(self, text: str) -> "Codes":
        codes: Codes = (await self._embed([text], "search_query"))[0]
        return codes

    async def _embed(self, texts: Sequence[str], purpose: Purpose) -> "Codes":
        inputs = [without_surrogates(text[: self._family.max_characters]) or " " for text in texts]
        answer = await self._invoke(self._request(inputs, purpose))
        try:
            vectors = [answer["embedding"]] if self._family is _TITAN else answer["embeddings"]
            codes = quantize(vectors, self.dimensions)
        except (KeyError, TypeError, ValueError) as error:
            raise TerminalError("embedding_answer_unusable", f"{self.model} gave no usable vectors: {error}") from error
        if len(codes) != len(texts):
            raise TerminalError("embedding_answer_unusable", f"{self.model} gave {len(codes)} vectors for {len(texts)}")
        return codes

    def _request(self, inputs: list[str], purpose: Purpose) -> dict[str, Any]:
        if self._family is _TITAN:
            return {"inputText": inputs[0], "dimensions": self.dimensions, "normalize": True}
        return {"texts": inputs, "input_type": purpose, "truncate": "END"}

    async def _invoke(self, request: dict[str, Any]) -> dict[str, Any]:
        client = await self._clients.get("bedrock-runtime")
        refuse_network(client.meta.endpoint_url)
        try:
            answer = await client.invoke_model(
                modelId=self._name, body=json.dumps(request), contentType="application/json", accept="application/json"
            )
            body: dict[str, Any] = json.loads(await answer["body"].read())
            count(_tokens(body, answer))
        except Exception as error:
            code = error_code(error)
            if code in _RETRYABLE:
                raise RetryableError(f"{self.model} is busy: {code}") from error
            if code:
                raise TerminalError("embedding_refused", f"Bedrock refused {self.model}: {code}") from error
            raise
        return body


def _tokens(body: dict[str, Any], answer: dict[str, Any]) -> int:
    """Return the tokens of a call: Titan counts them in its answer, others have them counted in a header."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    counted = body.get("inputTextTokenCount") or headers.get("x-amzn-bedrock-input-token-count") or 0
    return int(counted) if str(counted).isdigit() else 0
