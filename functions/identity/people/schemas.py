"""Sign-in and people as callers send and see them."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from almanac.clock import iso
from identity.people import passwords
from identity.people.account import Authenticator
from identity.people.model import PersonRecord, SessionRecord
from identity.people.sessions import Opened
from identity.schemas import Moment, Name

_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
Email = Annotated[
    str,
    StringConstraints(
        to_lower=True, max_length=254, pattern=rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+$"
    ),
    Field(examples=["ada@example.org"], repr=False),
]
Code = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{6}$"),
    Field(description="Six digits.", examples=["123456"], repr=False),
]
NewPassword = Annotated[
    str,
    StringConstraints(min_length=passwords.SHORTEST, max_length=passwords.LONGEST),
    AfterValidator(passwords.acceptable),
    Field(description=f"{passwords.RULE[0].upper()}{passwords.RULE[1:]}.", examples=["Correct horse 1"], repr=False),
]
Password = Annotated[
    str, StringConstraints(min_length=1, max_length=256), Field(examples=["Correct horse 1"], repr=False)
]
RefreshToken = Annotated[
    str,
    StringConstraints(min_length=1, max_length=300),
    Field(description="`almr_...`; each is good for one use.", examples=["almr_..."], repr=False),
]


class _Sent(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignUpStart(_Sent):
    """An address that wants to sign up."""

    email: Email


class SignUpConfirm(_Sent):
    """The code that was sent to the address, and what the person wants to be called and to sign in with."""

    email: Email
    code: Code
    name: Name = Field(examples=["Ada Lovelace"])
    password: NewPassword


class AddressOnly(_Sent):
    """An address that a code is to be sent to."""

    email: Email


class SignIn(_Sent):
    """Address and password."""

    email: Email
    password: Password


class SignInMfa(_Sent):
    """The code of the second factor, for the challenge that signing in was answered with."""

    challenge: str = Field(min_length=1, max_length=8192, examples=["WyJhZGEi..."], repr=False)
    code: Code


class Refresh(_Sent):
    """The session's current refresh token."""

    refresh_token: RefreshToken


class PasswordReset(_Sent):
    """The code that was sent to the address, and the new password."""

    email: Email
    code: Code
    password: NewPassword


class PasswordChange(_Sent):
    """The password as it is, and as it shall be."""

    current_password: Password
    new_password: NewPassword


class MfaConfirm(_Sent):
    """A code of the authenticator that was set up."""

    code: Code


class MfaDisable(_Sent):
    """Both factors once more."""

    password: Password
    code: Code


class MeUpdate(_Sent):
    """The name by which others see the person. `version` is the one that was read."""

    name: Name = Field(examples=["Ada Lovelace"])
    version: int = Field(ge=1, examples=[1])


class Accepted(BaseModel):
    """Said for every address, whether it is known here or not."""

    detail: str = Field(examples=["If this address can use a code, one is on its way."])


class SignedIn(BaseModel):
    """A session."""

    status: Literal["signed_in"] = "signed_in"
    access_token: str = Field(description="Send it as `Authorization: Bearer ...`.", examples=["eyJ..."], repr=False)
    expires_in: int = Field(description="For so many seconds the access token is good.", examples=[3600])
    refresh_token: str = Field(
        description="For a new access token at `/auth/refresh`, once: the answer there has the next.",
        examples=["almr_..."],
        repr=False,
    )
    session: str = Field(description="The session's id.", examples=["5c3f2b0e-7c0b-4f0e-9d7a-2f1c8b6a4e90"])
    person_id: str = Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])

    @classmethod
    def of(cls, opened: Opened) -> Self:
        return cls(
            access_token=opened.access_token,
            expires_in=opened.expires_in,
            refresh_token=opened.refresh_token,
            session=opened.session_id,
            person_id=opened.person_id,
        )


class MfaRequired(BaseModel):
    """The password was right; the second factor is asked for."""

    status: Literal["mfa_required"] = "mfa_required"
    challenge: str = Field(
        description="Send it with the code to `/auth/sign-in/mfa` within three minutes.",
        examples=["WyJhZGEi..."],
        repr=False,
    )


class Me(BaseModel):
    """The person who calls."""

    id: str = Field(examples=["usr_01k9zq3v7m8x2c4b6n0d1f5g7h"])
    email: str = Field(description="Verified, or empty.", examples=["ada@example.org"])
    name: str = Field(examples=["Ada Lovelace"])
    mfa: bool = Field(description="Whether signing in asks for a second factor.")
    created_at: Moment
    version: int = Field(examples=[1])

    @classmethod
    def of(cls, person: PersonRecord) -> Self:
        return cls(
            id=person.id,
            email=person.email,
            name=person.name,
            mfa=person.mfa,
            created_at=person.created_at,
            version=person.version,
        )


class MfaSetup(BaseModel):
    """What an authenticator app needs; it is shown only here."""

    secret: str = Field(description="To type in: base32.", examples=["..."], repr=False)
    otpauth_uri: str = Field(description="To show as a QR code.", examples=["otpauth://totp/..."], repr=False)

    @classmethod
    def of(cls, authenticator: Authenticator) -> Self:
        return cls(secret=authenticator.secret, otpauth_uri=authenticator.uri)


class Session(BaseModel):
    """A place where the person is signed in."""

    id: str = Field(examples=["5c3f2b0e-7c0b-4f0e-9d7a-2f1c8b6a4e90"])
    created_at: Moment
    used_at: str = Field(description="When it was last continued.", examples=["2026-01-31T12:00:00.000Z"])
    expires_at: str = Field(examples=["2026-03-02T12:00:00.000Z"])
    user_agent: str = Field(description="What the client called itself.", examples=["almanac-cli"])
    current: bool = Field(description="Whether this call is of the session.")

    @classmethod
    def of(cls, session: SessionRecord, current: str) -> Self:
        return cls(
            id=session.id,
            created_at=session.created_at,
            used_at=session.used_at,
            expires_at=iso(session.expires_at),
            user_agent=session.user_agent,
            current=session.id == current,
        )


class SessionList(BaseModel):
    """All sessions of the person, oldest first: there are never many."""

    items: list[Session]
    next_cursor: None = Field(default=None, description="Always null: the list is whole.")
