"""Indexes through the real handlers: how they are, one built beside another, switched, rolled back, deleted."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from almanac.aws import keys
from almanac.aws.table import Table, Update
from almanac.clock import iso
from almanac.events import BuildIndex, CompactIndex, ResendSources, index_event, projects_event
from almanac.index.manifest import Directory, Head, IndexState
from almanac.index.sources import SourceRef
from tests.integration.harness import READ, WRITE, Answer
from tests.integration.projects.workspace import Workspace
from tests.integration.search.world import SLUG, World, run, table

PATH = "/api/v1/search/indexes"
OTHER_MODEL = "test:hash@32"


def call(world: World, method: str, path: str, body: Any = None, **given: Any) -> Answer:
    return world.stack.call("search", method, path, body, tenant=world.tenant, **given)


def status(world: World) -> Any:
    answer = call(world, "GET", "/api/v1/search/index")
    assert answer.status == 200, answer.text
    return answer.json


def create(world: World, **body: Any) -> Any:
    answer = call(world, "POST", PATH, body)
    assert answer.status == 202, answer.text
    return answer.json


def show(world: World, index_id: str) -> Any:
    answer = call(world, "GET", f"{PATH}/{index_id}")
    assert answer.status == 200, answer.text
    return answer.json


def activate(world: World, index_id: str) -> Answer:
    return call(world, "POST", f"{PATH}/{index_id}/activate")


def built(world: World, **body: Any) -> str:
    """Build an index to its end and return its id."""
    index_id = str(create(world, **body)["id"])
    world.work()
    build = show(world, index_id)["build"]
    assert build["ready"], build
    return index_id


def sent(world: World, queue: str, adapter: Any) -> list[Any]:
    """Take the messages that a queue holds."""
    world.stack.relay()
    where = {"QueueUrl": world.stack.environment[f"ALMANAC_{queue}_QUEUE_URL"]}
    sqs = world.stack.client("sqs")
    found = sqs.receive_message(**where, MaxNumberOfMessages=10).get("Messages", [])
    for message in found:
        sqs.delete_message(**where, ReceiptHandle=message["ReceiptHandle"])
    return [adapter.validate_json(message["Body"]) for message in found]


def test_a_tenant_without_anything_has_the_deployments_index(world: World) -> None:
    found = status(world)
    assert (found["id"], found["model"], found["chunks"], found["others"]) == (SLUG, "test:hash", 0, [])
    (only,) = call(world, "GET", PATH).json["items"]
    assert (only["id"], only["state"], only["build"]) == (SLUG, "serving", None)


def test_the_state_of_an_index_counts_what_is_found_and_what_is_superseded(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"), world.code("b.py", "def beta(): pass"))
    world.index(world.code("a.py", "def alpha(): return 1", version=2))
    found = status(world)
    assert (found["chunks"], found["superseded"], found["unembedded"]) == (2, 1, 0)
    assert (found["log"]["segments"], found["log"]["rows"]) == (2, 3)


def test_compaction_is_asked_for_per_shard(world: World) -> None:
    answer = call(world, "POST", "/api/v1/search/index/compact")
    assert (answer.status, answer.json["status"], answer.json["shards"]) == (202, "queued", 1)
    (event,) = sent(world, "INDEX", index_event)
    assert isinstance(event, CompactIndex)
    assert (event.tenant_id, event.index_id, event.shard) == (world.tenant, SLUG, 0)


def test_an_index_of_another_model_is_built_beside_the_serving_one_and_answers_after_the_switch(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"), world.message("m", "the gateway retries three times"))
    index_id = built(world, model=OTHER_MODEL)
    assert index_id.startswith("test-hash-32-")
    progress = show(world, index_id)["build"]
    assert (progress["total"], progress["done"], progress["missing"], progress["error"]) == (2, 2, 0, None)
    assert progress["embedded"] == progress["chunks"] == 2
    before = world.search("gateway retries")
    assert activate(world, index_id).status == 200
    assert status(world)["id"] == index_id
    assert [hit["source_id"] for hit in world.search("gateway retries")] == [hit["source_id"] for hit in before]


def test_an_index_of_the_same_model_takes_the_vectors_as_they_are(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    index_id = built(world)
    assert show(world, index_id)["build"]["embedded"] == 0
    assert activate(world, index_id).status == 200
    assert [hit["citation"]["path"] for hit in world.search("alpha")] == ["a.py"]


def test_what_is_written_during_and_after_the_build_is_in_both(world: World) -> None:
    world.index(world.message("one", "first words"))
    index_id = str(create(world, model=OTHER_MODEL)["id"])
    world.index(world.message("two", "second words"))
    assert activate(world, index_id).status == 200
    world.index(world.message("three", "third words"))
    assert activate(world, SLUG).status == 200
    assert {hit["title"] for hit in world.search("words")} == {"one", "two", "three"}


def test_switching_back_needs_nothing_but_the_switch(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    index_id = built(world, model=OTHER_MODEL)
    activate(world, index_id)
    back = activate(world, SLUG)
    assert (back.status, back.json["state"], back.json["served_until"]) == (200, "serving", None)
    other = show(world, index_id)
    assert other["state"] == "retained"
    assert other["served_until"] is not None


def test_activating_the_serving_index_changes_nothing(world: World) -> None:
    assert activate(world, SLUG).status == 200
    assert run(world.manifest.read()).directory.version == 0


def test_an_index_that_lacks_something_is_not_activated(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    index_id = str(create(world, model=OTHER_MODEL)["id"])
    refused = activate(world, index_id)
    assert (refused.status, refused.json["code"]) == (409, "index_incomplete")
    assert (refused.json["missing"], refused.json["unexpected"]) == (1, 0)
    assert status(world)["id"] == SLUG


def test_what_is_gone_stays_gone_in_a_built_index_when_its_old_version_comes_late(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    world.index(deleted=[SourceRef(source_id=world.code("a.py", "").source_id, version=2)])
    index_id = built(world, model=OTHER_MODEL)
    world.index(world.code("a.py", "def alpha(): pass", version=1))
    assert activate(world, index_id).status == 200
    assert world.search("alpha") == []


def test_an_erased_source_is_not_copied(world: World) -> None:
    world.index(world.message("m", "secret words"))
    world.write(*world.manifest.hide([SourceRef(source_id="message:m", version=1)]))
    index_id = built(world, model=OTHER_MODEL)
    assert show(world, index_id)["build"]["chunks"] == 0
    assert activate(world, index_id).status == 200


def test_a_superseded_version_is_copied_since_it_answers_for_the_past(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    world.index(world.code("a.py", "def alpha(): return 1", version=2))
    index_id = built(world, model=OTHER_MODEL)
    assert show(world, index_id)["build"]["chunks"] == 2
    assert activate(world, index_id).status == 200
    assert (status(world)["chunks"], status(world)["superseded"]) == (1, 1)


def test_a_compacted_index_is_copied_with_its_history(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"), world.code("b.py", "def beta(): pass"))
    world.index(world.code("a.py", "def alpha(): return 1", version=2))
    call(world, "POST", "/api/v1/search/index/compact")
    world.stack.relay()
    while world.stack.deliver("Index", milliseconds=900_000):
        pass
    before = status(world)
    assert (before["log"]["segments"], before["snapshots"][0]["generation"], before["history"]) == (0, 1, 1)
    index_id = built(world, model=OTHER_MODEL)
    assert show(world, index_id)["build"]["chunks"] == 3
    assert activate(world, index_id).status == 200
    after = status(world)
    assert (after["chunks"], after["superseded"] + after["history"]) == (2, 1)
    assert {hit["citation"]["path"] for hit in world.search("def")} == {"a.py", "b.py"}


def test_a_build_asks_for_the_compaction_of_what_it_wrote(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    index_id = built(world, model=OTHER_MODEL)
    world.stack.relay()
    while world.stack.deliver("Index", milliseconds=900_000):
        pass
    assert run(world.manifest.read()).segments(index_id) == {}
    assert activate(world, index_id).status == 200
    assert [hit["citation"]["path"] for hit in world.search("alpha")] == ["a.py"]


def test_a_build_message_that_comes_twice_copies_nothing_twice(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    index_id = built(world, model=OTHER_MODEL)
    before = run(world.manifest.read()).segments(index_id)
    again = BuildIndex(tenant_id=world.tenant, correlation_id="correlation1", index_id=index_id)
    from almanac.aws import outbox

    world.write(outbox.message(again))
    world.work()
    assert run(world.manifest.read()).segments(index_id) == before


def test_a_build_without_time_goes_on_in_another_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from search.indexes import build, copying

    monkeypatch.setattr(copying, "ROWS", 1)
    world.index(*(world.code(f"{n}.py", f"def number{n}(): pass") for n in range(4)))
    index_id = str(create(world, model=OTHER_MODEL)["id"])
    checks = 0
    original = build._Filling._check

    def check(filling: Any) -> None:
        nonlocal checks
        checks += 1
        if checks % 4 == 0:
            raise build._OutOfTime
        original(filling)

    monkeypatch.setattr(build._Filling, "_check", check)
    while world.stack.relay():
        world.work()
    assert checks > 4
    assert show(world, index_id)["build"]["ready"]
    assert activate(world, index_id).status == 200


@pytest.mark.parametrize("step", range(1, 8))
def test_a_build_that_is_killed_at_any_write_is_finished_by_the_next_attempt(
    world: World, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    from search.indexes import copying

    monkeypatch.setattr(copying, "ROWS", 1)
    world.index(*(world.code(f"{n}.py", f"def number{n}(): pass") for n in range(3)))
    world.index(deleted=[SourceRef(source_id=world.code("0.py", "").source_id, version=2)])
    index_id = str(create(world, model=OTHER_MODEL)["id"])
    original, writes = Table.transact, 0

    async def dying(table: Table, wanted: Any) -> None:
        nonlocal writes
        writes += 1
        if writes == step:
            raise ConnectionError("killed")
        await original(table, wanted)
        if writes == step + 1:
            raise ConnectionError("killed after the write")

    with monkeypatch.context() as death:
        death.setattr(Table, "transact", dying)
        while world.stack.relay() + world.stack.deliver("Embedding"):
            pass
    assert show(world, index_id)["build"]["ready"]
    assert activate(world, index_id).status == 200
    world.index(world.code("0.py", "def number0(): pass", version=1))
    assert {hit["citation"]["path"] for hit in world.search("def number1 number2 number0")} == {"1.py", "2.py"}


def test_a_batch_that_was_under_way_when_an_index_was_added_is_in_both(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from almanac.embeddings.testing import HashEmbedder
    from search import wiring
    from search.indexes.service import IndexService

    original, created = HashEmbedder.embed_documents, list[str]()

    async def meanwhile(embedder: HashEmbedder, texts: Any) -> Any:
        if not created:
            service = IndexService(wiring.table(), wiring.reader(), world.tenant, wiring.default_directory())
            created.append((await service.create(OTHER_MODEL, "index", None)).info.id)
        return await original(embedder, texts)

    monkeypatch.setattr(HashEmbedder, "embed_documents", meanwhile)
    world.index(world.code("a.py", "def alpha(): pass"))
    assert activate(world, created[0]).status == 200
    assert [hit["citation"]["path"] for hit in world.search("alpha")] == ["a.py"]


def test_a_failed_build_says_why(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from almanac.embeddings.testing import HashEmbedder
    from almanac.errors import TerminalError

    world.index(world.code("a.py", "def alpha(): pass"))
    index_id = str(create(world, model=OTHER_MODEL)["id"])

    async def refuse(*_: Any) -> Any:
        raise TerminalError("embedding_refused", "the provider answered status 401")

    monkeypatch.setattr(HashEmbedder, "embed_documents", refuse)
    world.work()
    build = show(world, index_id)["build"]
    assert not build["ready"]
    assert build["error"]["code"] == "embedding_refused"
    assert "401" in build["error"]["cause"]
    assert world.stack.dead_letters("Embedding")[0]["code"] == "embedding_refused"


def test_an_index_can_be_built_in_shards(world: World) -> None:
    world.index(*(world.code(f"{n}.py", f"def number{n}(): pass") for n in range(12)))
    index_id = built(world, shards=3)
    shards = {entry.shard for entry in run(world.manifest.read()).segments(index_id).values()}
    assert shards <= {0, 1, 2}
    assert len(shards) > 1
    assert activate(world, index_id).status == 200
    assert len(world.search("def", limit=50)) == 12
    assert status(world)["chunks"] == 12


def test_what_is_gone_stays_gone_in_every_shard(world: World) -> None:
    gone = [world.code(f"{n}.py", f"def number{n}(): pass") for n in range(12)]
    world.index(*gone)
    world.index(deleted=[SourceRef(source_id=source.source_id, version=2) for source in gone])
    index_id = built(world, shards=4)
    assert activate(world, index_id).status == 200
    world.index(*gone)
    assert world.search("def") == []


def test_from_sources_everything_is_sent_again(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    index_id = str(create(world, **{"from": "sources"})["id"])
    (event,) = [e for e in sent(world, "PROJECTS", projects_event) if isinstance(e, ResendSources)]
    assert (event.tenant_id, event.repository_id, event.message_id) == (world.tenant, None, None)
    assert show(world, index_id)["build"]["missing"] == 1
    world.index(world.code("a.py", "def alpha(): pass"))
    assert show(world, index_id)["build"]["ready"]


def test_one_index_is_built_at_a_time(world: World) -> None:
    first = create(world)
    second = call(world, "POST", PATH, {})
    assert (second.status, second.json["code"], second.json["index_id"]) == (409, "index_being_built", first["id"])


@pytest.mark.parametrize(
    "model", ["openai:text-embedding-3-small", "bedrock:amazon.titan-embed-text-v2:0", "nonsense", "test:hash@x"]
)
def test_a_model_that_the_deployment_does_not_offer_is_refused(world: World, model: str) -> None:
    refused = call(world, "POST", PATH, {"model": model})
    assert (refused.status, refused.json["code"]) == (422, "embedding_model_not_allowed")
    assert refused.json["errors"][0]["field"] == "body.model"
    assert refused.json["allowed"] == ["test:hash"]


def test_the_serving_index_is_not_deleted(world: World) -> None:
    refused = call(world, "DELETE", f"{PATH}/{SLUG}")
    assert (refused.status, refused.json["code"]) == (409, "index_serves")


def test_an_index_that_served_lately_is_not_deleted_yet(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    index_id = built(world, model=OTHER_MODEL)
    activate(world, index_id)
    refused = call(world, "DELETE", f"{PATH}/{SLUG}")
    assert (refused.status, refused.json["code"]) == (409, "index_served_lately")
    assert refused.json["deletable_at"] > iso(time.time())
    _make_old(world, SLUG)
    assert call(world, "DELETE", f"{PATH}/{SLUG}").status == 204
    state = run(world.manifest.read())
    assert (state.segments(SLUG), list(state.directory.indexes)) == ({}, [index_id])
    assert [hit["citation"]["path"] for hit in world.search("alpha")] == ["a.py"]


def test_deleting_an_index_that_is_being_built_ends_its_build(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    index_id = str(create(world)["id"])
    assert call(world, "DELETE", f"{PATH}/{index_id}").status == 204
    world.work()
    assert run(world.manifest.read()).segments(index_id) == {}
    assert call(world, "GET", f"{PATH}/{index_id}").status == 404


def test_a_delete_that_was_killed_half_way_can_be_finished(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    index_id = built(world)
    directory = run(world.manifest.read()).directory
    left = {name: info for name, info in directory.indexes.items() if name != index_id}
    world.write(world.manifest.direct(Directory(left, directory.version + 1)))
    assert call(world, "DELETE", f"{PATH}/{index_id}").status == 204
    assert run(world.manifest.read()).segments(index_id) == {}
    assert call(world, "DELETE", f"{PATH}/{index_id}").status == 404


def test_two_switches_at_one_moment_leave_one_serving_index(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from search.indexes.service import IndexService

    index_id = built(world)
    original = IndexService._difference

    async def meanwhile(service: IndexService, *arguments: Any) -> Any:
        found = await original(service, *arguments)
        directory = (await world.manifest.read()).directory
        await table().transact([world.manifest.direct(Directory(directory.indexes, directory.version + 1))])
        return found

    monkeypatch.setattr(IndexService, "_difference", meanwhile)
    refused = activate(world, index_id)
    assert (refused.status, refused.json["code"]) == (409, "indexes_changed")
    states = [info.state for info in run(world.manifest.read()).directory.indexes.values()]
    assert states.count(IndexState.SERVING) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", PATH),
        ("POST", f"{PATH}/{SLUG}/activate"),
        ("DELETE", f"{PATH}/{SLUG}"),
        ("POST", "/api/v1/search/index/compact"),
    ],
)
def test_changes_need_an_admins_key(world: World, method: str, path: str) -> None:
    body: Any = {} if path == PATH else None
    assert call(world, method, path, body, scope=WRITE).status == 403


def test_looking_needs_a_readers_key(world: World) -> None:
    for path in ("/api/v1/search/index", PATH, f"{PATH}/{SLUG}"):
        assert call(world, "GET", path, scope=READ).status == 200


def _damage(world: World) -> None:
    """Lose all objects of the serving index for good."""
    s3 = world.stack.client("s3")
    for key in world.segments():
        s3.delete_object(Bucket="almanac", Key=key)


def test_a_damaged_part_is_told_and_no_count_is_made_up(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    _damage(world)
    found = status(world)
    assert (found["readable"], found["chunks"], found["log"]["segments"]) == (False, None, 1)


def test_an_index_from_the_sources_takes_over_from_one_that_is_lost(world: World) -> None:
    workspace = Workspace(world.stack, world.tenant)
    workspace.message(workspace.checkpoint(), "the gateway retries three times")
    workspace.settle()
    _damage(world)
    index_id = str(create(world, **{"from": "sources"})["id"])
    refused = activate(world, index_id)
    assert (refused.json["code"], refused.json["missing"]) == ("index_incomplete", 1)
    workspace.settle()
    assert show(world, index_id)["build"]["ready"]
    assert activate(world, index_id).status == 200
    assert len(workspace.found("gateway")) == 1


def test_an_index_from_the_sources_waits_for_every_repository(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    world.write(world.manifest.head(Head(world.repository, 1, "c1")))
    _damage(world)
    index_id = str(create(world, **{"from": "sources"})["id"])
    assert show(world, index_id)["build"]["missing"] == 1
    world.index(world.code("a.py", "def alpha(): pass", version=2))
    world.write(world.manifest.head(Head(world.repository, 2, "c1", floor=2)))
    assert activate(world, index_id).status == 200
    assert [hit["citation"]["path"] for hit in world.search("alpha")] == ["a.py"]


def test_a_copy_of_an_index_that_is_lost_is_not_made(world: World) -> None:
    world.index(world.code("a.py", "def alpha(): pass"))
    _damage(world)
    index_id = str(create(world)["id"])
    assert activate(world, index_id).status == 503


def _make_old(world: World, index_id: str) -> None:
    """Let an index have served half an hour ago."""
    item = run(table().get(keys.index_directory(world.tenant)))
    ago = iso((datetime.now(UTC) - timedelta(minutes=30)).timestamp())
    indexes = [{**info, "served_until": ago} if info["id"] == index_id else info for info in item["indexes"]]
    run(table().write(Update(keys.index_directory(world.tenant), set={"indexes": indexes})))
