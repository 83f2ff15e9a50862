"""Sessions: how they begin, how they are continued, and how they end.

A session is one of the user pool, and ours to end. The pool's own refresh token stays here, encrypted; a client holds
one of ours, which is replaced whenever it is used:

    sign-in          use of r1           use of r2
       |                |                   |
      r1 ------------> r2 ---------------> r3           one of them is in force
                        |
                        r1 again: within 10 s r2 is given once more; later the session ends

The next token is a function of the one that was used. Whoever's answer was lost, or who asked twice at once, gets the
same token again, so there are never two that could go on; and whoever keeps a stolen token ends the session with it, or
is ended by its owner.
"""

import asyncio
import base64
import json
import secrets
import time
from dataclasses import dataclass, field

from almanac.aws.secrets import Secrets
from almanac.aws.table import ConditionFailed
from almanac.clock import now
from almanac.observability import log, log_failure
from identity.people import directory
from identity.people.directory import Directory
from identity.people.errors import RefreshRefused, SessionNotFound, SignInAgain
from identity.people.model import PersonRecord, SessionRecord
from identity.people.repository import PeopleRepository
from identity.tokens import refresh

SESSIONS = 20
"""So many sessions a person may have: one more ends the oldest."""
GRACE_SECONDS = 10
"""So long a used refresh token brings its successor again."""
LIFETIME_SECONDS = 30 * 24 * 3600
"""As long as the pool's own refresh token lives."""

_LONGEST_USER_AGENT = 120


@dataclass(frozen=True)
class Opened:
    """What a client gets to go on with."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    session_id: str
    person_id: str


class Sessions:
    """Begins, continues and ends sessions."""

    def __init__(self, repository: PeopleRepository, pool: Directory, secrets: Secrets) -> None:
        self._repository = repository
        self._pool = pool
        self._secrets = secrets

    async def begin(
        self, tokens: directory.Tokens, user_agent: str, *, name: str = "", mfa: bool | None = None
    ) -> Opened:
        """Write down the person and the session of somebody who signed in."""
        await self._note_person(tokens, name, mfa)
        token = refresh.first(tokens.person_id, tokens.session_id)
        kept = {
            "refresh": tokens.refresh_token,
            "subject": tokens.subject,
            "key": base64.b64encode(secrets.token_bytes(32)).decode(),
        }
        began = now()
        session = SessionRecord(
            person_id=tokens.person_id,
            id=tokens.session_id,
            created_at=began,
            used_at=began,
            expires_at=int(time.time()) + LIFETIME_SECONDS,
            refresh_sha256=refresh.digest(token),
            family_sha256=refresh.family_digest(token),
            cipher=await self._secrets.encrypt(
                json.dumps(kept), tenant_id=tokens.person_id, resource_id=tokens.session_id
            ),
            user_agent=_printable(user_agent),
        )
        await self._end_oldest(tokens.person_id)
        await self._repository.create_session(session)
        return Opened(tokens.access_token, token, tokens.expires_in, session.id, session.person_id)

    async def go_on(self, token: str) -> Opened:
        """Replace a refresh token; raises `RefreshRefused`, having ended the session of one that was used before."""
        session = await self._session_of(token)
        sha256 = refresh.digest(token)
        if sha256 != session.refresh_sha256 and not _is_fresh(session, sha256):
            await self._end(session)
            log("warning", "a used refresh token was presented", person_id=session.person_id, session_id=session.id)
            raise _refused()
        kept = await self._open(session)
        try:
            renewed = await self._pool.refresh(kept["refresh"], kept["subject"])
        except SignInAgain:
            await self._end(session)
            raise _refused() from None
        successor = refresh.following(token, base64.b64decode(kept["key"]))
        if sha256 == session.refresh_sha256:
            await self._rotate(session, sha256, successor)
        return Opened(renewed.access_token, successor, renewed.expires_in, session.id, session.person_id)

    async def end_by_token(self, token: str) -> None:
        """End the session of a refresh token, used or not. What is none ends nothing."""
        try:
            session = await self._session_of(token)
        except RefreshRefused:
            return
        await self._end(session)

    async def end_one(self, person_id: str, session_id: str) -> None:
        """End one session of a person; raises `SessionNotFound`."""
        session = await self._repository.get_session(person_id, session_id)
        if session is None or session.ended_at is not None:
            raise SessionNotFound("There is no session with this id.")
        await self._end(session)

    async def end_all(self, person_id: str, *, but: str = "") -> None:
        """End every session of a person, except that with the id `but`."""
        sessions = await self._repository.list_sessions(person_id)
        await asyncio.gather(*(self._end(session) for session in sessions if session.id != but))

    async def _rotate(self, session: SessionRecord, sha256: str, successor: str) -> None:
        try:
            await self._repository.rotate(session, refresh.digest(successor), int(time.time() * 1000))
        except ConditionFailed as failed:
            # Somebody was faster. With the same token: the successor is the same, and in force.
            if failed.item is None or "ended_at" in failed.item or failed.item.get("previous_sha256") != sha256:
                raise _refused() from None

    async def _session_of(self, token: str) -> SessionRecord:
        """Return the living session that a token is of, used or not; raises `RefreshRefused`."""
        claim = refresh.parse(token)
        if claim is None:
            raise _refused()
        session = await self._repository.get_session(claim.person_id, claim.session_id)
        if session is None or session.ended_at is not None or session.expires_at <= time.time():
            raise _refused()
        if session.family_sha256 != claim.family_sha256:
            raise _refused()
        return session

    async def _end(self, session: SessionRecord) -> None:
        """Close our own door, which decides, and then the pool's: what keeps that one open keeps no session alive."""
        try:
            await self._repository.end_session(session)
        except SessionNotFound:
            return
        try:
            kept = await self._open(session)
            await self._pool.revoke(kept["refresh"])
        except Exception as error:  # noqa: BLE001 - nobody but us knows the pool's token, and we forgot it
            log_failure("a session was not ended in the pool", error, session_id=session.id)

    async def _open(self, session: SessionRecord) -> dict[str, str]:
        plain = await self._secrets.decrypt(session.cipher, tenant_id=session.person_id, resource_id=session.id)
        kept: dict[str, str] = json.loads(plain)
        return kept

    async def _end_oldest(self, person_id: str) -> None:
        sessions = await self._repository.list_sessions(person_id)
        for session in sessions[: max(0, len(sessions) - SESSIONS + 1)]:
            await self._end(session)

    async def _note_person(self, tokens: directory.Tokens, name: str, mfa: bool | None) -> None:
        known = await self._repository.get_person(tokens.person_id)
        if known is None:
            person = PersonRecord(tokens.person_id, tokens.email, name, self._pool.issuer, now(), mfa=bool(mfa))
            await self._repository.create_person(person)
        elif known.email != tokens.email or (mfa is not None and mfa != known.mfa):
            await self._repository.note_person(tokens.person_id, email=tokens.email, mfa=mfa)


def _is_fresh(session: SessionRecord, sha256: str) -> bool:
    """Tell whether the token was replaced a moment ago."""
    age = time.time() * 1000 - session.rotated_at
    return sha256 == session.previous_sha256 and age < GRACE_SECONDS * 1000


def _refused() -> RefreshRefused:
    return RefreshRefused("The session is over: sign in again.")


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:_LONGEST_USER_AGENT]
