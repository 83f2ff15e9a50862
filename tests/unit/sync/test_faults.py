"""Faults that random histories seldom hit: lost answers, stalled workers, odd hosts, damaged disks."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from almanac.aws import keys
from almanac.clock import iso
from infra.local.git_server import GitServer
from projects.sync.emit import StepLimits
from projects.sync.objects import Objects
from projects.sync.records import STALE_SECONDS, Repository
from projects.sync.state import LeaseLost, SyncStore
from tests.support.memory import _S3, _Dynamo
from tests.support.remotes import Remote
from tests.support.rows import visible
from tests.unit.sync.world import World


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("remotes")) as server:
        yield server


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


class Synced:
    """A repository of the world, of one file at first."""

    def __init__(self, world: World, host: GitServer, name: str, **selection: Any) -> None:
        self.world, self.path = world, host.create(name)
        self.remote = Remote(self.path)
        self.remote.commit({b"a.txt": b"one\n"})
        self.tenant, self.id = world.connect(host.url(name), **selection)

    def sync(self, reason: str = "push") -> dict[str, Any]:
        self.world.push(self.tenant, self.id, reason)
        self.world.drain()
        return self.item

    @property
    def item(self) -> dict[str, Any]:
        return self.world.item(self.tenant, self.id)

    @property
    def files(self) -> dict[str, str]:
        found = self.world.run(visible(self.tenant, self.world.table, self.world.blobs))
        return {path: text for kind, path, _, text in found if kind == "code"}

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", "-C", str(self.path), *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def store(self, owner: str) -> SyncStore:
        return SyncStore(self.world.table, self.tenant, self.id, owner, "test", lambda: self.world.seconds)


@pytest.fixture
def synced(world: World, host: GitServer, request: pytest.FixtureRequest) -> Synced:
    return Synced(world, host, request.node.name)


def test_a_lease_whose_answer_was_lost_is_still_the_workers_own(
    synced: Synced, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = _Dynamo.update_item

    async def repeated_by_the_client(self: _Dynamo, **write: Any) -> Any:
        if ":_lease_owner" in write.get("ExpressionAttributeValues", {}):
            await update(self, **write)
        return await update(self, **write)

    monkeypatch.setattr(_Dynamo, "update_item", repeated_by_the_client)
    assert synced.sync()["state"] == "synced"
    assert synced.files == {"a.txt": "one"}


def test_a_worker_without_the_lease_does_not_take_a_run_over(synced: Synced) -> None:
    world = synced.world
    world.lifetime = 20
    world.push(synced.tenant, synced.id)
    world.deliver()
    stalled, other = synced.store("stalled"), synced.store("other")
    repository: Repository = world.run(stalled.acquire(counted=False))
    run = world.run(stalled.run(repository))
    world.seconds += 100
    world.run(other.acquire(counted=False))
    for takes_over in (stalled.resume, stalled.abandon):
        with pytest.raises(LeaseLost):
            world.run(takes_over(run))
    world.run(other.resume(run))


def test_a_worker_that_dies_before_its_run_began_is_missed_before_long(synced: Synced) -> None:
    world = synced.world
    synced.sync()
    for _ in range(8):
        world.seconds += 90_000
        synced.sync("reconcile")
    world.push(synced.tenant, synced.id)
    world.store.kill_at = 2
    world.deliver()
    assert synced.item["gsi2sk"] <= iso(world.seconds + STALE_SECONDS)


def test_a_failed_batch_with_many_versions_of_one_path_is_taken_apart(tmp_path: Path, host: GitServer) -> None:
    world = World(tmp_path, step=StepLimits())
    synced = Synced(world, host, "versions", pattern="*")
    synced.remote.commit({f"{number:02}.txt".encode(): b"%d\n" % number for number in range(31)})
    for number in range(60):
        text = "poison" if number == 7 else f"version {number}"
        synced.remote.commit({b"CHANGELOG": f"{text}\n".encode()}, branch=f"branch-{number}")
    world.poison = {"poison"}
    item = synced.sync()
    world.close()
    assert (item["state"], len(item["unindexed"]), item["counts"]["files"]) == ("synced", 1, 91)
    assert len(item["heads"]) == 61


def test_what_fails_again_and_again_is_tried_ever_less_often(synced: Synced) -> None:
    synced.remote.commit({b"a.txt": b"poison\n"})
    synced.world.poison = {"poison"}
    synced.sync()
    pauses = []
    for _ in range(5):
        synced.world.seconds += 90_000
        pauses.append(synced.sync("reconcile")["check_seconds"])
    assert pauses == sorted(pauses)
    assert pauses[-1] > 8 * pauses[0]


def test_a_delete_during_the_fetch_leaves_no_pack_behind(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    take, world = Objects.take, synced.world

    def deleted_meanwhile(self: Objects, *arguments: Any) -> str | None:
        name = take(self, *arguments)
        key = keys.repository(synced.tenant, synced.id)
        world.store.items[key]["state"] = {"S": "deleting"}
        return name

    monkeypatch.setattr(Objects, "take", deleted_meanwhile)
    assert synced.sync()["state"] == "deleting"
    assert world.store.objects == {}


def test_an_incomplete_pack_is_not_stored_and_the_next_one_heals(
    synced: Synced, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(self: Objects, name: bytes) -> None:
        raise KeyError(name)

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "require", lacking)
        item = synced.sync()
    assert (item["state"], item["last_error"]["code"]) == ("failed", "corrupt_pack")
    assert synced.world.store.objects == {}
    assert synced.sync()["state"] == "synced"


def test_a_damaged_local_copy_is_replaced_on_the_next_try(synced: Synced) -> None:
    world = synced.world
    synced.sync()
    (pack,) = world.cache.rglob("*.pack")
    pack.write_bytes(pack.read_bytes()[:40])
    synced.remote.commit({b"a.txt": b"two\n"})
    world.push(synced.tenant, synced.id)
    with pytest.raises(Exception):  # noqa: B017 - whatever the git library makes of it
        world.deliver()
    assert synced.sync()["state"] == "synced"
    assert synced.files == {"a.txt": "two"}


def test_a_download_that_fails_leaves_none_running(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    world, download = synced.world, _S3.download_file
    for number in range(3):
        synced.remote.commit({b"a.txt": f"{number}\n".encode()})
        synced.sync()
    world.new_environment()
    calls = 0

    async def failing(self: _S3, bucket: str, key: str, path: str) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise ConnectionError("reset")
        await download(self, bucket, key, path)

    monkeypatch.setattr(_S3, "download_file", failing)
    synced.remote.commit({b"a.txt": b"last\n"})
    world.push(synced.tenant, synced.id)
    with pytest.raises(ConnectionError):
        world.deliver()
    assert not list(world.cache.rglob("*.partial"))
    synced.sync()
    assert synced.files == {"a.txt": "last"}


def test_a_branch_that_leads_to_no_commit_is_a_failure_with_a_cause(synced: Synced) -> None:
    blob = synced.git("rev-parse", "main:a.txt")
    (synced.path / "refs" / "heads" / "main").write_text(f"{blob}\n")
    item = synced.sync()
    assert (item["state"], item["last_error"]["code"]) == ("failed", "corrupt_pack")


def test_a_proxy_of_the_environment_is_not_asked(synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert synced.sync()["state"] == "synced"


def test_a_sha256_repository_is_a_failure_with_a_cause(world: World, host: GitServer) -> None:
    path = host.directory / "sha256.git"
    subprocess.run(
        ["git", "init", "--quiet", "--bare", "--object-format=sha256", "--initial-branch=main", path], check=True
    )
    script = b"commit refs/heads/main\ncommitter A <a@b.c> 1 +0000\ndata 1\nx\nM 100644 inline a\ndata 1\nx\n"
    subprocess.run(["git", "-C", str(path), "fast-import", "--quiet"], input=script, check=True)
    (path / "git-daemon-export-ok").touch()
    tenant, repository = world.connect(host.url("sha256"))
    world.push(tenant, repository)
    world.drain()
    item = world.item(tenant, repository)
    assert (item["state"], item["last_error"]["code"]) == ("failed", "unsupported_object_format")


def test_a_shallow_remote_is_synced_as_far_as_its_history_goes(synced: Synced, host: GitServer) -> None:
    for number in range(5):
        synced.remote.commit({b"a.txt": f"{number}\n".encode()})
    shallow = host.create("shallow-clone")
    source = f"file://{synced.path}"
    subprocess.run(["git", "-C", str(shallow), "fetch", "-q", "--depth=2", source, "main:main"], check=True)
    tenant, repository = synced.world.connect(host.url("shallow-clone"))
    synced.world.push(tenant, repository)
    synced.world.drain()
    item = synced.world.item(tenant, repository)
    assert (item["state"], item["counts"]["commits"]) == ("synced", 2)


def test_a_detached_head_is_followed(synced: Synced) -> None:
    first = synced.git("rev-parse", "main")
    synced.remote.commit({b"a.txt": b"two\n"})
    (synced.path / "HEAD").write_text(f"{first}\n")
    item = synced.sync()
    assert (item["state"], item["heads"]) == ("synced", {"HEAD": first})
    assert synced.files == {"a.txt": "one"}


def test_a_head_without_its_branch_says_what_there_is(synced: Synced) -> None:
    (synced.path / "HEAD").write_text("ref: refs/heads/trunk\n")
    item = synced.sync()
    assert (item["state"], item["last_error"]["code"]) == ("failed", "branch_not_found")
    synced.git("branch", "-m", "main", "trunk")
    (synced.path / "HEAD").write_text("ref: refs/heads/trunk\n")
    assert (synced.sync()["state"], synced.files) == ("synced", {"a.txt": "one"})


def test_an_octopus_and_a_tag_change_nothing_of_the_rule(synced: Synced) -> None:
    base = synced.git("rev-parse", "main")
    sides = [synced.remote.commit({b"a.txt": b"one\n"}, branch=f"side{n}", parents=[base]) for n in range(4)]
    synced.remote.commit({b"a.txt": b"all\n"}, parents=[base, *sides], message="Octopus")
    synced.git("tag", "-a", "v1", "-m", "a tag", "main")
    item = synced.sync()
    assert (item["state"], item["counts"]["commits"]) == ("synced", 6)


@pytest.mark.parametrize("branch", ["caf\xe9", "feature/#1%20&x", "-dash", "\N{SNOWMAN}", "a'b\"c"])
def test_branches_have_any_name_that_git_allows(world: World, host: GitServer, branch: str) -> None:
    synced = Synced(world, host, f"odd-{branch.encode().hex()}", branch=branch)
    synced.remote.move(branch, synced.remote.tip("main") or "")
    assert synced.sync()["heads"] == {branch: synced.remote.tip("main")}
