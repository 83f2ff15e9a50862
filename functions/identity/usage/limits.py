"""Limits and quotas of one tenant, which the operator sets; they go before the deployment's."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from almanac.aws import keys
from almanac.aws.table import Check, ConditionFailed, Table, Update, Write
from almanac.limits.limiter import ENTITY, REVISION
from identity.schemas import TenantId
from identity.tenants.errors import TenantNotFound

_RATES = ("tenant_rate", "tenant_burst", "actor_rate", "actor_burst")
_QUOTAS = ("max_projects", "max_repositories", "max_chunks", "max_storage_bytes", "max_model_spend")
Amount = Annotated[int, Field(ge=0, le=10**15)] | None


class SetLimits(BaseModel):
    """Give a tenant limits of its own: 0 is none, null the deployment's again; what is not named stays.

    Rates are calls a minute, bursts calls at once; `max_model_spend` is US dollars a month.
    """

    model_config = ConfigDict(extra="forbid")

    action: Literal["set_limits"]
    tenant_id: TenantId
    tenant_rate: Amount = None
    tenant_burst: Amount = None
    actor_rate: Amount = None
    actor_burst: Amount = None
    max_projects: Amount = None
    max_repositories: Amount = None
    max_chunks: Amount = None
    max_storage_bytes: Amount = None
    max_model_spend: Annotated[float, Field(ge=0, le=10**9)] | None = None

    @model_validator(mode="after")
    def _names_something(self) -> "SetLimits":
        if not self.model_fields_set & {*_RATES, *_QUOTAS}:
            raise ValueError(f"name what to set: {', '.join((*_RATES, *_QUOTAS))}")
        return self

    def given(self, names: tuple[str, ...]) -> dict[str, float | None]:
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}


async def set_limits(table: Table, command: SetLimits) -> None:
    """Write the limits where those who look at them read anyway; raises `TenantNotFound`.

    Environments that remember the old ones learn of it with their next call, whose write the new revision refuses.
    """
    tenant_id = command.tenant_id
    writes: list[Write] = [Check(keys.tenant(tenant_id))]
    if rates := command.given(_RATES):
        entity: Mapping[str, str | float | None] = {"entity": ENTITY, **rates}
        writes.append(Update(keys.limits(tenant_id), set=entity, add={REVISION: 1}, condition=""))
    if quotas := command.given(_QUOTAS):
        writes.append(Update(keys.usage(tenant_id), set={"entity": "usage", **quotas}, condition=""))
    try:
        await table.transact(writes)
    except ConditionFailed:
        raise TenantNotFound("There is no tenant with this id.") from None
