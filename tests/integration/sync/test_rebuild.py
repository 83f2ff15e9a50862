"""Full runs: everything is sent again, and what earlier runs sent is not shown any more."""

import time
from typing import Any

import pytest

from almanac import runtime
from almanac.aws import keys
from almanac.aws.table import Table, Update
from almanac.events import ResendSources
from almanac.index.manifest import Head, Manifest
from almanac.index.sources import Kind
from almanac.worker.batch import Deadline
from infra.local.git_server import GitServer
from projects import sync_worker
from projects import worker as projects_worker
from projects.sync import run
from projects.sync.emit import Emission
from search import wiring as search_wiring
from tests.integration.sync.support import Synced, emitted_batches


def ask(synced: Synced, **body: Any) -> int:
    return synced.stack.call("projects", "POST", f"{synced.path}/sync", body, tenant=synced.tenant).status


def rebuild(synced: Synced, *, milliseconds: int = 120_000) -> dict[str, Any]:
    assert ask(synced, full=True) == 202
    synced.stack.drain(milliseconds=milliseconds)
    return synced.shown()


def head(synced: Synced) -> Head:
    table = Table("almanac", runtime.clients())
    return runtime.run(Manifest(table, synced.tenant).read()).heads[synced.id]


def lose_the_index(synced: Synced) -> None:
    """Take every segment out of the manifest, as if none had ever been written."""
    client = synced.stack.client("dynamodb")
    partition = keys.index_partition(synced.tenant)
    answer = client.query(
        TableName="almanac",
        KeyConditionExpression="pk = :pk AND begins_with(sk, :log)",
        ExpressionAttributeValues={":pk": {"S": partition}, ":log": {"S": "LOG#"}},
    )
    for item in answer["Items"]:
        client.delete_item(TableName="almanac", Key={"pk": item["pk"], "sk": item["sk"]})


def run_of(synced: Synced, number: int) -> dict[str, Any]:
    table = Table("almanac", runtime.clients())
    return runtime.run(table.get(keys.sync_run(synced.tenant, synced.id, number))) or {}


