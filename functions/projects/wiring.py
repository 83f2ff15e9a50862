"""What the slice is made of in a deployed function."""

from functools import cache
from typing import TYPE_CHECKING

from almanac import runtime
from almanac.access import Principal
from almanac.aws.blobs import Blobs
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table
from almanac.dependencies import Dependencies
from almanac.limits.quotas import Quotas
from almanac.settings import (
    BucketSettings,
    EmbeddingSettings,
    EncryptionSettings,
    GitSettings,
    PublicUrlSettings,
    QuotaSettings,
    TableSettings,
)
from almanac.web.pagination import CursorSecrets
from projects.dependencies import ApiDependencies
from projects.services.checkpoints import CheckpointService
from projects.services.members import MemberService
from projects.services.messages import MessageService
from projects.services.projects import ProjectService
from projects.services.repositories import RepositoryService

if TYPE_CHECKING:
    from projects.services.purging import Purging


class WorkerSettings(TableSettings, BucketSettings, EmbeddingSettings):
    pass


class ApiSettings(WorkerSettings, EncryptionSettings, GitSettings, PublicUrlSettings):
    pass


@cache
def worker_dependencies() -> Dependencies:
    settings = WorkerSettings.load()
    clients = runtime.clients()
    return Dependencies(Table(settings.table, clients), Blobs(settings.bucket, clients))


@cache
def worker_secrets() -> Secrets:
    return Secrets(EncryptionSettings.load().key_id, runtime.clients())


def purging(tenant_id: str) -> "Purging":
    """Return what removes secrets from a tenant's content."""
    from almanac.embeddings.base import slug_of
    from almanac.findings.store import Findings
    from almanac.index.manifest import Directory
    from projects.services.purging import Purging

    dependencies, model = worker_dependencies(), WorkerSettings.load().embedding_model
    findings = Findings(dependencies.table, worker_secrets(), tenant_id)
    return Purging(dependencies, findings, Directory.default(slug_of(model), model))


@cache
def dependencies() -> ApiDependencies:
    settings = ApiSettings.load()
    clients = runtime.clients()
    return ApiDependencies(
        table=Table(settings.table, clients),
        blobs=Blobs(settings.bucket, clients),
        secrets=Secrets(settings.key_id, clients),
        public_url=settings.public_url.rstrip("/"),
        allow_private_hosts=settings.allow_private_hosts,
        quotas=Quotas.configured(QuotaSettings.load()),
    )


@cache
def cursor_secrets() -> CursorSecrets:
    return CursorSecrets(dependencies().table)


def projects(principal: Principal) -> ProjectService:
    return ProjectService(dependencies(), principal)


def members(principal: Principal) -> MemberService:
    return MemberService(dependencies(), principal)


def repositories(principal: Principal) -> RepositoryService:
    return RepositoryService(dependencies(), principal)


def checkpoints(principal: Principal) -> CheckpointService:
    return CheckpointService(dependencies(), principal)


def messages(principal: Principal) -> MessageService:
    return MessageService(dependencies(), principal)
