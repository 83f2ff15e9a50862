"""Where repositories stood: what searches as of a moment or a commit are answered from."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from almanac import runtime
from almanac.aws import keys
from almanac.aws.table import Table, Update
from almanac.ids import new_id
from almanac.index.history import AmbiguousCommit, CommitNotIndexed, HeadHistory
from almanac.index.manifest import Head, Manifest
from almanac.index.visibility import AsOf
from infra.local.git_server import GitServer
from projects.sync.remote import MAX_BRANCHES
from tests.integration.harness import Stack
from tests.integration.sync.support import Synced

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = START + timedelta(days=365)
ONE, TWO, THREE = "1" * 40, "2" * 40, "12" + "3" * 38
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def table() -> Table:
    return Table("almanac", runtime.clients())


def moment(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def iso(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Past:
    """A tenant whose repositories' heads are given, not synced."""

    def __init__(self) -> None:
        self.tenant = new_id("ten")
        self.history = HeadHistory(table(), self.tenant)
        self.heads: dict[str, Head] = {}

    def stood(self, repository: str, run: int, hours: float, branches: Mapping[str, str], cited: str = "main") -> None:
        commit = branches.get(cited)
        head = Head(repository, run, commit, cited if commit else None, dict(branches))
        runtime.run(table().transact(self.history.record(head, iso(moment(hours)))))
        self.heads[repository] = head

    def as_of(self, asked: datetime | str) -> AsOf:
        return runtime.run(self.history.resolve(asked, self.heads, NOW)).as_of


@pytest.fixture
def past(stack: Stack) -> Past:
    return Past()


def test_as_of_a_moment_each_repository_is_at_its_last_run_by_then(past: Past) -> None:
    past.stood("rep_a", 1, 0, {"main": ONE})
    past.stood("rep_a", 2, 10, {"main": TWO})
    past.stood("rep_b", 7, 5, {"main": THREE})
    assert past.as_of(moment(-1)) == AsOf(micros(moment(-1)), {})
    assert past.as_of(moment(0)).runs == {"rep_a": 1}
    assert past.as_of(moment(5)).runs == {"rep_a": 1, "rep_b": 7}
    assert past.as_of(moment(9.9999)).runs == {"rep_a": 1, "rep_b": 7}
    assert past.as_of(iso(moment(10))) == AsOf(micros(moment(10)), {"rep_a": 2, "rep_b": 7})


def test_as_of_now_or_later_each_repository_is_where_it_is(past: Past) -> None:
    past.stood("rep_a", 1, 0, {"main": ONE})
    past.heads["rep_new"] = Head("rep_new", 3, ONE, "main", {"main": ONE})
    assert past.as_of(NOW).runs == {"rep_a": 1, "rep_new": 3}


def test_as_of_a_commit_all_is_as_of_the_moment_when_its_run_completed(past: Past) -> None:
    past.stood("rep_a", 1, 0, {"main": ONE})
    past.stood("rep_b", 4, 3, {"main": THREE})
    past.stood("rep_b", 5, 8, {"main": ONE[:-1] + "9"})
    past.stood("rep_a", 2, 6, {"main": TWO})
    past.stood("rep_a", 3, 9, {"main": ONE[:-1] + "8"})
    assert past.as_of(TWO) == AsOf(micros(moment(6)), {"rep_a": 2, "rep_b": 4})
    assert past.as_of(TWO[:7]) == past.as_of(TWO)
    assert past.as_of("22222222") == past.as_of(TWO)


def test_a_commit_that_was_a_head_several_times_means_the_last_time(past: Past) -> None:
    past.stood("rep_a", 1, 0, {"main": ONE})
    past.stood("rep_a", 2, 1, {"main": TWO})
    past.stood("rep_a", 3, 2, {"main": ONE})
    past.stood("rep_a", 10, 3, {"main": ONE, "dev": TWO})
    past.stood("rep_a", 11, 4, {"main": THREE})
    assert past.as_of(ONE) == AsOf(micros(moment(3)), {"rep_a": 10})


def test_a_commit_of_another_branch_shows_that_branch_only(past: Past) -> None:
    past.stood("rep_a", 1, 0, {"main": ONE, "dev": TWO, "also": TWO})
    assert past.as_of(ONE).branches == {}
    assert past.as_of(TWO) == AsOf(micros(moment(0)), {"rep_a": 1}, {"rep_a": "also"})
    past.stood("rep_a", 2, 1, {"dev": THREE, "main": THREE})
    assert past.as_of(THREE).branches == {}


def test_digits_that_fit_several_commits_are_answered_with_those(past: Past) -> None:
    past.stood("rep_a", 1, 0, {"main": "abcdef1" + "0" * 33})
    past.stood("rep_a", 2, 1, {"main": "abcdef1" + "f" * 33})
    with pytest.raises(AmbiguousCommit) as raised:
        past.as_of("abcdef1")
    assert raised.value.code == "ambiguous_commit"
    assert raised.value.extra["candidates"] == ["abcdef1" + "0" * 33, "abcdef1" + "f" * 33]
    assert past.as_of("abcdef1f").runs == {"rep_a": 2}
    assert past.as_of("ABCDEF1F").runs == {"rep_a": 2}


