"""Recall of live queries, and the index compared with its sources, through the real handlers."""

from dataclasses import replace
from typing import Any

import pytest

from almanac.aws import keys
from almanac.aws.table import Put, Update, dynamo
from almanac.events import RepairPart, index_event
from almanac.index.manifest import Head
from search import wiring
from search.quality.recall import Recall
from tests.integration.harness import READ, WRITE, Answer, Stack
from tests.integration.projects.workspace import Workspace
from tests.integration.search.world import World, run, table


@pytest.fixture
def workspace(stack: Stack, world: World) -> Workspace:
    return Workspace(stack, world.tenant)


def verify(world: World, sample: int = 50, **given: Any) -> Any:
    answer = _verify(world, {"sample": sample}, **given)
    assert answer.status == 200, answer.text
    return answer.json


def _verify(world: World, body: Any, **given: Any) -> Answer:
    return world.stack.call("search", "POST", "/api/v1/search/verify", body, tenant=world.tenant, **given)


def quality(world: World, **query: Any) -> Any:
    answer = world.stack.call("search", "GET", "/api/v1/search/quality", tenant=world.tenant, query=query)
    assert answer.status == 200, answer.text
    return answer.json


def problems(report: Any) -> list[tuple[str, str]]:
    return [(each["kind"], each["problem"]) for each in report["differences"]]


def change_message(world: World, message_id: str, **changes: Any) -> None:
    run(table().write(Update(keys.message(world.tenant, message_id), set=changes)))


@pytest.fixture
def message(workspace: Workspace) -> str:
    """Return a message that is indexed."""
    made = workspace.message(workspace.checkpoint(), "# Gateway\n\nThe gateway retries three times.", author="Ada")
    workspace.settle()
    return made


def test_a_tenant_without_searches_has_no_recall(world: World) -> None:
    found = quality(world)
    assert (found["queries"], found["recall"], found["days"], found["verification"]) == (0, None, [], None)


def test_an_index_that_says_what_its_sources_say_has_no_differences(world: World, message: str) -> None:
    report = verify(world)
    assert report["differences"] == []
    assert report["checked"] == {"parts": 1, "messages": 1, "repositories": 0, "vectors": 1}
    assert quality(world)["verification"] == report


def test_a_message_whose_content_is_another_is_told(world: World, message: str) -> None:
    change_message(world, message, content="something else")
    report = verify(world)
    assert problems(report) == [("message", "content_differs")]
    assert report["differences"][0]["source_id"] == f"message:{message}"


def test_a_message_whose_content_lies_in_the_bucket_is_compared_too(world: World, workspace: Workspace) -> None:
    workspace.message(workspace.checkpoint(), "A long story of elephants.\n\n" * 12_000)
    workspace.settle()
    report = verify(world)
    assert (report["differences"], report["checked"]["messages"]) == ([], 1)


def test_a_message_that_is_gone_from_the_table_is_told(world: World, message: str) -> None:
    where = {"TableName": "almanac", "Key": dynamo(keys.message(world.tenant, message).as_dict())}
    world.stack.client("dynamodb").delete_item(**where)
    assert problems(verify(world)) == [("message", "message_gone")]


def test_a_newer_version_that_the_index_has_never_seen_is_told(world: World, message: str) -> None:
    change_message(world, message, version=2)
    assert problems(verify(world)) == [("message", "version_differs")]


def test_a_message_that_never_reached_the_index_is_told(world: World, message: str) -> None:
    for entry in run(world.manifest.read()).segments("test-hash").values():
        world.write(world.manifest.remove(entry))
    assert problems(verify(world)) == [("message", "not_in_index")]


def test_a_message_that_waits_for_its_embedding_is_no_difference(world: World, workspace: Workspace) -> None:
    workspace.message(workspace.checkpoint(), "not embedded yet")
    report = verify(world)
    assert (report["differences"], report["checked"]["messages"]) == ([], 1)


def test_a_message_that_nobody_waits_for_is_told(world: World, workspace: Workspace) -> None:
    made = workspace.message(workspace.checkpoint(), "not embedded yet")
    world.write(world.manifest.settled(made))
    assert problems(verify(world)) == [("message", "not_awaited")]


