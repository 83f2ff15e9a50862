"""What a signed-in person does with its own account."""

from dataclasses import dataclass, field
from urllib.parse import quote

from almanac.access import Person
from almanac.clock import now
from identity.people.directory import Challenge, Directory, Tokens, claims
from identity.people.errors import CodeRefused, ManagedElsewhere, PasswordRefused, SignInFailed
from identity.people.model import PersonRecord
from identity.people.repository import PeopleRepository
from identity.people.sessions import Sessions

PRODUCT = "Almanac"


@dataclass(frozen=True)
class Authenticator:
    """What an authenticator app needs, shown once."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)


class Account:
    """One person's account. `token` is the access token of the call, which the authorizer verified."""

    def __init__(
        self, person: Person, token: str, repository: PeopleRepository, pool: Directory, sessions: Sessions
    ) -> None:
        self._person = person
        self._token = token
        self._repository = repository
        self._pool = pool
        self._sessions = sessions

    async def read(self) -> PersonRecord:
        """Return the person; who signed in with another issuer is written down at its first call."""
        known = await self._repository.get_person(self._person.id)
        if known is None:
            said = claims(self._token)
            name, issuer = said.get("name"), said.get("iss")
            known = PersonRecord(
                id=self._person.id,
                email=self._person.email,
                name=name[:100] if isinstance(name, str) else "",
                issuer=issuer if isinstance(issuer, str) else "",
                created_at=now(),
            )
            await self._repository.create_person(known)
        return known

    async def rename(self, name: str, version: int) -> PersonRecord:
        """Change the name by which others know the person; raises `PersonChanged`."""
        await self.read()
        return await self._repository.rename_person(self._person.id, name, version)

    async def change_password(self, current: str, new: str) -> None:
        """Replace the password and end the person's other sessions; raises `PasswordRefused`."""
        self._must_be_ours()
        await self._pool.change_password(self._token, current, new)
        await self._sessions.end_all(self._person.id, but=self._person.session_id)

    async def begin_totp(self) -> Authenticator:
        """Return a new secret; the second factor is on once a code of it was confirmed."""
        self._must_be_ours()
        secret = await self._pool.begin_totp(self._token)
        label = quote(f"{PRODUCT}:{self._person.email}", safe="@")
        return Authenticator(secret, f"otpauth://totp/{label}?secret={secret}&issuer={PRODUCT}")

    async def confirm_totp(self, code: str) -> None:
        """Turn the second factor on; raises `CodeRefused`."""
        self._must_be_ours()
        await self._pool.confirm_totp(self._token, code)
        await self._note_mfa(enabled=True)

    async def disable_totp(self, password: str, code: str) -> None:
        """Turn the second factor off, having asked for both factors once more."""
        self._must_be_ours()
        await self._prove(password, code)
        await self._pool.disable_totp(self._token)
        await self._note_mfa(enabled=False)

    async def sign_out_everywhere(self) -> None:
        """End every session of the person, whichever issuer it is of."""
        await self.read()
        await self._repository.refuse_older_tokens(self._person.id)
        await self._sessions.end_all(self._person.id)
        if self._is_ours():
            await self._pool.sign_out_everywhere(self._token)

    async def delete(self) -> None:
        """Remove the account from the pool, for good; one of another issuer stays with it."""
        if self._is_ours():
            await self._pool.delete_user(self._token)

    async def _prove(self, password: str, code: str) -> None:
        try:
            entered = await self._pool.sign_in(self._person.email, password)
        except SignInFailed:
            raise PasswordRefused("The password is another one.", field="body.password") from None
        try:
            proven: Tokens = (
                await self._pool.answer_challenge(entered.text, code) if isinstance(entered, Challenge) else entered
            )
        except SignInFailed:
            raise CodeRefused("The code is wrong, has expired or was used.", field="body.code") from None
        await self._pool.revoke(proven.refresh_token)

    async def _note_mfa(self, *, enabled: bool) -> None:
        person = await self.read()
        await self._repository.note_person(person.id, email=person.email, mfa=enabled)

    def _is_ours(self) -> bool:
        return claims(self._token).get("iss") == self._pool.issuer

    def _must_be_ours(self) -> None:
        if not self._is_ours():
            raise ManagedElsewhere("Password and second factor are kept by the issuer that you signed in with.")
