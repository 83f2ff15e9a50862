"""Use of quotas as callers see it."""

from typing import Self

from pydantic import BaseModel, Field

from almanac.aws.table import Item
from almanac.clock import iso
from almanac.limits import quotas
from almanac.limits.quotas import Quota, Quotas

_EXACT = {Quota.PROJECTS, Quota.REPOSITORIES}


class QuotaUse(BaseModel):
    """How much of one quota is used."""

    quota: Quota = Field(examples=["projects"])
    used: float = Field(examples=[3])
    limit: float | None = Field(description="null: there is none.", examples=[1000])
    unit: str = Field(examples=["projects"])
    exact: bool = Field(
        description="false: the figure follows what happens with a delay, and is put right by a recount."
    )


class ModelUse(BaseModel):
    """What models of providers were asked in a month."""

    month: str = Field(examples=["2026-01"])
    tokens_in: int = Field(examples=[120000])
    tokens_out: int = Field(examples=[8000])
    unpriced_tokens: int = Field(
        description="Tokens of models that the deployment knows no price of: they count nothing towards the spend.",
        examples=[0],
    )


class Usage(BaseModel):
    """What a tenant has and spends, beside what it may."""

    as_of: str = Field(description="When it was read. UTC, ISO 8601.", examples=["2026-01-31T12:00:00.000Z"])
    recounted_at: str | None = Field(
        description="When something was last counted again instead of added up.", examples=["2026-01-31T03:00:00.000Z"]
    )
    quotas: list[QuotaUse]
    models: ModelUse

    @classmethod
    def of(cls, item: Item, given: Quotas, at: float) -> Self:
        uses = [given.use(item, quota, at=at) for quota in Quota]
        spent = quotas.spending(item, at)
        return cls(
            as_of=iso(at),
            recounted_at=item.get(quotas.RECOUNTED),
            quotas=[
                QuotaUse(quota=use.quota, used=use.used, limit=use.limit, unit=use.unit, exact=use.quota in _EXACT)
                for use in uses
            ],
            models=ModelUse(
                month=spent.month,
                tokens_in=spent.tokens_in,
                tokens_out=spent.tokens_out,
                unpriced_tokens=spent.unpriced,
            ),
        )
