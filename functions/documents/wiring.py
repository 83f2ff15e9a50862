"""What the slice's API is made of in a deployed function."""

from functools import cache

from almanac import runtime
from almanac.access import Principal
from almanac.aws.blobs import Blobs
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table
from almanac.dependencies import Dependencies
from almanac.limits.quotas import Quotas
from almanac.settings import BucketSettings, EncryptionSettings, QuotaSettings, TableSettings
from almanac.web.pagination import CursorSecrets
from documents.analysis.reports import ReportService
from documents.collections.service import CollectionService
from documents.deletion.service import DeletionService
from documents.diff.service import DiffService
from documents.jobs.service import JobService
from documents.listing.reading import Listing
from documents.rights import Rights
from documents.services.documents import DocumentService
from documents.services.texts import TextService
from documents.services.uploads import UploadService


class StoreSettings(TableSettings, BucketSettings):
    pass


@cache
def dependencies() -> Dependencies:
    settings = StoreSettings.load()
    clients = runtime.clients()
    quotas = Quotas.configured(QuotaSettings.load())
    return Dependencies(Table(settings.table, clients), Blobs(settings.bucket, clients), quotas=quotas)


@cache
def cursor_secrets() -> CursorSecrets:
    return CursorSecrets(dependencies().table)


def uploads(principal: Principal) -> UploadService:
    return UploadService(dependencies(), principal)


def documents(principal: Principal) -> DocumentService:
    return DocumentService(dependencies(), principal)


def texts(principal: Principal) -> TextService:
    return TextService(dependencies(), principal)


def diffs(principal: Principal) -> DiffService:
    return DiffService(dependencies().table, dependencies().blobs, principal)


def collections(principal: Principal) -> CollectionService:
    return CollectionService(dependencies().table, principal)


def listing(principal: Principal) -> Listing:
    table, tenant_id = dependencies().table, principal.tenant_id
    return Listing(table, tenant_id, Rights(table, tenant_id, principal))


@cache
def secrets() -> Secrets:
    return Secrets(EncryptionSettings.load().key_id, runtime.clients())


def jobs(principal: Principal) -> JobService:
    return JobService(dependencies().table, secrets(), principal)


def deletions(principal: Principal) -> DeletionService:
    return DeletionService(dependencies().table, principal)


def reports(principal: Principal) -> ReportService:
    return ReportService(dependencies(), principal)
