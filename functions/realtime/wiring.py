"""What the slice is made of in a deployed function."""

from functools import cache

from almanac import runtime
from almanac.access import Principal
from almanac.aws.table import Table
from almanac.limits import admission
from almanac.settings import RealtimeSettings, TableSettings
from realtime.gateway import Gateway
from realtime.service import Events, Tickets
from realtime.standing import Standings
from realtime.talking import Talk
from realtime.telling import Teller


class Settings(TableSettings, RealtimeSettings):
    pass


@cache
def settings() -> Settings:
    return Settings.load()


@cache
def table() -> Table:
    return Table(settings().table, runtime.clients())


@cache
def gateway() -> Gateway:
    return Gateway(runtime.clients(), settings().realtime_endpoint)


@cache
def standings() -> Standings:
    return Standings(table())


def talk(tenant_id: str) -> Talk:
    return Talk(table(), gateway(), standings(), tenant_id, admission.admit_frame)


@cache
def teller() -> Teller:
    return Teller(table(), gateway(), standings())


def tickets(principal: Principal) -> Tickets:
    return Tickets(table(), settings().realtime_url, principal)


def events(principal: Principal) -> Events:
    return Events(table(), principal)
