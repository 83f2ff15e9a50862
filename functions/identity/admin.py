"""Entry for operators: invoked with AWS credentials, never over HTTP.

Creates tenants, and keys for locked-out ones; sets one tenant's limits and quotas; shows receipts of erasures.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from almanac import runtime, tenancy
from almanac.access import GRANTABLE, spell
from almanac.errors import AppError
from almanac.observability import bind_correlation_id, log
from identity import wiring
from identity.erasure.repository import ErasureRepository
from identity.erasure.schemas import Erasure, ErasureId
from identity.keys import service as keys
from identity.keys.schemas import Scopes
from identity.schemas import Name, TenantId
from identity.tenants import service as tenants
from identity.tenants.invitations import Sent, invite_owner
from identity.tenants.schemas import EmailAddress
from identity.usage.limits import SetLimits, set_limits


class CreateTenant(BaseModel):
    """Create a tenant and its first key, and invite its owner where one is named."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["create_tenant"]
    name: Name
    key_name: Name = "first key"
    owner_email: EmailAddress | None = None


class CreateKey(BaseModel):
    """Create another key of a tenant."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["create_key"]
    tenant_id: TenantId
    name: Name
    scopes: Scopes = sorted(GRANTABLE)


class ShowErasure(BaseModel):
    """Show the receipt of an erasure: who was erased cannot sign in for it."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["show_erasure"]
    erasure_id: ErasureId


Command = CreateTenant | CreateKey | SetLimits | ShowErasure
_command: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="action")])


class CommandRefused(Exception):
    """The event asks for something that cannot be done; Lambda hands the text to the caller as `errorMessage`."""


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Carry out one command; returns `tenant_id`, and `key_id` and `api_key` of a new key. Raises `CommandRefused`.

    With `owner_email`, `invitation_id` and `mail` too, and `invitation_token` where no letter takes it. Of an erasure,
    `receipt`: JSON as the API shows it.
    """
    bind_correlation_id(getattr(context, "aws_request_id", None))
    try:
        command = _command.validate_python(event)
    except ValidationError as error:
        raise CommandRefused(_explain(error)) from None
    if isinstance(command, SetLimits):
        return _limited(command)
    if isinstance(command, ShowErasure):
        return _receipt(command)
    try:
        created, invited = runtime.run(_carry_out(command))
    except AppError as error:
        raise CommandRefused(error.detail) from None
    record = created.record
    log("info", command.action, tenant_id=record.tenant_id, key_id=record.id, scopes=spell(record.scopes))
    return {"tenant_id": record.tenant_id, "key_id": record.id, "api_key": created.text, **_shown(invited)}


def _limited(command: SetLimits) -> dict[str, str]:
    async def carry_out() -> None:
        with tenancy.working_for(command.tenant_id):
            await set_limits(wiring.table(), command)

    try:
        runtime.run(carry_out())
    except AppError as error:
        raise CommandRefused(error.detail) from None
    log("info", command.action, **command.model_dump(exclude={"action"}, exclude_unset=True))
    return {"tenant_id": command.tenant_id}


def _receipt(command: ShowErasure) -> dict[str, str]:
    try:
        erasure = runtime.run(ErasureRepository(wiring.table()).get(command.erasure_id))
    except AppError as error:
        raise CommandRefused(error.detail) from None
    return {"receipt": Erasure.of(erasure, wiring.log_retention_days()).model_dump_json()}


async def _carry_out(command: CreateTenant | CreateKey) -> tuple[keys.NewKey, Sent | None]:
    if isinstance(command, CreateTenant):
        created = await tenants.create_with_key(wiring.table(), command.name, command.key_name)
        if command.owner_email is None:
            return created, None
        invited = await invite_owner(wiring.table(), wiring.post(), created.record.tenant_id, command.owner_email)
        return created, invited
    with tenancy.working_for(command.tenant_id):
        created = await keys.create_for_operator(
            wiring.table(), command.tenant_id, command.name, frozenset(command.scopes)
        )
    return created, None


def _shown(invited: Sent | None) -> dict[str, str]:
    if invited is None:
        return {}
    shown = {"invitation_id": invited.invitation.id, "mail": invited.invitation.mail.value}
    return shown | ({"invitation_token": invited.token} if invited.token else {})


def _explain(error: ValidationError) -> str:
    fields = (".".join(str(part) for part in detail["loc"][1:]) or "action" for detail in error.errors())
    return "; ".join(f"{field}: {detail['msg']}" for field, detail in zip(fields, error.errors(), strict=True))