def test_a_full_sync_sends_everything_again_and_embeds_nothing(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n", b"b.txt": b"two\n"}, message="Begin")
    before = synced.sync()
    rows, texts = synced.rows(), len(search_wiring.embedder().embedded)  # type: ignore[attr-defined]
    lose_the_index(synced)
    assert synced.rows() == []
    after = rebuild(synced)
    assert synced.rows() == rows
    assert after["counts"]["files"] == before["counts"]["files"] == 2
    assert after["counts"]["commits"] == 1
    assert (after["state"], after["head"]) == ("synced", before["head"])
    assert len(search_wiring.embedder().embedded) == texts  # type: ignore[attr-defined]
    assert head(synced).floor == head(synced).run == 2


def test_a_full_sync_hides_what_should_not_be_there(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    synced.remote.commit({b"a.txt": b"one\n", b"gone.txt": b"gone\n"})
    synced.sync()
    synced.remote.commit({b"a.txt": b"one\n"})
    with monkeypatch.context() as patch:
        # A difference that was never sent.
        patch.setattr(Emission, "_add_entry", lambda *_: None)
        synced.sync()
    assert (head(synced).run, "gone.txt" in synced.paths()) == (2, True)
    rebuild(synced)
    assert synced.paths() == {"a.txt": "one"}


def test_a_full_sync_leaves_tombstones_for_what_is_gone_since(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n", b"gone.txt": b"gone\n"})
    synced.sync()
    synced.remote.commit({b"a.txt": b"one\n"})
    shown = rebuild(synced)
    assert (synced.paths(), shown["counts"]["files"]) == ({"a.txt": "one"}, 1)
    # Without the floor, as a search as of then is answered once there is another.
    key = keys.index_head(synced.tenant, synced.id)
    runtime.run(Table("almanac", runtime.clients()).write(Update(key, set={"floor": 0})))
    assert synced.paths() == {"a.txt": "one"}


def test_the_run_after_a_full_one_sends_only_differences_and_keeps_the_floor(synced: Synced) -> None:
    names = {f"f{n}.txt".encode(): b"%d\n" % n for n in range(20)}
    synced.remote.commit(names)
    synced.sync()
    rebuild(synced)
    synced.remote.commit({**names, b"f1.txt": b"new\n"})
    shown = synced.sync()
    assert (head(synced).run, head(synced).floor) == (3, 2)
    assert run_of(synced, 3)["files"] == 0
    assert run_of(synced, 3)["full"] is False
    assert run_of(synced, 3)["chunks"] == 2
    assert synced.paths()["f1.txt"] == "new"
    assert (len(synced.paths()), shown["counts"]["files"]) == (20, 20)
    runtime.run(sync_worker.work(synced.push_message(), Deadline(time.monotonic() + 60)))
    assert emitted_batches(synced.stack) == 0


def test_a_full_sync_goes_on_after_its_worker_was_killed(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {f"dir{n % 7}/file{n}.py".encode(): b"value = %d\n" % n for n in range(150)}
    synced.remote.commit(names)
    synced.sync()
    lose_the_index(synced)
    shown = rebuild(synced, milliseconds=40_000)
    assert synced.stack.invoked.count("Sync") > 3
    assert (len(synced.paths()), shown["counts"]["files"]) == (150, 150)
    assert (synced.item()["run"], head(synced).floor) == (2, 2)


def test_a_full_sync_that_is_asked_for_during_a_run_follows_it(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.request()
    synced.stack.relay()
    while synced.stack.deliver("Sync"):
        pass
    assert synced.item()["state"] == "indexing"
    assert ask(synced, full=True) == 202
    synced.stack.drain()
    assert (head(synced).run, head(synced).floor) == (2, 2)


def test_a_full_sync_asked_for_twice_before_it_begins_is_one(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    assert ask(synced, full=True) == ask(synced, full=True) == 202
    synced.stack.drain()
    assert (head(synced).run, head(synced).floor) == (2, 2)


def test_a_full_sync_that_is_abandoned_is_tried_again_in_full(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    ask(synced, full=True)
    synced.stack.relay()
    while synced.stack.deliver("Sync"):
        pass
    assert awaited(synced) == 1
    synced.stack.discard_messages()
    table = Table("almanac", runtime.clients())
    stuck = {"progress_at": 0, "nudges": run.MAX_NUDGES}
    runtime.run(table.write(Update(keys.sync_run(synced.tenant, synced.id, 2), set=stuck)))
    synced.sync()
    assert run_of(synced, 2)["done"] is True
    assert (head(synced).run, head(synced).floor) == (3, 3)
    assert (synced.paths(), awaited(synced)) == ({"a.txt": "one"}, 0)


def test_what_was_brought_in_is_rebuilt_without_its_host(synced: Synced, host: GitServer) -> None:
    synced.remote.commit({b"a.txt": b"one\n"}, message="Begin")
    shown = synced.sync()
    rows = synced.rows()
    lose_the_index(synced)
    (host.directory / "project.git").rename(host.directory / "away.git")
    after = rebuild(synced)
    assert synced.rows() == rows
    assert (after["state"], after["last_error"]["code"]) == ("failed", "repository_not_found")
    assert (after["head"], head(synced).floor) == (shown["head"], 2)
    (host.directory / "away.git").rename(host.directory / "project.git")
    after = synced.sync()
    assert (after["state"], after["last_error"]) == ("synced", None)
    assert head(synced).run == 2


def test_a_repository_that_was_never_brought_in_says_why_it_cannot_be_rebuilt(synced: Synced, host: GitServer) -> None:
    (host.directory / "project.git").rename(host.directory / "away.git")
    after = rebuild(synced)
    assert (after["state"], after["last_error"]["code"]) == ("failed", "repository_not_found")
    assert synced.item()["run"] == 0


def test_a_repository_is_sent_again_for_a_part_that_was_lost(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    rows = synced.rows()
    lose_the_index(synced)
    event = ResendSources(tenant_id=synced.tenant, correlation_id="c", repository_id=synced.id)
    for _ in range(2):
        runtime.run(projects_worker.work(event, Deadline(time.monotonic() + 60)))
    synced.stack.drain()
    assert (synced.rows(), head(synced).floor) == (rows, 2)


def test_a_repository_that_is_gone_is_not_sent_again(synced: Synced) -> None:
    synced.stack.call("projects", "DELETE", synced.path, tenant=synced.tenant)
    event = ResendSources(tenant_id=synced.tenant, correlation_id="c", repository_id=synced.id)
    for _ in range(2):
        runtime.run(projects_worker.work(event, Deadline(time.monotonic() + 60)))
        synced.stack.drain()
    assert synced.rows(Kind.CODE) == []
    assert synced.item() == {}


@pytest.mark.parametrize("body", [None, {}, {"full": False}])
def test_any_other_sync_is_of_differences(synced: Synced, body: Any) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    assert synced.stack.call("projects", "POST", f"{synced.path}/sync", body, tenant=synced.tenant).status == 202
    synced.stack.drain()
    assert (head(synced).run, head(synced).floor) == (1, 0)


def test_a_sync_is_refused_what_it_does_not_know(synced: Synced) -> None:
    assert ask(synced, full="perhaps") == 422
    assert ask(synced, fool=True) == 422


def awaited(synced: Synced) -> int:
    table = Table("almanac", runtime.clients())
    return len(runtime.run(Manifest(table, synced.tenant).read()).awaiting)


def test_batches_are_awaited_until_they_are_indexed_or_their_repository_is_deleted(synced: Synced) -> None:
    synced.remote.commit({f"f{n}.txt".encode(): b"%d\n" % n for n in range(100)})
    synced.request()
    synced.stack.relay()
    while synced.stack.deliver("Sync"):
        pass
    assert awaited(synced) == run_of(synced, 1)["pending"] > 2
    synced.stack.drain()
    assert awaited(synced) == 0
    ask(synced, full=True)
    synced.stack.relay()
    while synced.stack.deliver("Sync"):
        pass
    synced.stack.discard_messages()
    assert awaited(synced) > 2
    synced.stack.call("projects", "DELETE", synced.path, tenant=synced.tenant)
    synced.stack.drain()
    assert awaited(synced) == 0


def test_search_shows_a_rebuilt_repository_and_nothing_from_before(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"elephants never forget\n"}, message="Begin")
    synced.sync()
    lose_the_index(synced)
    assert found(synced, "elephants") == []
    rebuild(synced)
    assert found(synced, "elephants") == ["a.txt"]
    synced.remote.commit({b"b.txt": b"elephants swim\n"}, message="Second")
    synced.sync()
    assert found(synced, "elephants") == ["b.txt"]


def found(synced: Synced, words: str) -> list[str]:
    query = {"q": words, "kind": "code"}
    answer = synced.stack.call("search", "GET", "/api/v1/search", tenant=synced.tenant, query=query)
    assert answer.status == 200, answer.text
    return [hit["citation"]["path"] for hit in answer.json["items"]]
