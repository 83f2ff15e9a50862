"""Killed at every call of every step, a document ends as if nothing had happened."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from almanac.aws import outbox
from almanac.events import DocumentOrigin, IndexSources, SourcesFailed
from documents.model import DocumentState, PartState, Version
from tests.support.plain_files import pages
from tests.unit.jobs.world import World, small

PAGES = 6


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    with small():
        yield loop
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def upload(world: World) -> str:
    return world.upload(pages(PAGES))


def upload_without_pages(world: World) -> str:
    return world.upload(pages(PAGES), kind="%sections")


def upload_a_shorter_version(world: World) -> str:
    document_id = world.upload(pages(PAGES, "old"))
    world.settle()
    return world.upload(pages(3, "new"), document_id)


def upload_a_damaged_version(world: World) -> str:
    document_id = world.upload(pages(PAGES, "old"))
    world.settle()
    texts = pages(PAGES, "new")
    texts[1:3] = ["!corrupt"] * 2
    return world.upload(texts, document_id)


def cancel_what_was_sent_in_part(world: World) -> str:
    document_id = world.upload(pages(PAGES, "old"))
    world.settle()
    world.upload(pages(PAGES, "new"), document_id)
    while world.document(document_id).sent_revision < 2:
        world.relay()
        world.deliver()
    assert world.cancel(document_id)
    return document_id


def cancel_a_first_version(world: World) -> str:
    document_id = world.upload(pages(PAGES))
    for kind in ("document.read", "document.part", "sources.index"):
        world.relay()
        world.deliver(min(place for place, event in enumerate(world.sorted()) if event.kind == kind))
    assert world.cancel(document_id)
    return document_id


def retitle_what_is_being_read(world: World) -> str:
    document_id = world.upload(pages(PAGES))
    world.relay()
    world.deliver()
    world.retitle(document_id, "Scope")
    return document_id


SCENARIOS = [
    upload,
    upload_without_pages,
    upload_a_shorter_version,
    upload_a_damaged_version,
    cancel_what_was_sent_in_part,
    cancel_a_first_version,
    retitle_what_is_being_read,
]
Scenario = Callable[[World], str]


def calls_of(scenario: Scenario, make: Callable[..., World]) -> tuple[dict[str, Any], int]:
    """Return how a scenario ends undisturbed, and how many calls it makes on the way."""
    world = make()
    document_id = scenario(world)
    count = 0

    def counting() -> None:
        nonlocal count
        count += 1

    world.store.on_call = counting
    world.settle()
    world.store.on_call = None
    return world.summary(document_id), count


@pytest.mark.parametrize("lost", [False, True], ids=["redelivered", "lost"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_killed_at_any_call_a_document_ends_as_if_nothing_had_happened(
    scenario: Scenario, lost: bool, loop: asyncio.AbstractEventLoop, tmp_path: Path
) -> None:
    def make(lost: bool = False) -> World:
        return World(tmp_path, loop, lost)

    expected, count = calls_of(scenario, make)
    assert count > 30
    # Each third call does where the watchdog has to find out: it does the same for all between two messages.
    for call in range(1, count + 1, 3 if lost else 1):
        world = make(lost)
        document_id = scenario(world)
        world.store.kill_at, world.store.kill_after_effect = call, bool(call % 2) == lost
        world.settle()
        assert world.summary(document_id) == expected, f"killed at call {call} of {count}"
        assert not world.queue


@pytest.mark.parametrize("read", [True, False], ids=["read", "given up"])
@pytest.mark.parametrize("deliveries", range(9))
def test_a_title_given_at_any_moment_of_a_job_is_what_search_shows(
    deliveries: int, read: bool, loop: asyncio.AbstractEventLoop, tmp_path: Path
) -> None:
    world = World(tmp_path, loop)
    document_id = world.upload(pages(PAGES, "old"))
    world.settle()
    world.upload(pages(PAGES, "new") if read else ["nothing"], document_id, kind="" if read else "%broken corrupt")
    for _ in range(deliveries):
        world.relay()
        if world.queue:
            world.deliver()
    world.retitle(document_id, "Scope")
    world.settle()
    assert world.titles(document_id) == {"Scope"}
    assert world.shown()[document_id] == dict(enumerate(pages(PAGES, "new" if read else "old"), start=1))


@pytest.mark.parametrize("earlier", [False, True], ids=["first version", "second version"])
@pytest.mark.parametrize("later", [*range(14), None])
def test_what_the_index_refuses_and_takes_later_is_found_only_if_the_job_says_so(
    earlier: bool, later: int | None, loop: asyncio.AbstractEventLoop, tmp_path: Path
) -> None:
    world = World(tmp_path, loop)
    document_id = world.upload(pages(PAGES, "old")) if earlier else ""
    world.settle()
    document_id = world.upload(pages(PAGES, "new"), document_id)
    twice = asked_to_index(world, 2)
    world.run(world.table.write(outbox.message(refusal(twice))))
    # Its duplicate is delivered after so many other messages, or once all is over.
    for _ in range(later or 0):
        world.relay()
        if world.queue:
            world.deliver()
    if later is None:
        world.settle()
    world.queue.insert(0, twice)
    world.settle()
    document = world.document(document_id)
    parts = [part for part in world.run(world.documents.parts(document_id, document.revision)) if part.first]
    indexed = [part for part in parts if part.state is PartState.INDEXED]
    found = {number for part in indexed for number in range(part.first, part.last + 1)}
    assert set(world.shown()[document_id]) == found
    assert all(text.startswith("new") for text in world.shown()[document_id].values())
    assert document.job is not None
    assert (document.job.counts.read, document.job.counts.bad) == (len(found), PAGES - len(found))
    assert document.job.counts.parts_failed == len(parts) - len(indexed)
    version: Version = world.run(world.documents.version(document_id, document.version))
    assert {page.number for page in version.bad_pages} == set(range(1, PAGES + 1)) - found
    assert document.state is version.state is (DocumentState.PARTIAL if version.bad_pages else DocumentState.READY)
    assert world.run(world.manifest.read()).awaiting == {}


def asked_to_index(world: World, part: int) -> IndexSources:
    """Deliver messages until one asks for a part to be indexed, and take that out of the queue."""
    while True:
        world.relay()
        for message in world.queue:
            match message:
                case IndexSources(origin=DocumentOrigin(part=found)) if found == part:
                    world.queue.remove(message)
                    return message
        world.deliver()


def refusal(message: IndexSources) -> SourcesFailed:
    common = {"tenant_id": message.tenant_id, "correlation_id": message.correlation_id}
    return SourcesFailed(**common, origin=message.origin, code="attempts_exhausted", cause="the model did not answer")


def test_a_document_in_pieces_is_whole_after_many_deaths(loop: asyncio.AbstractEventLoop, tmp_path: Path) -> None:
    world = World(tmp_path, loop)
    document_id = world.upload(pages(80))
    for death in range(60):
        world.store.kill_at = 1 + death * 7 % 23
        for _ in range(3):
            world.relay()
            if world.queue:
                world.deliver(death % len(world.queue))
        world.store.revive()
    world.settle()
    assert world.deaths > 20
    assert world.document(document_id).state is DocumentState.READY
    assert world.shown()[document_id] == dict(enumerate(pages(80), start=1))
