"""What analyses are made of in a deployed function."""

from functools import cache
from typing import TYPE_CHECKING

from almanac import runtime
from almanac.aws.blobs import Blobs
from almanac.aws.table import Table
from almanac.settings import (
    BucketSettings,
    EmbeddingSettings,
    EncryptionSettings,
    GitSettings,
    LanguageModelSettings,
    QuotaSettings,
    TableSettings,
)

if TYPE_CHECKING:
    from almanac.aws.secrets import Secrets
    from almanac.llm.base import LanguageModel
    from documents.analysis.service import Analyst


class AnalysisSettings(TableSettings, BucketSettings, EmbeddingSettings, LanguageModelSettings, GitSettings):
    pass


@cache
def settings() -> AnalysisSettings:
    return AnalysisSettings.load()


@cache
def table() -> Table:
    return Table(settings().table, runtime.clients())


@cache
def secrets() -> "Secrets":
    from almanac.aws.secrets import Secrets

    return Secrets(EncryptionSettings.load().key_id, runtime.clients())


@cache
def language_model() -> "LanguageModel | None":
    """Return the configured language model, every call to which is counted; None where rules stand alone."""
    from almanac.accounts import Account, Accounts
    from almanac.limits.quotas import Quotas, Usage
    from almanac.limits.spending import Ledger, MeteredModel, prices
    from almanac.llm.factory import from_name

    given = settings()
    default = Account(given.openai_base_url, given.openai_api_key)
    model = from_name(
        given.language_model,
        openai_base_url=given.openai_base_url,
        openai_api_key=given.openai_api_key,
        accounts=Accounts(table(), secrets, {"openai": default}),
        allow_private=given.allow_private_hosts,
        clients=runtime.clients(),
    )
    if model is None:
        return None
    limits = QuotaSettings.load()
    usage = Usage(table(), Quotas.configured(limits))
    return MeteredModel(model, Ledger(usage, prices(limits.model_prices)))


@cache
def analyst() -> "Analyst":
    from almanac.embeddings.base import slug_of
    from documents.analysis.reader import ModelReader
    from documents.analysis.service import Analyst

    model = language_model()
    blobs = Blobs(settings().bucket, runtime.clients())
    reader = ModelReader(model) if model is not None else None
    return Analyst(table(), blobs, slug_of(settings().embedding_model), reader)
