"""Open connections in the table, and what each follows."""

import time
from contextlib import suppress
from dataclasses import dataclass

from almanac import tenancy
from almanac.aws import keys
from almanac.aws.table import Check, ConditionFailed, Delete, Put, Table, Update, Write
from almanac.clock import iso
from realtime.errors import ConnectionGone, TicketRefused, TooManyTopics
from realtime.model import CONNECTED_SECONDS, MAX_TOPICS, TICKET_SECONDS, Actor, Connection, Follower, Ticket
from realtime.tickets import Claim

_ATTEMPTS = 8
_ABSENT = "attribute_not_exists(#pk)"


async def tenant_of(table: Table, connection_id: str) -> str | None:
    """Return whose connection it is, before any tenant is known."""
    with tenancy.working_for(None):
        item = await table.get(keys.connection_owner(connection_id))
    return item["tenant_id"] if item else None


@dataclass(frozen=True)
class ConnectionStore:
    """Reads and writes one tenant's connections."""

    table: Table
    tenant_id: str

    async def admit(self, actor: Actor, ticket_sha256: str) -> int:
        """Remember a ticket; returns until when it opens a connection, in epoch seconds."""
        expires_at = int(time.time()) + TICKET_SECONDS
        ticket = Ticket(**actor.actor.model_dump(), expires_at=expires_at)
        await self.table.write(Put(ticket.to_item(self.tenant_id, ticket_sha256)))
        return expires_at

    async def open(self, claim: Claim, connection_id: str) -> Connection:
        """Open a connection with a ticket, which is used up by it; raises `TicketRefused`."""
        key = keys.ticket(self.tenant_id, claim.sha256)
        item = await self.table.get(key)
        present = int(time.time())
        if item is None or item["expires_at"] < present:
            raise TicketRefused
        ticket = Ticket.from_item(item)
        connection = Connection(
            **ticket.actor.model_dump(),
            connection_id=connection_id,
            opened_at=iso(present),
            expires_at=present + CONNECTED_SECONDS,
        )
        owner = {"entity": "connection_owner", "tenant_id": self.tenant_id, "expires_at": connection.expires_at}
        try:
            await self.table.transact(
                [
                    Delete(key, condition="attribute_exists(#pk)"),
                    Put(connection.to_item(self.tenant_id)),
                    Put({**keys.connection_owner(connection_id).as_dict(), **owner}),
                ]
            )
        except ConditionFailed:
            raise TicketRefused from None
        return connection

    async def get(self, connection_id: str) -> Connection | None:
        item = await self.table.get(keys.connection(self.tenant_id, connection_id))
        return Connection.from_item(item) if item else None

    async def follow(self, connection: Connection, topic: str, after: int) -> bool:
        """Have later events told to a connection that has all up to `after`; False when the topic went on meanwhile.

        From the moment that this is written, the head's next number is that of an event whose teller sees it. Raises
        `ConnectionGone` or `TooManyTopics`.
        """
        follower = Follower(
            **connection.actor.model_dump(),
            connection_id=connection.connection_id,
            after=after,
            expires_at=connection.expires_at,
        )
        head = keys.topic_head(self.tenant_id, topic)
        still = Check(head, "#sequence = :after", {":after": after}) if after else Check(head, _ABSENT)
        current: Connection | None = connection
        for _ in range(_ATTEMPTS):
            if current is None:
                raise ConnectionGone
            if topic not in current.topics and len(current.topics) >= MAX_TOPICS:
                raise TooManyTopics(MAX_TOPICS)
            topics = [*(name for name in current.topics if name != topic), topic]
            row = Put(follower.to_item(self.tenant_id, topic), overwrite=True)
            writes: list[Write] = [still, self._changed(current, topics), row]
            try:
                await self.table.transact(writes)
            except ConditionFailed as refused:
                if refused.position == 0:
                    return False
                current = await self.get(connection.connection_id)
                continue
            return True
        return False

    async def unfollow(self, connection_id: str, topic: str) -> None:
        """Have nothing more of a topic told to a connection. Its place among the connection's topics stays."""
        await self.table.write(Delete(keys.topic_follower(self.tenant_id, topic, connection_id)))

    async def forget(self, connection: Connection, topic: str) -> None:
        """Give up a topic, so that there is room for another; raises `ConnectionGone`."""
        for _ in range(_ATTEMPTS):
            current = await self.get(connection.connection_id)
            if current is None:
                raise ConnectionGone
            topics = [name for name in current.topics if name != topic]
            follower = Delete(keys.topic_follower(self.tenant_id, topic, connection.connection_id))
            with suppress(ConditionFailed):
                await self.table.transact([self._changed(current, topics), follower])
                return

    async def followers(self, topic: str) -> list[Follower]:
        """Return who follows a topic."""
        rows = self.table.query_all(keys.topic(self.tenant_id, topic), prefix=keys.topic_followers())
        present = time.time()
        return [follower async for row in rows if (follower := Follower.from_item(row)).expires_at > present]

    async def remove(self, connection_id: str) -> None:
        """Remove a connection and whatever it follows; it may be gone already."""
        for _ in range(_ATTEMPTS):
            current = await self.get(connection_id)
            if current is None:
                break
            # First, so that nothing is followed by it any more that is not in the list.
            gone = Delete(
                keys.connection(self.tenant_id, connection_id), "#change = :change", {":change": current.change}
            )
            try:
                await self.table.write(gone)
            except ConditionFailed:
                continue
            await self.table.batch_delete(
                keys.topic_follower(self.tenant_id, topic, connection_id) for topic in current.topics
            )
            break
        await self.table.write(Delete(keys.connection_owner(connection_id)))

    def _changed(self, current: Connection, topics: list[str]) -> Update:
        return Update(
            keys.connection(self.tenant_id, current.connection_id),
            set={"topics": topics, "change": current.change + 1},
            condition="#change = :change",
            values={":change": current.change},
        )
