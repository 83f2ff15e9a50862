"""Whatever interleaves, dies or comes again: a client that resumes sees every event of a topic once and in order."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from almanac.access import Principal
from almanac.aws import keys
from almanac.aws.table import Put, Table
from almanac.events import Happened
from almanac.ids import new_id, new_ulid
from realtime import tickets
from realtime.connections import ConnectionStore
from realtime.errors import TicketRefused
from realtime.gateway import Gateway, Posted
from realtime.log import TopicLog
from realtime.model import Actor
from realtime.standing import Standings
from realtime.talking import Talk
from realtime.telling import Teller
from tests.support.memory import Killed, MemoryStore

READERS = 3


class Lines(Gateway):
    """Open connections in memory: a post may be the call at which the process dies."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store, "")
        self.posted: dict[str, list[str]] = {}
        self.ended: set[str] = set()

    async def post(self, connection_id: str, text: str) -> Posted:
        await self.clients.get("dynamodb")
        if connection_id in self.ended:
            return Posted.GONE
        assert isinstance(self.clients, MemoryStore)
        self.clients.call(lambda: self.posted.setdefault(connection_id, []).append(text))
        return Posted.DELIVERED

    async def close(self, connection_id: str) -> None:
        self.ended.add(connection_id)


async def everybody(_principal: Principal) -> None:
    """Admit every frame."""


@dataclass
class Reader:
    """The other end of one connection after another."""

    connection: str = ""
    read: int = 0
    first: int | None = None
    seen: list[tuple[int, str]] = field(default_factory=list)

    @property
    def last(self) -> int | None:
        return self.seen[-1][0] if self.seen else self.first

    def hear(self, lines: Lines) -> None:
        texts = lines.posted.get(self.connection, [])[self.read :]
        self.read += len(texts)
        for frame in map(json.loads, texts):
            if frame["type"] == "subscribed" and self.first is None:
                self.first = frame["sequence"]
            for event in frame.get("events", []):
                assert self.last is not None, "an event came before the topic was followed"
                if event["sequence"] > self.last:
                    assert event["sequence"] == self.last + 1, "an event is missing"
                    self.seen.append((event["sequence"], event["data"]["id"]))


@dataclass
class World:
    """A tenant with one project, its feed, and who reads it."""

    random: Random
    store: MemoryStore = field(default_factory=MemoryStore)
    queue: list[Happened] = field(default_factory=list)
    told: list[Happened] = field(default_factory=list)
    readers: list[Reader] = field(default_factory=lambda: [Reader() for _ in range(READERS)])

    def __post_init__(self) -> None:
        self.table, self.lines = Table("almanac", self.store), Lines(self.store)
        self.tenant, self.person, self.project = new_id("ten"), new_id("usr"), new_id("prj")
        self.topic = f"project:{self.project}"
        self.talk = Talk(self.table, self.lines, Standings(self.table), self.tenant, everybody)
        self.teller = Teller(self.table, self.lines, Standings(self.table))

    async def begin(self) -> None:
        member = {**keys.member(self.tenant, self.person).as_dict(), "role": "member"}
        project = {**keys.project(self.tenant, self.project).as_dict(), "id": self.project, "state": "active"}
        for item in (member, project):
            await self.table.write(Put(item))

    def publish(self) -> None:
        id_ = new_ulid()
        self.queue.append(
            Happened(
                tenant_id=self.tenant,
                correlation_id="test",
                event_id=id_,
                type="thing.changed",
                topics=(self.topic,),
                resource_id="thing",
                at="2026-01-01T00:00:00.000Z",
                data={"id": id_},
            )
        )

    async def deliver(self) -> None:
        """Tell the first message of the queue; a worker that dies leaves it there."""
        if self.queue:
            await self.teller.tell(self.queue[0])
            self.told.append(self.queue.pop(0))

    async def deliver_all(self) -> None:
        while self.queue:
            await self.deliver()

    async def again(self) -> None:
        """Tell something old once more, as a message does that was sent twice."""
        if self.told:
            await self.teller.tell(self.random.choice(self.told))

    async def come(self, place: int) -> None:
        """Connect and go on behind the last event that was seen; what was there before breaks off."""
        reader = self.readers[place]
        self.lines.ended.add(reader.connection)
        reader.hear(self.lines)
        reader.connection, reader.read = new_ulid(), 0
        claim = tickets.parse(tickets.create(self.tenant))
        assert claim is not None
        store = ConnectionStore(self.table, self.tenant)
        await store.admit(Actor(actor_id=self.person), claim.sha256)
        await store.open(claim, reader.connection)
        frame: dict[str, Any] = {"action": "subscribe", "topic": self.topic}
        frame |= {} if reader.last is None else {"resume_from": reader.last}
        await self.talk.answer(reader.connection, json.dumps(frame))

    async def leave(self, place: int) -> None:
        connection = self.readers[place].connection
        self.lines.ended.add(connection)
        if self.random.random() < 0.5:
            await ConnectionStore(self.table, self.tenant).remove(connection)

    async def dying(self, work: Coroutine[Any, Any, None], at: int, *, after_effect: bool) -> None:
        self.store.kill_at, self.store.kill_after_effect = at, after_effect
        try:
            await work
        except Killed:
            pass
        finally:
            self.store.revive()

    async def together(self, *works: Coroutine[Any, Any, None]) -> None:
        self.store.pauses = lambda: self.random.choice([0, 0, 1, 2, 9])
        try:
            await asyncio.gather(*works)
        finally:
            self.store.pauses = None

    def hear(self) -> None:
        for reader in self.readers:
            reader.hear(self.lines)