def test_a_commit_that_the_index_never_stood_at_is_answered_with_those_it_did(past: Past) -> None:
    for run in range(1, 9):
        past.stood("rep_a", run, run, {"main": str(run) * 40})
    with pytest.raises(CommitNotIndexed) as raised:
        past.as_of("9" * 40)
    error = raised.value
    assert (error.status, error.code, error.field) == (422, "commit_not_indexed", "query.as_of")
    assert [head["commit"][0] for head in error.extra["known"]] == ["8", "7", "6", "5", "4"]
    assert "888888888888" in error.detail


def test_the_past_of_a_repository_that_is_gone_is_not_told(past: Past) -> None:
    past.stood("rep_a", 1, 0, {"main": ONE})
    past.stood("rep_b", 1, 0, {"main": TWO})
    del past.heads["rep_a"]
    assert past.as_of(moment(1)).runs == {"rep_b": 1}
    with pytest.raises(CommitNotIndexed):
        past.as_of(ONE)


def test_a_repository_without_its_cited_branch_has_a_past_as_well(past: Past) -> None:
    past.stood("rep_a", 1, 0, {"dev": ONE})
    past.stood("rep_a", 2, 5, {"main": TWO})
    then = runtime.run(past.history.resolve(moment(1), past.heads, NOW))
    assert (then.heads["rep_a"].run, then.heads["rep_a"].commit, then.commits) == (1, None, {})


def test_another_tenants_commits_are_not_known(past: Past, stack: Stack) -> None:
    past.stood("rep_a", 1, 0, {"main": ONE})
    other = Past()
    other.heads = dict(past.heads)
    with pytest.raises(CommitNotIndexed) as raised:
        other.as_of(ONE)
    assert raised.value.extra["known"] == []


def resolve(synced: Synced, asked: datetime | str) -> AsOf:
    heads = runtime.run(Manifest(table(), synced.tenant).read()).heads
    return runtime.run(HeadHistory(table(), synced.tenant).resolve(asked, heads, datetime.now(UTC))).as_of


def test_every_completed_run_is_remembered(stack: Stack, host: GitServer) -> None:
    synced = Synced.connect(stack, host, "remembered", branch_pattern="*")
    first = synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    between = datetime.now(UTC)
    dev = synced.remote.commit({b"a.txt": b"two\n"}, branch="dev", parents=[first])
    second = synced.remote.commit({b"a.txt": b"three\n"})
    synced.sync()
    assert resolve(synced, between).runs == {synced.id: 1}
    assert resolve(synced, first) == AsOf(resolve(synced, first).moment, {synced.id: 1})
    assert resolve(synced, second).runs == resolve(synced, dev).runs == {synced.id: 2}
    assert (resolve(synced, second).branches, resolve(synced, dev).branches) == ({}, {synced.id: "dev"})
    assert resolve(synced, first).moment < micros(between) <= resolve(synced, second).moment


def test_a_later_run_never_completes_earlier(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"one\n"})
    synced.sync()
    last = synced.shown()["last_synced_at"]
    ahead = iso(datetime.fromisoformat(last) + timedelta(hours=1))
    runtime.run(table().write(Update(keys.repository(synced.tenant, synced.id), set={"last_synced_at": ahead})))
    second = synced.remote.commit({b"a.txt": b"two\n"})
    assert synced.sync()["last_synced_at"] == ahead
    assert resolve(synced, second).moment == micros(datetime.fromisoformat(ahead))


def test_a_run_of_as_many_branches_as_are_synced_completes(stack: Stack, host: GitServer) -> None:
    synced = Synced.connect(stack, host, "many", branch_pattern="*")
    base = synced.remote.commit({b"a.txt": b"base\n"})
    for number in range(MAX_BRANCHES + 3):
        synced.remote.commit({b"a.txt": b"%d\n" % number}, branch=f"branch-{number:03}", parents=[base])
    synced.request()
    synced.stack.relay()
    while synced.stack.deliver("Sync"):
        pass
    # More was asked for meanwhile: that takes a write of the completion, too.
    runtime.run(table().write(Update(keys.repository(synced.tenant, synced.id), add={"wanted": 1})))
    synced.stack.drain()
    shown = synced.shown()
    assert (shown["state"], len(shown["heads"])) == ("synced", MAX_BRANCHES)
    assert resolve(synced, synced.remote.tip("branch-090") or "").branches == {synced.id: "branch-090"}


def test_a_deleted_repository_leaves_no_history(synced: Synced) -> None:
    for number in range(3):
        synced.remote.commit({b"a.txt": b"%d\n" % number})
        synced.sync()
    assert past_items(synced) == {"past_head": 3, "past_commit": 3, "index_head": 1}
    synced.stack.call("projects", "DELETE", synced.path, tenant=synced.tenant)
    synced.stack.drain()
    assert past_items(synced) == {}


def past_items(synced: Synced) -> dict[str, int]:
    pages = synced.stack.client("dynamodb").get_paginator("scan").paginate(TableName="almanac")
    own: list[dict[str, Any]] = [
        item for page in pages for item in page["Items"] if item["pk"]["S"].startswith(f"TENANT#{synced.tenant}#")
    ]
    kinds = [item["entity"]["S"] for item in own]
    return {kind: kinds.count(kind) for kind in ("past_head", "past_commit", "index_head") if kind in kinds}
