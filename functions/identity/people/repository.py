"""Reads and writes of persons and their sessions. They lie outside every tenant."""

import time

from almanac.aws import keys
from almanac.aws.table import ConditionFailed, Put, Table, Update
from almanac.clock import now
from identity.people.errors import PersonChanged, SessionNotFound
from identity.people.model import PersonRecord, SessionRecord

# So long an ended session must be known as such: longer than any access token of it lives.
_ENDED_SECONDS = 2 * 24 * 3600


class PeopleRepository:
    """All persons: the caller's own is chosen by the id that the authorizer, or the user pool, vouches for."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def get_person(self, person_id: str) -> PersonRecord | None:
        """Return a person, or None when it was never written down."""
        item = await self._table.get(keys.person(person_id))
        return PersonRecord.from_item(item) if item else None

    async def create_person(self, person: PersonRecord) -> None:
        """Write a person down, unless somebody did."""
        try:
            await self._table.write(Put(person.to_item()))
        except ConditionFailed:
            return

    async def note_person(self, person_id: str, *, email: str, mfa: bool | None) -> None:
        """Write down what a sign-in told of a person; `mfa` None is nothing."""
        told = {"email": email} if mfa is None else {"email": email, "mfa": mfa}
        await self._table.write(Update(keys.person(person_id), set=told))

    async def rename_person(self, person_id: str, name: str, version: int) -> PersonRecord:
        """Change the name; raises `PersonChanged` unless the person is at `version`."""
        update = Update(
            keys.person(person_id),
            set={"name": name},
            add={"version": 1},
            condition="#version = :version",
            values={":version": version},
        )
        try:
            item = await self._table.write(update)
        except ConditionFailed:
            raise PersonChanged("Read it again: it changed meanwhile.", field="body.version") from None
        return PersonRecord.from_item(item or {})

    async def refuse_older_tokens(self, person_id: str) -> None:
        """Have the authorizer refuse whatever was issued before the current second."""
        await self._table.write(Update(keys.person(person_id), set={"valid_after": int(time.time())}))

    async def create_session(self, session: SessionRecord) -> None:
        """Write a new session down."""
        await self._table.write(Put(session.to_item()))

    async def get_session(self, person_id: str, session_id: str) -> SessionRecord | None:
        """Return a session, ended ones too, or None."""
        item = await self._table.get(keys.person_session(person_id, session_id))
        return SessionRecord.from_item(item) if item else None

    async def list_sessions(self, person_id: str) -> list[SessionRecord]:
        """Return the sessions that have not ended, oldest first."""
        found = self._table.query_all(keys.person(person_id).pk, prefix=keys.person_sessions())
        sessions = [SessionRecord.from_item(item) async for item in found]
        alive = (session for session in sessions if session.ended_at is None and session.expires_at > time.time())
        return sorted(alive, key=lambda session: (session.created_at, session.id))

    async def rotate(self, session: SessionRecord, successor_sha256: str, at_ms: int) -> None:
        """Put the next refresh token into force; raises `ConditionFailed` when the session moved on meanwhile."""
        update = Update(
            session.key,
            set={
                "refresh_sha256": successor_sha256,
                "previous_sha256": session.refresh_sha256,
                "rotated_at": at_ms,
                "used_at": now(),
            },
            condition="#refresh_sha256 = :current AND attribute_not_exists(#ended_at)",
            values={":current": session.refresh_sha256},
        )
        await self._table.write(update)

    async def end_session(self, session: SessionRecord) -> None:
        """Have the authorizer refuse the session's tokens; raises `SessionNotFound` when it has ended."""
        update = Update(
            session.key,
            set={"ended_at": now(), "expires_at": int(time.time()) + _ENDED_SECONDS},
            remove=["refresh_sha256", "previous_sha256", "refresh_cipher"],
            condition="attribute_exists(#pk) AND attribute_not_exists(#ended_at)",
        )
        try:
            await self._table.write(update)
        except ConditionFailed:
            raise SessionNotFound("There is no session with this id.") from None