def test_a_message_that_was_deleted_is_no_difference(world: World, workspace: Workspace, message: str) -> None:
    assert workspace.call("DELETE", f"/messages/{message}").status == 204
    assert verify(world)["differences"] == []


def test_what_changes_while_it_is_compared_is_no_difference(
    world: World, workspace: Workspace, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from search.indexes.opening import open_index as original
    from search.quality import verify as module

    opened = list[int]()

    async def late(*arguments: Any) -> Any:
        opened.append(1)
        found = await original(*arguments)
        if len(opened) == 1:
            # As if the message had been written after the index was opened.
            (shard,) = found.shards
            empty = replace(shard, parts=[], view=type(shard.view)([], shard.view.facts))
            return replace(found, shards=[empty])
        return found

    monkeypatch.setattr(module, "open_index", late)
    assert verify(world)["differences"] == []
    assert len(opened) == 2


@pytest.mark.parametrize(("body", "problem"), [(b"something else", "checksum_differs"), (None, "missing")])
def test_a_damaged_object_is_told_and_its_repair_asked_for(
    world: World, message: str, body: bytes | None, problem: str
) -> None:
    (key,) = world.segments()
    s3 = world.stack.client("s3")
    if body is None:
        s3.delete_object(Bucket="almanac", Key=key)
    else:
        s3.put_object(Bucket="almanac", Key=key, Body=body)
    report = verify(world)
    assert ("part", problem) in problems(report)
    assert report["repairs"] == 1
    world.stack.relay()
    queue = {"QueueUrl": world.stack.environment["ALMANAC_INDEX_QUEUE_URL"]}
    found = world.stack.client("sqs").receive_message(**queue, MaxNumberOfMessages=10)["Messages"]
    events = [event for each in found if isinstance(event := index_event.validate_json(each["Body"]), RepairPart)]
    assert {event.key for event in events} == {key}


def test_a_vector_that_is_not_its_texts_is_told(world: World, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from almanac.embeddings.testing import HashEmbedder

    async def other(embedder: HashEmbedder, texts: Any) -> Any:
        return np.ones((len(texts), embedder.dimensions), np.int8)

    monkeypatch.setattr(HashEmbedder, "embed_documents", other)
    assert problems(verify(world)) == [("vector", "vector_differs")]


def test_a_provider_that_refuses_is_no_difference(world: World, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from almanac.embeddings.testing import HashEmbedder
    from almanac.errors import RetryableError

    async def refuse(*_: Any) -> Any:
        raise RetryableError("the provider kept failing")

    monkeypatch.setattr(HashEmbedder, "embed_documents", refuse)
    report = verify(world)
    assert report["differences"] == []
    assert report["skipped"] == ["vectors: the provider kept failing"]


def _repository(world: World, **changes: Any) -> None:
    """Write what the sync writes of a repository whose completed state has one file and one commit."""
    item = {
        "state": "synced",
        "run": 1,
        "wanted": 1,
        "served": 1,
        "heads": {"main": "c1"},
        "counts": {"files": 1, "commits": 1},
        **changes,
    }
    run(table().write(Put({**keys.repository(world.tenant, world.repository).as_dict(), **item})))
    world.write(world.manifest.head(Head(world.repository, 1, "c1", "main", {"main": "c1"})))
    world.index(world.code("a.py", "def alpha(): pass"), world.commit("c1", "Add alpha"))


def test_a_repository_that_agrees_with_its_index_has_no_differences(world: World) -> None:
    _repository(world)
    report = verify(world)
    assert report["differences"] == []
    assert (report["checked"]["code"], report["checked"]["commit"], report["checked"]["repositories"]) == (1, 1, 1)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"heads": {"main": "c2"}}, "heads_differ"),
        ({"counts": {"files": 2, "commits": 1}}, "files_differ"),
        ({"counts": {"files": 1, "commits": 0}}, "commits_differ"),
    ],
)
def test_a_repository_that_disagrees_with_its_index_is_told(
    world: World, changes: dict[str, Any], problem: str
) -> None:
    _repository(world, **changes)
    assert problems(verify(world)) == [("repository", problem)]


def test_a_repository_that_is_being_synced_is_left_for_another_time(world: World) -> None:
    _repository(world, state="indexing", heads={"main": "c2"})
    report = verify(world)
    assert report["differences"] == []
    assert report["skipped"] == ["repositories: 1 are being synced or were not chosen"]