async def play(world: World, steps: list[str]) -> None:
    await world.begin()
    random = world.random
    for step in steps:
        place = random.randrange(READERS)
        actions: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "deliver": world.deliver,
            "again": world.again,
            "come": lambda place=place: world.come(place),  # type: ignore[misc]
            "leave": lambda place=place: world.leave(place),  # type: ignore[misc]
        }
        if step == "publish":
            for _ in range(random.randrange(1, 5)):
                world.publish()
        elif step == "together":
            for _ in range(random.randrange(2, 8)):
                world.publish()
            await world.together(
                world.deliver_all(), *(world.come(each) for each in range(random.randrange(1, READERS)))
            )
        elif step == "killed":
            work = actions[random.choice(["deliver", "come", "again"])]()
            await world.dying(work, random.randrange(1, 25), after_effect=random.random() < 0.5)
        else:
            await actions[step]()
        world.hear()
    await world.deliver_all()
    for place in range(READERS):
        await world.come(place)
    world.hear()


STEPS = [
    "publish",
    "publish",
    "deliver",
    "deliver",
    "again",
    "come",
    "leave",
    "together",
    "together",
    "killed",
    "killed",
]


@given(st.lists(st.sampled_from(STEPS), min_size=3, max_size=40), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_every_reader_sees_each_event_once_and_in_order(steps: list[str], seed: int) -> None:
    world = World(Random(seed))
    asyncio.run(play(world, steps))

    head = len(world.told)
    by_number: dict[int, str] = {}
    for reader in world.readers:
        assert reader.first is not None
        assert [sequence for sequence, _ in reader.seen] == list(range(reader.first + 1, head + 1))
        for sequence, id_ in reader.seen:
            assert by_number.setdefault(sequence, id_) == id_, "a number stands for two events"
    kept = asyncio.run(TopicLog(world.table, world.tenant).after(world.topic, 0, 1000))
    assert [told.shown["data"] for told in kept] == [event.data for event in world.told]


@given(st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_of_two_connections_with_one_ticket_one_opens(seed: int) -> None:
    world = World(Random(seed))
    claim = tickets.parse(tickets.create(world.tenant))
    assert claim is not None
    store = ConnectionStore(world.table, world.tenant)

    async def play() -> list[bool]:
        await store.admit(Actor(actor_id=world.person), claim.sha256)
        world.store.pauses = lambda: world.random.randrange(4)
        opened = await asyncio.gather(*(store.open(claim, new_ulid()) for _ in range(3)), return_exceptions=True)
        return [not isinstance(each, TicketRefused) for each in opened]

    assert sorted(asyncio.run(play())) == [False, False, True]
