"""What answers are made of in a deployed function."""

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from almanac import runtime, tenancy
from almanac.llm.base import LanguageModel
from almanac.settings import LanguageModelSettings
from search import wiring

if TYPE_CHECKING:
    from search.asking.extract import Meanings
    from search.asking.service import Asker


@cache
def language_model() -> LanguageModel | None:
    """Return the configured language model; None where answers are extractive."""
    from almanac.limits.spending import MeteredModel
    from almanac.llm.factory import from_name

    model = from_name(
        LanguageModelSettings.load().language_model,
        openai_base_url=wiring.settings().openai_base_url,
        openai_api_key=wiring.settings().openai_api_key,
        accounts=wiring.accounts(),
        allow_private=wiring.settings().allow_private_hosts,
        clients=runtime.clients(),
    )
    return MeteredModel(model, wiring.ledger()) if model is not None else None


def meanings_of(model: str) -> "Meanings":
    """Return the memory of short texts' vectors of an embedding model.

    Where a tenant may have a provider of its own, it has a memory of its own: what another's provider says is no fact.
    """
    return _meanings_of(model, tenancy.bound() if model.startswith("openai:") else None)


@lru_cache(maxsize=64)
def _meanings_of(model: str, _: str | None) -> "Meanings":
    from search.asking.extract import Meanings

    return Meanings(wiring.embedder_for(model))


def asker() -> "Asker":
    from search.asking.service import Asker

    return Asker(meanings_of, language_model())
