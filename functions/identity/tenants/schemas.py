"""Tenants, members and invitations as callers send and see them."""

from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from almanac.access import Permission, Principal, Role
from almanac.ids import id_pattern
from identity.schemas import Moment, Name, TenantId
from identity.tenants import model
from identity.tenants.addresses import canonical
from identity.tenants.invitations import Sent
from identity.tenants.model import Mail, State

PersonId = Annotated[str, Field(pattern=id_pattern("usr"), examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
InvitationId = Annotated[str, Field(pattern=id_pattern("inv"), examples=["inv_01k9zq3v7m8x2c4b6n0d1f5g7h"])]
Version = Annotated[int, Field(description="Counts the edits; an update sends it back.", examples=[1])]
ReadVersion = Annotated[
    int,
    Field(
        ge=1,
        le=2**53,
        description="The `version` that was read. When it is no longer current, nothing is changed (409).",
        examples=[1],
    ),
]
NextCursor = Annotated[str | None, Field(description="Send it as `cursor` to get the next page; null at the end.")]
# What follows the @ is a domain; what comes before it is left to the receiving server, but for what could end a header.
EmailAddress = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        min_length=3,
        max_length=254,
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+$",
    ),
    AfterValidator(canonical),
    Field(examples=["ada@example.org"]),
]


class Request(BaseModel):
    """A request's body: fields that are not known are refused."""

    model_config = ConfigDict(extra="forbid")


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
    version: Version
    created_at: Moment
    caller: Caller

    @classmethod
    def of(cls, record: model.TenantRecord, principal: Principal) -> Self:
        return cls(
            id=record.id,
            name=record.name,
            version=record.version,
            created_at=record.created_at,
            caller=Caller.of(principal),
        )


class TenantCreate(Request):
    """A new tenant; the caller owns it."""

    name: Name = Field(examples=["Acme"])


class TenantUpdate(Request):
    """Another name for the tenant."""

    name: Name = Field(examples=["Acme"])
    version: ReadVersion


class Membership(BaseModel):
    """A tenant that the caller belongs to."""

    tenant_id: TenantId
    tenant_name: str = Field(examples=["Acme"])
    role: Role
    since: Moment

    @classmethod
    def of(cls, record: model.Membership) -> Self:
        return cls(tenant_id=record.tenant_id, tenant_name=record.tenant_name, role=record.role, since=record.since)


class MembershipList(BaseModel):
    """All tenants that the caller belongs to."""

    items: list[Membership]
    next_cursor: None = Field(default=None, description="Always null: the list is whole.")


class TransferRequest(Request):
    """Who is to own the tenant."""

    person_id: PersonId


class Member(BaseModel):
    """A person in the tenant."""

    person_id: PersonId
    email: str = Field(description="Empty where none is verified.", examples=["ada@example.org"])
    name: str = Field(examples=["Ada Lovelace"])
    role: Role
    joined_at: Moment
    version: Version

    @classmethod
    def of(cls, record: model.Member) -> Self:
        return cls(
            person_id=record.person_id,
            email=record.email,
            name=record.name,
            role=record.role,
            joined_at=record.joined_at,
            version=record.version,
        )


class MemberUpdate(Request):
    """Another role for a member."""

    role: Role = Field(examples=["viewer"])
    version: ReadVersion


class MemberList(BaseModel):
    """One page of members, by id."""

    items: list[Member]
    next_cursor: NextCursor


class InvitationCreate(Request):
    """Whom to invite, and as what."""

    email: EmailAddress
    role: Role = Field(examples=["member"])
    expires_in_days: int = Field(default=7, ge=1, le=30, description="For how long the invitation is good.")


class Invitation(BaseModel):
    """An invitation without its token."""

    id: InvitationId
    email: str = Field(examples=["ada@example.org"])
    role: Role
    state: State
    invited_by: str = Field(
        description="A person, an API key or service account, or `operator`.",
        examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"],
    )
    created_at: Moment
    expires_at: Moment
    mail: Mail = Field(description="What became of the letter: `failed` and `pending` ones can be sent again.")
    mail_cause: str | None = Field(examples=["The mail service refused the letter (MessageRejected)."])

    @classmethod
    def of(cls, record: model.Invitation) -> Self:
        return cls(
            id=record.id,
            email=record.email,
            role=record.role,
            state=record.state,
            invited_by=record.invited_by,
            created_at=record.created_at,
            expires_at=record.ends(),
            mail=record.mail,
            mail_cause=record.mail_cause,
        )


class InvitationSent(Invitation):
    """An invitation just made or renewed."""

    token: str | None = Field(
        description="For you to hand over, where no mail is configured: it cannot be read again. Null: it was mailed.",
        examples=["almi_01k9zq3v7m8x2c4b6n0d1f5g7h_01k9zq4a0c6e8g2j4m6p8r0t2v_..."],
    )

    @classmethod
    def of_sent(cls, sent: Sent) -> Self:
        return cls(**Invitation.of(sent.invitation).model_dump(), token=sent.token)


class InvitationList(BaseModel):
    """One page of invitations, oldest first."""

    items: list[Invitation]
    next_cursor: NextCursor


class InvitationAccept(Request):
    """The token of an invitation."""

    token: str = Field(
        min_length=1,
        max_length=200,
        examples=["almi_01k9zq3v7m8x2c4b6n0d1f5g7h_01k9zq4a0c6e8g2j4m6p8r0t2v_..."],
    )
