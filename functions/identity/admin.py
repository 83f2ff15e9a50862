"""Entry for operators: invoked with AWS credentials, never over HTTP. Creates tenants, and keys for locked-out ones."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from almanac import runtime, tenancy
from almanac.access import GRANTABLE, spell
from almanac.errors import AppError
from almanac.observability import bind_correlation_id, log
from identity import wiring
from identity.keys import service as keys
from identity.keys.schemas import Scopes
from identity.schemas import Name, TenantId
from identity.tenants import service as tenants


class CreateTenant(BaseModel):
    """Create a tenant and its first key."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["create_tenant"]
    name: Name
    key_name: Name = "first key"


class CreateKey(BaseModel):
    """Create another key of a tenant."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["create_key"]
    tenant_id: TenantId
    name: Name
    scopes: Scopes = sorted(GRANTABLE)


_command: TypeAdapter[CreateTenant | CreateKey] = TypeAdapter(
    Annotated[CreateTenant | CreateKey, Field(discriminator="action")]
)


class CommandRefused(Exception):
    """The event asks for something that cannot be done; Lambda hands the text to the caller as `errorMessage`."""


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Carry out one command; returns `tenant_id`, `key_id` and `api_key`. Raises `CommandRefused`."""
    bind_correlation_id(getattr(context, "aws_request_id", None))
    try:
        command = _command.validate_python(event)
    except ValidationError as error:
        raise CommandRefused(_explain(error)) from None
    try:
        created = runtime.run(_carry_out(command))
    except AppError as error:
        raise CommandRefused(error.detail) from None
    record = created.record
    log("info", command.action, tenant_id=record.tenant_id, key_id=record.id, scopes=spell(record.scopes))
    return {"tenant_id": record.tenant_id, "key_id": record.id, "api_key": created.text}


async def _carry_out(command: CreateTenant | CreateKey) -> keys.NewKey:
    if isinstance(command, CreateTenant):
        return await tenants.create_with_key(wiring.table(), command.name, command.key_name)
    with tenancy.working_for(command.tenant_id):
        return await keys.create_for_operator(
            wiring.table(), command.tenant_id, command.name, frozenset(command.scopes)
        )


def _explain(error: ValidationError) -> str:
    fields = (".".join(str(part) for part in detail["loc"][1:]) or "action" for detail in error.errors())
    return "; ".join(f"{field}: {detail['msg']}" for field, detail in zip(fields, error.errors(), strict=True))
