"""What this function's entry points share: its settings and its table."""

from functools import cache

from almanac import runtime
from almanac.aws.blobs import Blobs
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table
from almanac.settings import (
    BucketSettings,
    EncryptionSettings,
    GitSettings,
    LogSettings,
    MembershipSettings,
    TableSettings,
)
from almanac.web.pagination import CursorSecrets
from identity.tenants.mail import Post


@cache
def table() -> Table:
    return Table(TableSettings.load().table, runtime.clients())


@cache
def cursor_secrets() -> CursorSecrets:
    return CursorSecrets(table())


@cache
def post() -> Post:
    return Post(runtime.clients(), MembershipSettings.load().mail_from)


@cache
def tenants_per_person() -> int:
    return MembershipSettings.load().tenants_per_person


@cache
def log_retention_days() -> int:
    return LogSettings.load().log_retention_days


@cache
def blobs() -> Blobs:
    return Blobs(BucketSettings.load().bucket, runtime.clients())


@cache
def secrets() -> Secrets:
    return Secrets(EncryptionSettings.load().key_id, runtime.clients())


@cache
def allow_private_hosts() -> bool:
    return GitSettings.load().allow_private_hosts
