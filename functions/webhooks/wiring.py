"""What the slice is made of in a deployed function."""

from functools import cache

from almanac import runtime
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table
from almanac.settings import EncryptionSettings, TableSettings
from webhooks.service import Receiver


class WebhookSettings(TableSettings, EncryptionSettings):
    pass


@cache
def receiver() -> Receiver:
    """Return the environment's receiver."""
    settings = WebhookSettings.load()
    clients = runtime.clients()
    return Receiver(Table(settings.table, clients), Secrets(settings.key_id, clients))
