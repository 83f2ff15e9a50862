"""What answers are made of in a deployed function."""

from functools import cache
from typing import TYPE_CHECKING

from almanac import runtime
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
        clients=runtime.clients(),
    )
    return MeteredModel(model, wiring.ledger()) if model is not None else None


@cache
def meanings_of(model: str) -> "Meanings":
    """Return the memory of short texts' vectors of an embedding model."""
    from search.asking.extract import Meanings

    return Meanings(wiring.embedder_for(model))


def asker() -> "Asker":
    from search.asking.service import Asker

    return Asker(meanings_of, language_model())
