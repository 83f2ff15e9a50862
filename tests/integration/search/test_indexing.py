"""The embedding worker: killed, repeated, poisoned or out of time, it loses nothing and doubles nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from almanac.aws import keys
from almanac.aws.blobs import Blobs
from almanac.aws.table import Put, Table
from almanac.embeddings.base import Embedder
from almanac.embeddings.cache import VectorCache
from almanac.embeddings.testing import HashEmbedder
from almanac.errors import TerminalError
from almanac.events import MessageOrigin
from almanac.ids import new_id
from almanac.index import ingest
from almanac.index.manifest import Directory, IndexInfo, IndexState, Manifest, ManifestState
from almanac.index.sources import SourceRef
from almanac.worker.batch import Deadline
from search import wiring
from tests.integration.search.world import SLUG, World, blobs, run, table


class Killed(BaseException):
    """The process ends here: nothing catches this."""


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the texts that go through the model from now on."""
    embedder = wiring.embedder()
    assert isinstance(embedder, HashEmbedder)
    texts: list[str] = []
    monkeypatch.setattr(embedder, "embedded", texts)
    return texts


def test_a_batch_is_indexed_once_and_announced_alike_however_often_it_is_delivered(world: World) -> None:
    event = world.index(world.message("one", "elephants"), world.message("two", "giraffes"))
    assert [(e["kind"], e["chunks"], e["embedded"]) for e in world.announced()] == [("sources.indexed", 2, 2)]
    for _ in range(3):
        redeliver(world, event)
    assert {(e["kind"], e["origin"]["batch"], e["chunks"]) for e in world.announced()} == {("sources.indexed", 1, 2)}
    assert len(world.segments()) == 1
    assert len(world.search("elephants")) == 2


def test_an_answer_that_was_lost_is_given_again(world: World) -> None:
    event = world.index(world.message("one", "elephants"))
    assert len(world.announced()) == 1
    world.events.clear()
    redeliver(world, event)
    assert [e["kind"] for e in world.announced()] == ["sources.indexed"]


def test_a_batch_that_comes_again_after_its_owner_removed_it_is_no_dead_letter(world: World) -> None:
    batch = world.index(world.message("one", "elephants"))
    run(blobs().delete([batch.batch_key]))
    redeliver(world, batch)
    origin = MessageOrigin(message_id=new_id("msg"), version=1)
    redeliver(world, batch.model_copy(update={"origin": origin}))
    assert world.stack.dead_letters("Embedding") == []
    assert len(world.search("elephants")) == 1


def test_equal_batches_of_two_origins_are_both_announced(world: World) -> None:
    world.index(world.message("one", "elephants"))
    world.index(world.message("one", "elephants"))
    assert [e["origin"]["batch"] for e in world.announced()] == [1, 2]
    assert len(world.search("elephants")) == 1


def test_an_empty_batch_is_announced_and_leaves_no_segment(world: World) -> None:
    world.index()
    assert [(e["kind"], e["chunks"]) for e in world.announced()] == [("sources.indexed", 0)]
    assert world.segments() == []


def test_the_same_text_is_embedded_once(world: World, embedded: list[str]) -> None:
    world.index(world.code("a.py", "elephants = 1"), world.code("b.py", "elephants = 1"))
    world.index(world.code("renamed.py", "elephants = 1", version=2))
    assert embedded == ["elephants = 1"]
    assert len(world.search("elephants")) == 3


def test_tombstones_travel_with_a_batch(world: World) -> None:
    world.index(world.code("old.py", "elephants = 1"))
    deleted = SourceRef(source_id=f"code:{world.repository}:old.py", version=2)
    world.index(world.code("new.py", "giraffes = 1", version=2), deleted=[deleted])
    assert [hit["title"] for hit in world.search("elephants")] == ["new.py"]


def test_what_is_dropped_or_deleted_is_not_embedded_any_more(world: World, embedded: list[str]) -> None:
    world.write(world.manifest.drop(world.checkpoint), *world.manifest.hide([world.code("a.py", "x").ref]))
    world.index(world.message("one", "elephants"), world.code("a.py", "giraffes"), world.code("b.py", "lions"))
    assert embedded == ["lions"]
    assert [e["chunks"] for e in world.announced()] == [1]


