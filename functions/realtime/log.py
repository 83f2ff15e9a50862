"""A topic's events in the table: numbered one by one, each once however often its message comes."""

import time
from dataclasses import dataclass

from almanac.aws import keys
from almanac.aws.table import ConditionFailed, Item, Put, Table
from almanac.errors import RetryableError
from almanac.events import Happened
from realtime.errors import EventsGone
from realtime.model import KEPT_SECONDS, Told

_ATTEMPTS = 8
_DELETED = ".deleted"
_MOST_SEQUENCES = 1000
"""So many of a resource's events in a topic are found again when it is deleted."""


@dataclass(frozen=True)
class TopicLog:
    """Reads and writes the events of one tenant's topics."""

    table: Table
    tenant_id: str

    async def append(self, event: Happened, topic: str) -> Told | None:
        """Give an event its number in a topic; one that has a number keeps it, while it is its resource's newest.

        None when a newer state of the resource was told before.
        """
        for _ in range(_ATTEMPTS):
            head_key, last_key = keys.topic_head(self.tenant_id, topic), self._last_key(event, topic)
            # The head first: the rest changes only together with it, so that the head's condition guards all.
            head = await self.table.get(head_key)
            last = await self.table.get(last_key)
            if last is not None and last["event_id"] == event.event_id:
                await self._forget(event, topic, last.get("sequences", [])[:-1])
                return await self._found(topic, last["sequence"])
            if last is not None and _state(last) > (event.resource_version, event.at):
                return None
            told = Told.of(event, topic, _sequence(head) + 1)
            earlier = last.get("sequences", []) if last is not None else []
            newest = {
                "event_id": event.event_id,
                "resource_version": event.resource_version,
                "at": event.at,
                "sequences": [*earlier, told.sequence][-_MOST_SEQUENCES:],
            }
            try:
                await self.table.transact(
                    [
                        _counted(head_key, head, told, ended=_ends(event, topic)),
                        Put(told.to_item(self.tenant_id)),
                        Put(
                            {
                                **last_key.as_dict(),
                                "entity": "topic_last",
                                **newest,
                                "sequence": told.sequence,
                                "expires_at": told.expires_at,
                            },
                            overwrite=True,
                        ),
                    ]
                )
            except ConditionFailed:
                continue
            await self._forget(event, topic, earlier)
            return told
        raise RetryableError("the topic kept changing")

    async def has(self, event: Happened, topic: str) -> bool:
        """Tell whether an event has a number in a topic and is its resource's newest there."""
        last = await self.table.get(self._last_key(event, topic))
        return last is not None and bool(last["event_id"] == event.event_id)

    async def head(self, topic: str) -> int:
        """Return the number of the newest event, 0 before the first."""
        return _sequence(await self.table.get(keys.topic_head(self.tenant_id, topic)))

    async def after(self, topic: str, sequence: int, limit: int) -> list[Told]:
        """Return at most `limit` events that follow on `sequence`; raises `EventsGone` when the next is not kept."""
        # The head first: whatever it counts is there, unless it has expired.
        head = await self.head(topic)
        partition, prefix = keys.topic(self.tenant_id, topic), keys.topic_events()
        start = keys.topic_event(self.tenant_id, topic, sequence).as_dict() if sequence else None
        found: list[Told] = []
        while not found:
            page = await self.table.query(partition, prefix=prefix, after=start, limit=limit)
            found = [told for told in map(Told.from_item, page.items) if told.expires_at > time.time()]
            start = page.last_key
            if start is None:
                break
        following = found[0].sequence if found else head + 1
        if following != sequence + 1:
            raise EventsGone(following)
        return found

    async def oldest(self, topic: str) -> int:
        """Return the number of the first event that is kept, or of the next to come."""
        try:
            found = await self.after(topic, 0, 1)
        except EventsGone as gone:
            return gone.oldest
        return found[0].sequence if found else 1

    async def _forget(self, event: Happened, topic: str, sequences: list[int]) -> None:
        """Take what is deleted out of the events that were told of it before."""
        if not event.type.endswith(_DELETED):
            return
        for sequence in sequences:
            found = await self._found(topic, sequence)
            if found is not None:
                await self.table.write(Put(found.of_the_deleted().to_item(self.tenant_id), overwrite=True))

    async def _found(self, topic: str, sequence: int) -> Told | None:
        item = await self.table.get(keys.topic_event(self.tenant_id, topic, sequence))
        return Told.from_item(item) if item else None

    def _last_key(self, event: Happened, topic: str) -> keys.Key:
        # An event without a version is its own newest state: it is only known again.
        return keys.topic_last(self.tenant_id, topic, event.resource_id if event.resource_version else event.event_id)


def _counted(key: keys.Key, head: Item | None, told: Told, *, ended: bool) -> Put:
    """Return the write of the head. That of what is deleted goes with the last of its events."""
    item = {**key.as_dict(), "entity": "topic_head", "sequence": told.sequence}
    item |= {"expires_at": told.expires_at + KEPT_SECONDS} if ended else {}
    if head is None:
        return Put(item)
    return Put(item, condition="#sequence = :before", values={":before": head["sequence"]})


def _ends(event: Happened, topic: str) -> bool:
    return event.type.endswith(_DELETED) and topic.endswith(f":{event.resource_id}")


def _state(last: Item) -> tuple[int, str]:
    """Return which state of a resource was told last: versions that are the same came about one after another."""
    return int(last["resource_version"]), str(last.get("at", ""))


def _sequence(head: Item | None) -> int:
    return int(head["sequence"]) if head else 0
