"""What hosts say of repositories, and what the reconciler finds by itself."""

import time
from typing import Any

from almanac import runtime
from almanac.aws import keys, outbox
from almanac.aws.table import Put, Table, Update
from almanac.clock import iso
from almanac.events import RepositoryChanged
from almanac.worker.batch import Deadline
from infra.local.git_server import GitServer
from projects import reconciler, sync_worker
from tests.integration.harness import Context, Stack
from tests.integration.sync.support import Synced


def tell(synced: Synced, url: str | None) -> None:
    """Hand the worker what the webhook road queues."""
    message = RepositoryChanged(tenant_id=synced.tenant, correlation_id="test", repository_id=synced.id, url=url)
    runtime.run(sync_worker.work(message, Deadline(time.monotonic() + 60)))


def change(synced: Synced, **attributes: Any) -> None:
    update = Update(keys.repository(synced.tenant, synced.id), set=attributes)
    runtime.run(Table("almanac", runtime.clients()).write(update))


def reconcile() -> dict[str, int]:
    return reconciler.handler({}, Context())


def test_a_rename_on_the_host_is_followed(synced: Synced, host: GitServer) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    (host.directory / "project.git").rename(host.directory / "renamed.git")
    tell(synced, host.url("renamed"))
    synced.stack.drain()
    shown = synced.shown()
    assert (shown["url"], shown["name"], shown["state"]) == (host.url("renamed"), "renamed", "synced")
    again = synced.stack.call(
        "projects",
        "POST",
        f"/api/v1/projects/{synced.project}/repositories",
        {"url": host.url("renamed")},
        tenant=synced.tenant,
    )
    assert again.status == 409


def test_a_rename_to_another_host_is_not_believed(synced: Synced) -> None:
    before = synced.shown()["url"]
    for url in ("https://evil.example/a/b", "http://127.0.0.1:1/a", "file:///etc/passwd", "nonsense"):
        tell(synced, url)
        assert synced.shown()["url"] == before


def test_a_repository_that_is_gone_from_its_host_is_disconnected_and_stays_searchable(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    tell(synced, None)
    shown = synced.shown()
    assert (shown["state"], shown["last_error"]["code"]) == ("disconnected", "repository_deleted")
    assert synced.paths() == {"a.txt": "one"}
    assert "gsi2pk" not in synced.item()


def test_the_reconciler_finds_a_head_that_moved_without_a_delivery(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    synced.remote.commit({b"a.txt": b"two\n"})
    assert synced.item()["gsi2sk"] > iso(time.time() + 600)
    change(synced, gsi2sk=iso(time.time() - 1))
    assert reconcile()["repositories"] == 1
    assert reconcile()["repositories"] == 0
    synced.stack.drain()
    assert synced.paths() == {"a.txt": "two"}


def test_checks_become_rare_while_nothing_happens_and_frequent_when_something_does(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    pauses = []
    for _ in range(10):
        synced.sync()
        pauses.append(synced.item()["check_seconds"])
    assert pauses[0] == 1_800
    assert pauses == sorted(pauses)
    assert pauses[-1] == 86_400
    synced.remote.commit({b"a.txt": b"two\n"})
    synced.sync()
    assert synced.item()["check_seconds"] == 900


def test_the_reconciler_revives_a_run_whose_worker_died(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.request()
    synced.stack.relay()
    while synced.stack.deliver("Sync"):
        pass
    lost = synced.stack.outbox()
    for item in lost:
        synced.stack.client("dynamodb").delete_item(TableName="almanac", Key={"pk": item["pk"], "sk": item["sk"]})
    run_key = keys.sync_run(synced.tenant, synced.id, 1)
    table = Table("almanac", runtime.clients())
    runtime.run(table.write(Update(run_key, set={"progress_at": int(time.time()) - 2_000})))
    change(synced, gsi2sk=iso(time.time() - 1))
    assert reconcile()["repositories"] == 1
    synced.stack.drain()
    assert synced.shown()["state"] == "synced"
    assert synced.paths() == {"a.txt": "one"}


def test_the_reconciler_sends_what_the_relay_left_behind(stack: Stack, synced: Synced) -> None:
    stack.drain()
    old = outbox.message(synced.push_message())
    stuck = Put({**old.item, "gsi2sk": iso(time.time() - 120)})
    fresh = outbox.message(synced.push_message())
    table = Table("almanac", runtime.clients())
    runtime.run(table.transact([stuck, fresh]))
    assert reconcile()["messages"] == 1
    assert [item["sk"]["S"] for item in stack.outbox()] == [fresh.item["sk"]]
    assert stack.deliver("Sync") == 1


def test_a_delete_that_was_lost_is_asked_for_again(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    assert synced.stack.call("projects", "DELETE", synced.path, tenant=synced.tenant).status in {202, 204}
    for item in synced.stack.outbox():
        synced.stack.client("dynamodb").delete_item(TableName="almanac", Key={"pk": item["pk"], "sk": item["sk"]})
    change(synced, gsi2sk=iso(time.time() - 1))
    assert reconcile()["repositories"] == 1
    synced.stack.drain()
    assert synced.item() == {}
