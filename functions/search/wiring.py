"""What the slice's entry points are made of in a deployed function."""

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from almanac import runtime
from almanac.access import Principal
from almanac.aws.blobs import Blobs
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table
from almanac.observability import log
from almanac.settings import (
    BucketSettings,
    CopySettings,
    EmbeddingSettings,
    EncryptionSettings,
    GitSettings,
    QualitySettings,
    QuotaSettings,
    ShardSettings,
    TableSettings,
)
from almanac.visible import Sight
from almanac.web.pagination import CursorSecrets

if TYPE_CHECKING:
    from almanac.accounts import Accounts
    from almanac.embeddings.base import Embedder
    from almanac.findings.store import Findings
    from almanac.index.copies import Copies
    from almanac.index.manifest import Directory, IndexInfo
    from almanac.index.reader import Reader
    from almanac.index.remote import LambdaInvoker
    from almanac.index.segments import Model
    from almanac.limits.spending import Ledger
    from search.quality.recall import Recall
    from search.service import Searcher


_FREE = ("local:", "test:")
"""Models that no provider is asked for."""


class SearchSettings(
    TableSettings, BucketSettings, EmbeddingSettings, CopySettings, QualitySettings, ShardSettings, GitSettings
):
    """What both the API and the worker read."""


@cache
def settings() -> SearchSettings:
    return SearchSettings.load()


@cache
def table() -> Table:
    return Table(settings().table, runtime.clients())


def sight(principal: Principal) -> Sight:
    """Return what tells which projects a caller does not see."""
    return Sight(table(), principal)


@cache
def blobs() -> Blobs:
    return Blobs(settings().bucket, runtime.clients())


@cache
def secrets() -> Secrets:
    return Secrets(EncryptionSettings.load().key_id, runtime.clients())


def findings(tenant_id: str) -> "Findings":
    """Return the secrets that were found in a tenant's content."""
    from almanac.findings.store import Findings

    return Findings(table(), secrets(), tenant_id)


@cache
def cursor_secrets() -> CursorSecrets:
    return CursorSecrets(table())


@cache
def default_directory() -> "Directory":
    """Return the indexes of a tenant that never chose: one, of the configured model."""
    from almanac.embeddings.base import slug_of
    from almanac.index.manifest import Directory

    return Directory.default(slug_of(settings().embedding_model), settings().embedding_model)


@cache
def ledger() -> "Ledger":
    """Return what counts the calls to models of providers."""
    from almanac.limits.quotas import Quotas, Usage
    from almanac.limits.spending import Ledger, prices

    limits = QuotaSettings.load()
    return Ledger(Usage(table(), Quotas.configured(limits)), prices(limits.model_prices))


def embedder() -> "Embedder":
    """Return the configured model; its files are loaded with the first text."""
    return embedder_for(settings().embedding_model)


@cache
def accounts() -> "Accounts":
    """Return the accounts at providers of models: the tenants' own, else the deployment's."""
    from almanac.accounts import Account, Accounts

    default = Account(settings().openai_base_url, settings().openai_api_key)
    return Accounts(table(), secrets, {"openai": default})


@cache
def embedder_for(model: str) -> "Embedder":
    """Return a model by its configured name; an index keeps the name of its own."""
    from almanac.embeddings.factory import from_name
    from almanac.limits.spending import MeteredEmbedder

    found = from_name(
        model,
        model_dir=settings().model_dir,
        openai_base_url=settings().openai_base_url,
        openai_api_key=settings().openai_api_key,
        accounts=accounts(),
        allow_private=settings().allow_private_hosts,
        clients=runtime.clients(),
    )
    return found if model.startswith(_FREE) else MeteredEmbedder(found, ledger())


@cache
def copies() -> "Copies":
    """Return the environment's copies of parts on its own disk."""
    from almanac.index.copies import Copies

    return Copies(blobs(), Path(settings().copy_dir), budget=settings().copy_disk_bytes)


def holders() -> "LambdaInvoker | None":
    """Return how to reach the functions that hold shards, if there are any."""
    from almanac.index.remote import LambdaInvoker

    names = [name for name in settings().shard_functions.split(",") if name]
    return LambdaInvoker(runtime.clients(), names) if names else None


@cache
def reader() -> "Reader":
    """Return the one reader of the environment, with its copies of tenants' indexes."""
    from almanac.index.ingest import model_of
    from almanac.index.reader import IndexUnavailable, Reader

    def model(info: "IndexInfo") -> "Model":
        try:
            return model_of(embedder_for(info.model))
        except ValueError as error:
            log("error", "index of a model that is not here", index=info.id, model=info.model, reason=str(error))
            raise IndexUnavailable(f"The deployment does not have the model of the index: {info.model}.") from None

    return Reader(
        table(),
        blobs(),
        model,
        default_directory(),
        copies(),
        budget=settings().copy_memory_bytes,
        holders=holders(),
    )


@cache
def searcher() -> "Searcher":
    # numpy and the index come with the first search, not with the import of the API.
    from almanac.index import query_language  # noqa: F401 - loaded with the rest, as what follows
    from search import narrowing, past, presenter  # noqa: F401
    from search.quality import recall  # noqa: F401
    from search.service import Searcher

    return Searcher(reader(), embedder_for)


@cache
def recall() -> "Recall":
    from search.quality.recall import Recall

    return Recall(table(), settings().recall_sample)
