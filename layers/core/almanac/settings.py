"""Typed settings, read once from the environment. Nothing else in the product reads `os.environ`.

A function's settings class is built from the mixins below; field `table` is the variable `ALMANAC_TABLE`.
"""

import os
from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from almanac.events import Queue


class SettingsError(RuntimeError):
    """The environment lacks a variable or holds a bad one; the message names each."""


class Settings(BaseModel):
    """What every function knows. A variable without a default that is missing fails at start, by name."""

    model_config = ConfigDict(frozen=True)

    stage: str

    @classmethod
    def load(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Read the class's fields from `ALMANAC_<FIELD>`; raises `SettingsError`."""
        variables = {name: f"ALMANAC_{name.upper()}" for name in cls.model_fields}
        given = {name: environ[variable] for name, variable in variables.items() if environ.get(variable)}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            problems = ", ".join(f"ALMANAC_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
            raise SettingsError(f"cannot start: {problems}") from None


class WallSettings(Settings):
    """`data_role_arn` is the role under which a function touches tenants' data; empty: its own."""

    stage: str = ""
    data_role_arn: str = ""


class RateSettings(Settings):
    """Calls a minute and calls at once, of a tenant, of each who acts in it, and of unknown callers by address.

    A rate of 0 is no limit. `table` is needed where there is one.
    """

    stage: str = ""
    table: str = ""
    tenant_rate: int = Field(default=0, ge=0)
    tenant_burst: int = Field(default=0, ge=0)
    actor_rate: int = Field(default=0, ge=0)
    actor_burst: int = Field(default=0, ge=0)
    address_rate: int = Field(default=0, ge=0)
    address_burst: int = Field(default=0, ge=0)
    email_rate: int = Field(default=0, ge=0)
    email_burst: int = Field(default=0, ge=0)


class QuotaSettings(Settings):
    """What a tenant may have at most; 0 is no limit. `model_prices` is read by `almanac.limits.spending.prices`."""

    stage: str = ""
    max_projects: int = Field(default=0, ge=0)
    max_repositories: int = Field(default=0, ge=0)
    max_chunks: int = Field(default=0, ge=0)
    max_storage_bytes: int = Field(default=0, ge=0)
    max_model_usd: float = Field(default=0, ge=0)
    model_prices: str = "{}"


class TableSettings(Settings):
    table: str


class BucketSettings(Settings):
    bucket: str


class EncryptionSettings(Settings):
    """`key_id` names the KMS key under which repository tokens and webhook secrets are kept."""

    key_id: str


class IssuerSettings(Settings):
    """JSON lists of OpenID Connect issuers, the stack's own pool and others; the authorizer reads them by itself."""

    issuers: str = ""
    extra_issuers: str = ""


class PeopleSettings(EncryptionSettings):
    """The user pool, its one app client and the issuer that its tokens name; and who may sign up.

    `sign_up` is `invited`, `open` or `closed`; `sign_up_domains`, with commas, need no invitation.
    """

    user_pool_id: str
    user_pool_client_id: str
    user_pool_issuer: str
    sign_up: Literal["invited", "open", "closed"] = "invited"
    sign_up_domains: str = ""

    @property
    def domains(self) -> frozenset[str]:
        """The domains, in lower case."""
        return frozenset(domain.strip().lower() for domain in self.sign_up_domains.split(",") if domain.strip())


class EmbeddingSettings(Settings):
    """`embedding_model` is `<provider>:<model>`; `model_dir` holds the files of the bundled one.

    `extra_embedding_models` are those that a tenant may choose besides, with commas between them.
    """

    embedding_model: str = "local:bge-small-en-v1.5"
    extra_embedding_models: str = ""
    model_dir: str = "/opt/model"
    openai_base_url: str = "https://api.openai.com/v1"
    openai_api_key: str | None = None


class QualitySettings(Settings):
    """`recall_sample` is the share of searches whose answers are compared with those of an exhaustive search."""

    recall_sample: float = 0.02


class CopySettings(Settings):
    """Where a function keeps copies of parts of indexes, and the bytes that they may take there and mapped at once."""

    copy_dir: str = Field(default_factory=lambda: _temporary("almanac-index"))
    copy_disk_bytes: int = 3 << 30
    copy_memory_bytes: int = 1 << 30


class ScratchSettings(Settings):
    """Where a function keeps copies of uploaded files while it reads them, and the bytes that they may take."""

    scratch_dir: str = Field(default_factory=lambda: _temporary("almanac-originals"))
    scratch_bytes: int = 2 << 30


class ShardSettings(Settings):
    """`shard_functions` hold the shards of large indexes between them, with commas; empty: they are read as a whole."""

    shard_functions: str = ""


class LanguageModelSettings(Settings):
    """`language_model` is `extractive`, which needs none, or `<provider>:<model>`."""

    language_model: str = "extractive"


class GitSettings(Settings):
    """`allow_private_hosts` lets the local stage sync from loopback, and call models there, over plain http."""

    allow_private_hosts: bool = False


class PublicUrlSettings(Settings):
    """`public_url` is the address of the API as callers know it, without a trailing slash."""

    public_url: str = ""


class MembershipSettings(Settings):
    """`mail_from` is the address that invitations are mailed from; empty: none is mailed.

    `tenants_per_person` is how many tenants a signed-in person may found; 0: only operators create tenants.
    """

    mail_from: str = ""
    tenants_per_person: int = 10


class LogSettings(Settings):
    """`log_retention_days` is how long logs are kept, as receipts of erasures say."""

    log_retention_days: int = 30


class EraserSettings(Settings):
    """The eraser reads the table and removes objects."""

    table: str
    bucket: str


class SyncQueueSettings(Settings):
    sync_queue_url: str
    sync_dead_letter_queue_url: str


class ProjectsQueueSettings(Settings):
    projects_queue_url: str
    projects_dead_letter_queue_url: str


class EmbeddingQueueSettings(Settings):
    embedding_queue_url: str
    embedding_dead_letter_queue_url: str


class IndexQueueSettings(Settings):
    index_queue_url: str
    index_dead_letter_queue_url: str


class IdentityQueueSettings(Settings):
    identity_queue_url: str
    identity_dead_letter_queue_url: str


class DocumentsQueueSettings(Settings):
    documents_queue_url: str
    documents_dead_letter_queue_url: str


class ArrivalsQueueSettings(Settings):
    arrivals_queue_url: str
    arrivals_dead_letter_queue_url: str


class RealtimeQueueSettings(Settings):
    realtime_queue_url: str
    realtime_dead_letter_queue_url: str


class RealtimeSettings(Settings):
    """`realtime_url` is where callers connect to, `realtime_endpoint` where texts for open connections are posted."""

    realtime_url: str = ""
    realtime_endpoint: str = ""


class RelaySettings(Settings):
    """The relay sends to every queue."""

    table: str
    sync_queue_url: str
    projects_queue_url: str
    embedding_queue_url: str
    index_queue_url: str
    identity_queue_url: str
    documents_queue_url: str
    realtime_queue_url: str

    def queue_url(self, queue: Queue) -> str:
        """Return the address of a queue by its logical name."""
        urls = {
            Queue.SYNC: self.sync_queue_url,
            Queue.PROJECTS: self.projects_queue_url,
            Queue.EMBEDDING: self.embedding_queue_url,
            Queue.INDEX: self.index_queue_url,
            Queue.IDENTITY: self.identity_queue_url,
            Queue.DOCUMENTS: self.documents_queue_url,
            Queue.REALTIME: self.realtime_queue_url,
        }
        return urls[queue]


def _temporary(name: str) -> str:
    """Return a path in the one place that Lambda lets a function write to."""
    import tempfile

    return os.path.join(tempfile.gettempdir(), name)  # noqa: PTH118 - pathlib is slow to import
