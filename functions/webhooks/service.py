"""The webhook road: prove, recognise, queue. Nothing is fetched here."""

import secrets as randomness
from typing import Literal

from almanac import tenancy
from almanac.aws.secrets import Secrets
from almanac.aws.table import Table
from almanac.events import RepositoryChanged, SyncRepository
from almanac.ids import is_id
from almanac.observability import correlation_id, log
from webhooks.deliveries import Delivery, Effect, RepositoryMoved
from webhooks.errors import UnprovenDelivery
from webhooks.repository import HookRepository

_ROTATION = 2

Status = Literal["queued", "ignored"]


class Receiver:
    """Takes deliveries for the repositories of every tenant: the address names the tenant, the secret proves it."""

    def __init__(self, table: Table, secrets: Secrets) -> None:
        self._table = table
        self._secrets = secrets
        self._decoy = randomness.token_hex(32)

    async def receive(self, tenant_id: str, repository_id: str, delivery: Delivery) -> Status:
        """Queue what the delivery asks for, once however often it comes; raises `UnprovenDelivery`."""
        if is_id(tenant_id, "ten"):
            # Named by whoever calls: until the delivery is proven, nothing is read but the secrets that prove it.
            tenancy.bind(tenant_id)
        hooks = HookRepository(self._table, tenant_id)
        if not delivery.is_proven(await self._valid_secrets(hooks, tenant_id, repository_id)):
            raise UnprovenDelivery("The delivery is not signed with this repository's secret.")
        effect = delivery.effect()
        if effect is None:
            return "ignored"
        fresh = await hooks.accept(delivery.identity(), _event(tenant_id, repository_id, effect))
        log("info", "delivery accepted", tenant_id=tenant_id, repository_id=repository_id, repeated=not fresh)
        return "queued"

    async def _valid_secrets(self, hooks: HookRepository, tenant_id: str, repository_id: str) -> list[str]:
        """Return always two secrets, so that neither an unknown repository nor a rotation shows in the time taken."""
        hook = await hooks.get(repository_id)
        valid = [
            await self._secrets.decrypt(cipher, tenant_id=tenant_id, resource_id=repository_id)
            for cipher in (hook.ciphers[:_ROTATION] if hook else [])
        ]
        return valid + [self._decoy] * (_ROTATION - len(valid))


def _event(tenant_id: str, repository_id: str, effect: Effect) -> SyncRepository | RepositoryChanged:
    if isinstance(effect, RepositoryMoved):
        return RepositoryChanged(
            tenant_id=tenant_id, correlation_id=correlation_id(), repository_id=repository_id, url=effect.url
        )
    return SyncRepository(
        tenant_id=tenant_id, correlation_id=correlation_id(), repository_id=repository_id, reason="push"
    )