STEPS: list[tuple[type, str]] = [
    (Blobs, "get"),
    (VectorCache, "get_many"),
    (HashEmbedder, "embed_documents"),
    (VectorCache, "put_many"),
    (Blobs, "put"),
    (Table, "transact"),
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step[0].__name__}.{step[1]}")
def test_killed_at_any_step_the_next_delivery_finishes(
    world: World, monkeypatch: pytest.MonkeyPatch, step: tuple[type, str], after: bool
) -> None:
    event = world.send(world.message("one", "elephants"), world.message("two", "giraffes"))
    world.stack.relay()
    with monkeypatch.context() as patch:
        owner, name = step
        patch.setattr(owner, name, killing(getattr(owner, name), after=after))
        with pytest.raises(Killed):
            world.stack.deliver("Embedding")
    redeliver(world, event)
    redeliver(world, event)
    assert {e["kind"] for e in world.announced()} == {"sources.indexed"}
    assert sorted(hit["title"] for hit in world.search("elephants")) == ["one", "two"]
    assert len(world.segments()) == 1


def test_poison_goes_to_the_dead_letters_with_its_cause_and_its_neighbours_succeed(world: World) -> None:
    missing = world.send(world.message("one", "elephants"))
    world.write(Put({**keys.sync_batch(world.tenant, world.repository, 1, 1).as_dict(), "batch": 1}))
    run(blobs().delete([missing.batch_key]))
    unreadable = world.send(world.message("two", "giraffes"))
    run(blobs().put(unreadable.batch_key, b"not gzip"))
    world.send(world.message("three", "lions"))
    world.work()
    assert [hit["title"] for hit in world.search("lions")] == ["three"]
    letters = {letter["code"]: letter for letter in world.stack.dead_letters("Embedding")}
    assert set(letters) == {"batch_missing", "batch_unreadable"}
    assert missing.batch_key in letters["batch_missing"]["cause"]
    failed = {e["code"]: e for e in world.announced() if e["kind"] == "sources.failed"}
    assert failed["batch_missing"]["origin"]["batch"] == 1
    assert failed["batch_unreadable"]["origin"]["batch"] == 2


def test_a_failure_that_may_pass_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.send(world.message("one", "elephants"))
    world.stack.relay()

    async def throttled(*_: Any, **__: Any) -> None:
        raise ConnectionError("slow down")

    with monkeypatch.context() as patch:
        patch.setattr(Blobs, "put", throttled)
        assert world.stack.deliver("Embedding") == 1
    assert world.announced() == []
    world.work()
    assert len(world.search("elephants")) == 1
    assert world.stack.dead_letters("Embedding") == []


def test_near_the_deadline_the_worker_stops_and_the_next_delivery_goes_on(world: World, embedded: list[str]) -> None:
    world.send(*(world.message(f"m{number}", f"elephant {number}") for number in range(5)))
    world.stack.relay()
    assert world.stack.deliver("Embedding", milliseconds=5_000) == 1
    assert (embedded, world.announced()) == ([], [])
    world.work()
    assert len(world.search("elephants")) == 5


def test_a_batch_longer_than_its_invocations_uses_up_no_receives(
    world: World, embedded: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest, "_TEXTS_PER_STEP", 1)
    affordable = 0
    monkeypatch.setattr(Deadline, "remaining", lambda self: 60 if len(embedded) < affordable else 1)
    world.send(*(world.message(f"m{number}", f"elephant {number}") for number in range(7)))
    while affordable < 7:
        assert world.announced() == []
        affordable += 1
        world.work()
    assert [event["embedded"] for event in world.announced()] == [1]
    assert len(embedded) == 7
    assert len(world.search("elephant")) == 7
    assert world.stack.dead_letters("Embedding") == []


