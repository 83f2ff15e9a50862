"""What models cost a tenant: every call to a provider is counted as it happens, and refused once the budget is used up.

A provider tells the tokens of a call in its answer; the adapters of embedding models pass them
on with `embeddings.base.count`. Prices are the operator's.
"""

import json
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from almanac import tenancy
from almanac.embeddings.base import Embedder, counted
from almanac.errors import TerminalError
from almanac.limits import quotas
from almanac.limits.quotas import MICRO, QuotaExceeded, Usage
from almanac.llm.base import Completion, LanguageModel, Reply
from almanac.observability import log_failure

if TYPE_CHECKING:
    from almanac.embeddings.base import Codes, QueryCode

Result = TypeVar("Result")

_TOKENS_PER_PRICE = 1_000_000


class BadPrices(ValueError):
    """The setting of prices cannot be read."""


@dataclass(frozen=True)
class Price:
    """US dollars for a million tokens."""

    tokens_in: float
    tokens_out: float

    def micro(self, tokens_in: int, tokens_out: int) -> int:
        """Return what tokens cost in millionths of a dollar, rounded up."""
        cost = (tokens_in * self.tokens_in + tokens_out * self.tokens_out) * MICRO / _TOKENS_PER_PRICE
        return -int(-cost // 1)


def prices(text: str) -> dict[str, Price]:
    """Read `{"<provider>:<model>": [for input, for output]}`, in dollars for a million tokens; raises `BadPrices`."""
    try:
        given = json.loads(text or "{}")
        return {name: Price(float(each[0]), float(each[1] if len(each) > 1 else 0)) for name, each in given.items()}
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        form = '{"provider:model": [for input, for output]}'
        raise BadPrices(f"prices are {form}, in dollars for a million tokens") from None


@dataclass(frozen=True)
class Ledger:
    """Counts what the tenant at work spends."""

    usage: Usage
    prices: Mapping[str, Price]

    async def refuse(self) -> None:
        """Raise `TerminalError` when the tenant has spent its month's budget: as a model that refuses for good.

        Searches then go by words alone and answers are selected from their sources, as whenever a model is not to be
        had; what is to be indexed ends with the cause.
        """
        tenant_id = tenancy.bound()
        try:
            if tenant_id is not None:
                await self.usage.refuse_spending(tenant_id)
        except QuotaExceeded as error:
            raise TerminalError(error.code, error.detail) from None

    async def record(self, model: str, tokens_in: int, tokens_out: int = 0) -> None:
        """Count a call. Its answer is paid for: a count that fails must not throw it away."""
        tenant_id = tenancy.bound()
        if tenant_id is None or not tokens_in + tokens_out:
            return
        month = quotas.month_of(self.usage.clock())
        price = self.prices.get(model)
        tokens = tokens_in + tokens_out
        cost = {f"spend_{month}": price.micro(tokens_in, tokens_out)} if price else {f"unpriced_{month}": tokens}
        amounts = {f"tokens_in_{month}": tokens_in, f"tokens_out_{month}": tokens_out, **cost}
        try:
            await self.usage.table.write(quotas.added(tenant_id, **amounts))
        except Exception as error:  # noqa: BLE001 - see above
            log_failure("model use was not counted", error, model=model, tokens=tokens)


class MeteredEmbedder:
    """An embedding model of a provider, whose every call is counted."""

    def __init__(self, embedder: Embedder, ledger: Ledger) -> None:
        self._embedder = embedder
        self._ledger = ledger
        self.model = embedder.model
        self.slug = embedder.slug
        self.fingerprint = embedder.fingerprint
        self.dimensions = embedder.dimensions
        self.languages = embedder.languages

    async def embed_documents(self, texts: Sequence[str]) -> "Codes":
        return await self._metered(self._embedder.embed_documents(texts))

    async def embed_query(self, text: str) -> "QueryCode":
        return await self._metered(self._embedder.embed_query(text))

    async def _metered(self, call: Coroutine[Any, Any, Result]) -> Result:
        """Make the call unless the budget is used up, and count what the provider counted even if it failed later."""
        try:
            await self._ledger.refuse()
        except TerminalError:
            call.close()
            raise
        with counted() as counts:
            try:
                return await call
            finally:
                await self._ledger.record(self.model, sum(counts))


class MeteredModel:
    """A language model of a provider, whose every call is counted."""

    def __init__(self, model: LanguageModel, ledger: Ledger) -> None:
        self._model = model
        self._ledger = ledger

    @property
    def name(self) -> str:
        return self._model.name

    async def complete(self, request: Completion) -> Reply:
        await self._ledger.refuse()
        reply = await self._model.complete(request)
        await self._ledger.record(self.name, reply.tokens_in, reply.tokens_out)
        return reply
