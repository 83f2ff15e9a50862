"""What this function's entry points share: its settings and its table."""

from functools import cache

from almanac import runtime
from almanac.aws.table import Table
from almanac.settings import TableSettings
from almanac.web.pagination import CursorSecrets


@cache
def table() -> Table:
    return Table(TableSettings.load().table, runtime.clients())


@cache
def cursor_secrets() -> CursorSecrets:
    return CursorSecrets(table())
