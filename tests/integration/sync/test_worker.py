"""The sync worker among others of its kind: leases, continuations, poison, deaths."""

import time
from pathlib import Path
from typing import Any

import pytest

from almanac import runtime
from almanac.aws import keys
from almanac.aws.table import Table, Update
from almanac.embeddings.testing import HashEmbedder
from almanac.index.sources import Kind
from almanac.worker.batch import Deadline
from infra.local.git_server import GitServer
from projects import sync_worker
from projects.sync import run
from projects.sync.fetch import Fetcher
from tests.integration.harness import Stack
from tests.integration.sync.support import Synced


def test_a_long_sync_continues_in_the_next_message(synced: Synced) -> None:
    names = {f"dir{n % 7}/file{n}.py" for n in range(150)}
    synced.remote.commit({name.encode(): f"value = {name!r}\n".encode() for name in names})
    shown = synced.sync(milliseconds=40_000)
    assert synced.stack.invoked.count("Sync") > 3
    assert set(synced.paths()) == names
    assert shown["counts"]["files"] == 150
    assert synced.item()["run"] == 1


def test_two_pushes_at_once_end_at_the_newest_head(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    synced.remote.commit({b"a.txt": b"two\n"})
    fetched = Fetcher.fetch
    arrived: list[str] = []

    async def push_meanwhile(self: Fetcher) -> Any:
        answer = await fetched(self)
        if not arrived:
            arrived.append(synced.remote.commit({b"a.txt": b"three\n"}))
            await sync_worker.work(synced.push_message(), Deadline(time.monotonic() + 60))
        return answer

    monkeypatch.setattr(Fetcher, "fetch", push_meanwhile)
    shown = synced.sync()
    assert shown["head"] == arrived[0]
    assert synced.paths() == {"a.txt": "three"}
    assert shown["sync_requested"] is False


def test_a_push_during_indexing_is_served_when_the_run_completes(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.request()
    synced.stack.relay()
    while synced.stack.deliver("Sync"):
        pass
    assert synced.item()["state"] == "indexing"
    newest = synced.remote.commit({b"a.txt": b"two\n"})
    runtime.run(sync_worker.work(synced.push_message(), Deadline(time.monotonic() + 60)))
    assert synced.item()["run"] == 1
    synced.stack.drain()
    assert synced.shown()["head"] == newest
    assert synced.paths() == {"a.txt": "two"}


def test_a_lease_that_is_held_turns_a_worker_away_and_one_that_ran_out_does_not(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    hold(synced, until=int(time.time()) + 60)
    runtime.run(sync_worker.work(synced.push_message(), Deadline(time.monotonic() + 60)))
    assert (synced.item()["state"], synced.item()["lease_owner"]) == ("pending", "somebody")
    wanted = synced.item()["wanted"]
    hold(synced, until=int(time.time()) - 1)
    runtime.run(sync_worker.work(synced.push_message(), Deadline(time.monotonic() + 60)))
    assert synced.item()["wanted"] == wanted + 1
    assert "lease_owner" not in synced.item()
    synced.stack.drain()
    assert synced.paths() == {"a.txt": "one"}


def hold(synced: Synced, until: int) -> None:
    key = keys.repository(synced.tenant, synced.id)
    lease = Update(key, set={"lease_owner": "somebody", "lease_until": until})
    runtime.run(Table("almanac", runtime.clients()).write(lease))


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Words that the embedding model chokes on."""
    words: set[str] = set()
    embed = HashEmbedder.embed_documents

    async def choking(self: HashEmbedder, texts: Any) -> Any:
        if any(word in text for text in texts for word in words):
            raise ValueError("the model cannot take this text")
        return await embed(self, texts)

    monkeypatch.setattr(HashEmbedder, "embed_documents", choking)
    return words


def test_a_file_that_cannot_be_indexed_is_named_and_blocks_nothing(synced: Synced, poison: set[str]) -> None:
    poison.add("unspeakable")
    files = {f"f{n}.txt".encode(): f"text number {n}\n".encode() for n in range(5)}
    synced.remote.commit({**files, b"bad.txt": b"unspeakable\n"})
    shown = synced.sync()
    assert set(synced.paths()) == {f"f{n}.txt" for n in range(5)}
    assert shown["state"] == "synced"
    assert shown["counts"]["skipped"] == {"indexing_failed": 1}
    assert shown["last_error"]["code"] == "indexing_failed"
    assert "bad.txt" in shown["last_error"]["message"]
    poison.clear()
    shown = synced.sync()
    assert "bad.txt" in synced.paths()
    assert (shown["last_error"], shown["counts"]["skipped"]) == (None, {})


def test_a_host_that_fails_leaves_the_cause_and_what_was_synced(synced: Synced, host: GitServer) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    (host.directory / "project.git").rename(host.directory / "away.git")
    shown = synced.sync()
    assert (shown["state"], shown["last_error"]["code"]) == ("failed", "repository_not_found")
    assert synced.paths() == {"a.txt": "one"}
    assert synced.stack.dead_letters("Sync") == []
    (host.directory / "away.git").rename(host.directory / "project.git")
    shown = synced.sync()
    assert (shown["state"], shown["last_error"]) == ("synced", None)


def test_a_token_is_used_and_never_shown(stack: Stack, tmp_path: Path) -> None:
    with GitServer(tmp_path, token="s3cr3t-token") as server:
        synced = Synced.connect(stack, server, "private", access_token="s3cr3t-token")
        synced.remote.commit({b"a.txt": b"one\n"})
        shown = synced.sync()
        assert shown["state"] == "synced"
        assert "s3cr3t" not in str(shown)
        assert "s3cr3t" not in str(synced.item())


def test_a_repository_that_is_deleted_during_its_sync_stays_deleted(
    synced: Synced, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    fetched = Fetcher.fetch

    async def delete_meanwhile(self: Fetcher) -> Any:
        answer = await fetched(self)
        table = Table("almanac", runtime.clients())
        gone = Update(keys.repository(synced.tenant, synced.id), set={"state": "deleting"})
        await table.write(gone)
        return answer

    monkeypatch.setattr(Fetcher, "fetch", delete_meanwhile)
    synced.request()
    synced.stack.drain()
    assert synced.item()["state"] == "deleting"
    assert synced.rows(Kind.CODE) == []


def test_an_error_of_ours_is_tried_again_then_shown_and_dead_lettered(
    synced: Synced, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})

    async def broken(self: Fetcher) -> Any:
        raise KeyError("a secret detail")

    with monkeypatch.context() as patch:
        patch.setattr(Fetcher, "fetch", broken)
        shown = synced.sync()
    assert (shown["state"], shown["last_error"]["code"]) == ("failed", "attempts_exhausted")
    assert "secret detail" not in shown["last_error"]["message"]
    assert "lease_owner" not in synced.item()
    letters = synced.stack.dead_letters("Sync")
    assert {letter["code"] for letter in letters} == {"attempts_exhausted"}
    assert synced.sync()["state"] == "synced"


def test_a_re_sync_of_an_unchanged_repository_sends_nothing(synced: Synced) -> None:
    synced.remote.commit({f"f{n}.py".encode(): b"x = %d\n" % n for n in range(300)})
    synced.sync()
    runtime.run(sync_worker.work(synced.push_message(), Deadline(time.monotonic() + 60)))
    assert synced.stack.outbox() == []


def test_a_sync_that_kills_its_workers_rests_until_a_person_asks(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.stack.discard_messages()
    key = keys.repository(synced.tenant, synced.id)
    runtime.run(Table("almanac", runtime.clients()).write(Update(key, set={"starts": run.MAX_STARTS})))
    runtime.run(sync_worker.work(synced.push_message(), Deadline(time.monotonic() + 60)))
    shown = synced.shown()
    assert (shown["state"], shown["last_error"]["code"]) == ("failed", "unfinished")
    assert synced.item()["starts"] == 0
    assert synced.sync()["state"] == "synced"
