"""Tenants as callers send and see them."""

from typing import Self

from pydantic import BaseModel, Field

from almanac.access import Permission, Principal, Role
from identity.schemas import Created, TenantId


class Caller(BaseModel):
    """Who made the call: a person with a role, or a key."""

    actor_id: str = Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    role: Role | None
    key_id: str | None = Field(examples=["key_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    permissions: list[Permission]

    @classmethod
    def of(cls, principal: Principal) -> Self:
        given = [permission for permission in Permission if principal.may(permission)]
        return cls(actor_id=principal.actor_id, role=principal.role, key_id=principal.key_id, permissions=given)


class Tenant(BaseModel):
    """A tenant, and who is asking."""

    id: TenantId
    name: str = Field(examples=["Acme"])
    created_at: Created
    caller: Caller