def test_a_citation_that_does_not_go_with_its_id_is_told(world: World) -> None:
    cited = world.code("a.py", "").citation.model_copy(update={"blob": "5feceb66"})
    world.index(
        world.code("a.py", "def alpha(): pass", citation=cited), world.commit("c1", "Add", source_id="commit:r:c2")
    )
    assert sorted(problems(verify(world))) == [("code", "path_or_blob_differs"), ("commit", "commit_differs")]


def test_the_ids_that_a_sync_gives_go_with_their_citations(world: World) -> None:
    from projects.sync.plan import Entry, EntryKind, code_source_id

    entry = Entry(b"src/a.py", EntryKind.FILE, b"5feceb66ffc86f38d952786c6d696c79c2dbc239")
    cited = world.code("a.py", "").citation.model_copy(update={"blob": entry.blob.decode()})
    source_id = code_source_id(world.repository, entry)
    world.index(world.code("src/a.py", "def alpha(): pass", source_id=source_id, citation=cited))
    assert verify(world)["differences"] == []


def test_a_sample_is_no_larger_than_asked_for(world: World) -> None:
    world.index(*(world.code(f"{n}.py", f"def number{n}(): pass") for n in range(8)))
    assert verify(world, sample=3)["checked"]["code"] == 3


def test_verifying_needs_an_admins_key_and_looking_a_readers(world: World) -> None:
    assert _verify(world, {}, scope=WRITE).status == 403
    looked = world.stack.call("search", "GET", "/api/v1/search/quality", tenant=world.tenant, scope=READ)
    assert looked.status == 200


def test_verification_stays_within_the_tenant(world: World, neighbour: World, message: str) -> None:
    assert verify(neighbour)["checked"].get("messages", 0) == 0
    assert quality(world)["verification"] is None


def test_live_searches_are_measured_by_their_first_pages(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "recall", lambda: Recall(table(), rate=1.0))
    world.index(*(world.code(f"{n}.py", f"def number{n}(): return 'words'") for n in range(15)))
    assert len(world.search("number words")) == 10
    page = world.get(q="number words", limit=2)
    world.get(q="number words", limit=2, cursor=page.json["next_cursor"])
    found = quality(world)
    assert (found["queries"], found["recall"]) == (2, 1.0)


def test_a_search_that_finds_nothing_is_not_measured(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "recall", lambda: Recall(table(), rate=1.0))
    assert world.search("nothing") == []
    assert quality(world)["queries"] == 0


class _Hit:
    def __init__(self, source_id: str) -> None:
        self.info = type("Info", (), {"source_id": source_id})


def _hits(*names: str) -> Any:
    return [_Hit(name) for name in names]


def test_recall_adds_up_over_the_days_queries(world: World) -> None:
    recall = Recall(table(), rate=1.0)
    run(recall.sampled(world.tenant, "test-hash", _hits("a", "b"), lambda limit: _hits("b", "a")[:limit]))
    run(recall.sampled(world.tenant, "test-hash", _hits("a", "b"), lambda limit: _hits("a", "c")[:limit]))
    found = quality(world)
    assert (found["queries"], found["recall"]) == (2, 0.75)
    (day,) = found["days"]
    assert (day["index_id"], day["queries"], day["recall"]) == ("test-hash", 2, 0.75)


def test_an_answer_that_missed_everything_counts(world: World) -> None:
    run(Recall(table(), rate=1.0).sampled(world.tenant, "test-hash", [], lambda limit: _hits("a")[:limit]))
    assert quality(world)["recall"] == 0.0


def test_a_measurement_that_fails_does_not_fail_the_answer(world: World) -> None:
    def broken(_: int) -> Any:
        raise ValueError("no")

    run(Recall(table(), rate=1.0).sampled(world.tenant, "test-hash", _hits("a"), broken))
    assert quality(world)["queries"] == 0


def test_the_share_of_measured_searches_is_about_the_rate_and_never_by_chance() -> None:
    recall = Recall(table(), rate=0.1)
    chosen = [name for name in map(str, range(5000)) if recall.chooses(name)]
    assert 400 < len(chosen) < 600
    assert all(recall.chooses(name) for name in chosen)
    assert not any(Recall(table(), rate=0.0).chooses(name) for name in chosen)
