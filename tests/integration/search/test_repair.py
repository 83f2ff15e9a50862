"""What is missing or damaged is reported, and comes back: from older versions of the object, or from the sources."""

from typing import Any

import pytest

from almanac.aws import keys
from almanac.aws.blobs import ObjectVersion
from almanac.aws.table import Put
from almanac.index import repair
from almanac.index.manifest import Head
from search import wiring
from tests.integration.search.test_compaction import compact, state
from tests.integration.search.test_indexing import redeliver
from tests.integration.search.world import SLUG, World, blobs, run, table


def lose(world: World, key: str) -> None:
    """Remove an object with all of its versions."""

    async def removed() -> None:
        versions: list[ObjectVersion] = [version async for version in blobs().versions(key)]
        await blobs().delete_versions(versions)

    run(removed())
    # What the environment has of it is gone as well.
    wiring.reader.cache_clear()
    wiring.searcher.cache_clear()


def upkeep(world: World) -> None:
    world.stack.relay()
    while world.stack.deliver("Index", milliseconds=900_000):
        world.stack.relay()


def asked(world: World) -> list[dict[str, Any]]:
    """Return the requests for sources that were sent so far, without a tenant's id and the like."""
    fields = ("repository_id", "message_id")
    return [{name: event.get(name) for name in fields} for event in world.sent() if event["kind"] == "sources.resend"]


def unavailable(world: World) -> None:
    answer = world.get(q="elephants")
    assert (answer.status, answer.json["code"]) == (503, "index_unavailable")


def test_an_older_version_of_the_object_takes_its_place_again(world: World) -> None:
    world.index(world.message("one", "elephants"))
    (key,) = world.segments()
    run(blobs().put(key, b"something else"))
    wiring.reader.cache_clear()
    wiring.searcher.cache_clear()
    unavailable(world)
    upkeep(world)
    assert len(world.search("elephants")) == 1
    assert asked(world) == []
    assert state(world).lost == {}


def test_a_lost_segment_of_a_run_is_sent_again_and_goes_when_the_new_run_is_the_floor(world: World) -> None:
    event = world.index(world.code("a.py", "elephants = 1"))
    (key,) = world.segments()
    lose(world, key)
    unavailable(world)
    upkeep(world)
    assert asked(world) == [{"repository_id": world.repository, "message_id": None}]
    assert list(state(world).lost) == [key.rpartition("/")[2]]
    # Asked for again before the sources had time to come: nothing more is sent.
    run(repair.repair(table(), blobs(), repair.request(world.tenant, SLUG, key.rpartition("/")[2], "missing")))
    assert len(asked(world)) == 0
    world.index(world.code("a.py", "elephants = 1", version=2))
    world.write(world.manifest.head(Head(world.repository, 2, "c2", floor=2)))
    run(repair.repair(table(), blobs(), repair.request(world.tenant, SLUG, key.rpartition("/")[2], "missing")))
    assert state(world).lost == {}
    assert key.rpartition("/")[2] not in state(world).segments(SLUG)
    assert [hit["title"] for hit in world.search("elephants")] == ["a.py"]
    assert event.origin.run == 1  # type: ignore[union-attr]


def test_the_same_batch_makes_the_same_object_again(world: World) -> None:
    event = world.index(world.message("one", "elephants"))
    (key,) = world.segments()
    lose(world, key)
    unavailable(world)
    redeliver(world, event)
    assert world.segments() == [key]
    assert len(world.search("elephants")) == 1
    upkeep(world)
    assert (asked(world), state(world).lost) == ([], {})


def test_a_lost_version_of_a_message_goes_when_there_is_a_newer_one(world: World) -> None:
    from almanac.events import MessageOrigin
    from almanac.index.manifest import SegmentEntry

    origin = MessageOrigin(message_id="msg_1", version=1)
    world.write(world.manifest.append(SegmentEntry(SLUG, "0" * 64, 1, 10, "f", origin=origin)))
    item = keys.message(world.tenant, "msg_1").as_dict()
    world.write(Put({**item, "version": 1}))
    request = repair.request(world.tenant, SLUG, "0" * 64, "missing")
    run(repair.repair(table(), blobs(), request))
    assert asked(world) == [{"repository_id": None, "message_id": "msg_1"}]
    world.write(Put({**item, "version": 2}, overwrite=True))
    run(repair.repair(table(), blobs(), request))
    assert (state(world).lost, state(world).log) == ({}, {})


def test_a_lost_snapshot_is_never_a_wrong_answer_and_everything_is_sent_again(world: World) -> None:
    world.index(world.message("one", "elephants"), world.message("two", "giraffes"))
    compact(world)
    snapshot = state(world).snapshot(SLUG)
    assert snapshot is not None
    assert snapshot.current is not None
    lose(world, keys.part_object(world.tenant, SLUG, snapshot.current.sha256))
    unavailable(world)
    upkeep(world)
    assert asked(world) == [{"repository_id": None, "message_id": None}]
    world.index(world.message("one", "elephants", version=2))
    unavailable(world)
    assert "rebuild --from sources" in world.get(q="elephants").json["detail"]


def test_a_compaction_that_meets_a_damaged_segment_has_it_repaired_and_goes_on(world: World) -> None:
    world.index(world.message("one", "elephants"))
    world.index(world.message("two", "elephants"))
    key = world.segments()[0]
    run(blobs().put(key, b"something else"))
    compact(world)
    assert state(world).segments(SLUG) == {}
    assert len(world.search("elephants")) == 2


def test_a_false_alarm_changes_nothing(world: World) -> None:
    world.index(world.message("one", "elephants"))
    (key,) = world.segments()
    for name in (key.rpartition("/")[2], "0" * 64):
        run(repair.repair(table(), blobs(), repair.request(world.tenant, SLUG, name, "missing")))
    assert (asked(world), state(world).lost) == ([], {})
    assert len(world.search("elephants")) == 1


@pytest.fixture(autouse=True)
def _fresh() -> None:
    wiring.reader.cache_clear()
    wiring.searcher.cache_clear()