def test_only_one_version_of_a_source_in_a_batch_counts(world: World) -> None:
    world.index(world.message("one", "old"), world.message("one", "new", version=2), world.message("one", "older"))
    assert [hit["excerpt"] for hit in world.search("new")] == ["new"]


def test_a_tenants_vectors_are_its_own(world: World, neighbour: World, embedded: list[str]) -> None:
    world.index(world.message("one", "elephants"))
    neighbour.index(neighbour.message("one", "elephants"))
    assert embedded == ["elephants", "elephants"]


def test_the_manifest_tells_what_a_segment_holds(world: World) -> None:
    world.index(world.message("one", "elephants"))
    state = run(world.manifest.read())
    (entry,) = state.segments(SLUG).values()
    (key,) = world.segments()
    assert key == f"tenants/{world.tenant}/index/{SLUG}/parts/{entry.sha256}"
    assert (entry.rows, entry.size) == (1, len(run(blobs().get(key))))
    assert entry.fingerprint == wiring.embedder().fingerprint


BESIDE = IndexInfo("beside", "test:hash@32", IndexState.BUILDING, shards=2)


def test_every_index_takes_in_every_batch_with_vectors_of_its_own_model(world: World) -> None:
    world.write(world.manifest.direct(Directory({SLUG: IndexInfo(SLUG, "test:hash"), "beside": BESIDE}, 1)))
    event = world.index(*(world.message(f"m{n}", f"elephants {n}") for n in range(6)))
    state = run(world.manifest.read())
    assert [entry.rows for entry in state.segments(SLUG).values()] == [6]
    beside = state.segments("beside").values()
    assert (sum(entry.rows for entry in beside), {entry.shard for entry in beside}) == (6, {0, 1})
    assert {entry.fingerprint for entry in beside} == {wiring.embedder_for("test:hash@32").fingerprint}
    assert {entry.origin for entry in (*beside, *state.segments(SLUG).values())} == {event.origin}
    redeliver(world, event)
    assert run(world.manifest.read()) == state


def test_an_index_whose_provider_is_gone_holds_up_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(world.manifest.direct(Directory({SLUG: IndexInfo(SLUG, "test:hash"), "beside": BESIDE}, 1)))
    embedder_for = wiring.embedder_for

    def gone(name: str) -> Embedder:
        if name == BESIDE.model:
            raise TerminalError("embedding_refused", "the account is closed")
        return embedder_for(name)

    monkeypatch.setattr(wiring, "embedder_for", gone)
    world.index(world.code("a.py", "parse"))
    assert set(run(world.manifest.read()).log) == {SLUG}
    assert len(world.search("parse")) == 1


def test_a_tenants_first_segment_makes_the_model_its_own(world: World) -> None:
    world.index(world.code("a.py", "parse"))
    elsewhere = Manifest(table(), world.tenant, Directory.default("other", "test:hash@32"))
    assert run(elsewhere.read()).directory.serving == IndexInfo(SLUG, "test:hash")


def test_no_batch_passes_by_an_index_that_was_just_added(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    read, added = Manifest.read, list[bool]()

    async def read_too_early(self: Manifest) -> ManifestState:
        state = await read(self)
        if not added:
            added.append(True)
            serving = IndexInfo(SLUG, "test:hash")
            await table().write(world.manifest.direct(Directory({SLUG: serving, "beside": BESIDE}, 1)))
        return state

    world.send(world.message("one", "elephants"))
    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "read", read_too_early)
        world.work()
    assert [len(run(world.manifest.read()).segments(index)) for index in (SLUG, "beside")] == [1, 1]
    assert len(world.search("elephants")) == 1


def killing(step: Callable[..., Any], *, after: bool) -> Callable[..., Any]:
    async def killed(*arguments: Any, **named: Any) -> Any:
        if after:
            await step(*arguments, **named)
        raise Killed

    return killed


def redeliver(world: World, event: Any) -> None:
    """Put a message on the queue once more and let the worker see it."""
    queue = world.stack.environment["ALMANAC_EMBEDDING_QUEUE_URL"]
    world.stack.client("sqs").send_message(QueueUrl=queue, MessageBody=event.model_dump_json())
    world.work()
