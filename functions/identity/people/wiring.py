"""What the routes of people work with, made once per environment."""

from dataclasses import dataclass
from functools import cache

from almanac import runtime
from almanac.aws.secrets import Secrets
from almanac.settings import PeopleSettings
from identity import wiring
from identity.people.directory import Directory
from identity.people.repository import PeopleRepository
from identity.people.sessions import Sessions
from identity.people.sign_up import SignUp


@dataclass(frozen=True)
class People:
    pool: Directory
    repository: PeopleRepository
    sessions: Sessions
    sign_up: SignUp


@cache
def people() -> People:
    settings = PeopleSettings.load()
    table, clients = wiring.table(), runtime.clients()
    pool = Directory(settings.user_pool_id, settings.user_pool_client_id, settings.user_pool_issuer, clients)
    repository = PeopleRepository(table)
    return People(
        pool=pool,
        repository=repository,
        sessions=Sessions(repository, pool, Secrets(settings.key_id, clients)),
        sign_up=SignUp(table, pool, settings.sign_up, settings.domains),
    )
