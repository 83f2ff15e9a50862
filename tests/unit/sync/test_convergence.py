"""After any history, with deliveries dropped and repeated and workers killed anywhere, the index equals a fresh one."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from almanac.index.manifest import Manifest
from infra.local.git_server import GitServer
from projects.sync import completion
from tests.support.remotes import Remote
from tests.support.rows import Row, visible
from tests.unit.sync.world import World, count_requests

NAMES = [b"README.md", b"src/app.py", b"src/lib/util.py", b"caf\xe9.txt", b"data/big.json"]
CONTENTS: list[bytes | tuple[int, bytes]] = [
    b"alpha\n",
    b"beta beta\n",
    b"gamma = 1\n",
    b"\0binary",
    b"gr\xfc\xdfe\n",
    (0o120000, b"alpha\n"),
    (0o160000, b"1" * 40),
    (0o100755, b"alpha\n"),
]
BRANCHES = ["main", "dev", "topic"]


Step = tuple[Any, ...]


@dataclass
class History:
    """A remote under random changes."""

    remote: Remote
    files: dict[str, dict[bytes, bytes | tuple[int, bytes]]] = field(default_factory=dict)
    made: list[str] = field(default_factory=list)
    number: Iterator[int] = field(default_factory=count)

    def commit(self, branch: str, changes: dict[bytes, bytes | tuple[int, bytes] | None]) -> None:
        files = dict(self.files.get(branch, {}))
        for name, content in changes.items():
            files.pop(name, None)
            if content is not None:
                files[name] = content
        self.made.append(self.remote.commit(files, branch=branch, message=f"Change {next(self.number)}"))
        self.files[branch] = files

    def rename(self, branch: str, old: bytes, new: bytes) -> None:
        files = self.files.get(branch, {})
        if old in files and old != new:
            self.commit(branch, {old: None, new: files[old]})

    def move(self, branch: str, place: int) -> None:
        """Force the branch to any commit that ever was. The files follow with the next commit."""
        if self.made:
            self.remote.move(branch, self.made[place % len(self.made)])

    def remove(self, branch: str) -> None:
        if self.remote.tip(branch):
            self.remote.remove(branch)

    def merge(self, branch: str, other: str) -> None:
        tips = [tip for tip in (self.remote.tip(branch), self.remote.tip(other)) if tip]
        if len(tips) == 2:
            files = {**self.files.get(other, {}), **self.files.get(branch, {})}
            self.made.append(
                self.remote.commit(files, branch=branch, parents=tips, message=f"Merge {next(self.number)}")
            )
            self.files[branch] = files


names = st.sampled_from(NAMES)
branches = st.sampled_from(BRANCHES)
changes = st.dictionaries(names, st.one_of(st.none(), st.sampled_from(CONTENTS)), min_size=1, max_size=4)
deaths = st.one_of(st.integers(1, 35), st.none())
commits = st.tuples(st.just("commit"), branches, changes)
on_the_remote = st.one_of(
    st.tuples(st.just("commit"), st.just("main"), changes),
    commits,
    st.tuples(st.just("rename"), branches, names, names),
    st.tuples(st.just("move"), branches, st.integers(0, 9)),
    st.tuples(st.just("remove"), branches),
    st.tuples(st.just("merge"), branches, branches),
)
deliveries = st.tuples(st.just("deliver"), st.integers(0, 5), deaths, st.booleans(), st.booleans())
on_the_way = st.one_of(
    deliveries,
    deliveries,
    deliveries,
    st.tuples(st.just("together"), st.integers(1, 80)),
    st.tuples(st.just("repeat"), st.integers(0, 5)),
    st.tuples(st.just("lose"), st.integers(0, 5)),
    st.tuples(st.just("poison"), st.booleans()),
    st.tuples(st.just("wait")),
    st.tuples(st.just("wipe")),
    st.tuples(st.just("rebuild")),
)
rounds = st.tuples(
    st.lists(on_the_remote, min_size=1, max_size=3),
    st.tuples(st.just("push"), st.sampled_from([1, 1, 2, 0])),
    st.lists(on_the_way, max_size=6),
).map(lambda parts: [*parts[0], parts[1], *parts[2]])
histories = st.lists(rounds, min_size=1, max_size=6).map(lambda found: [step for steps in found for step in steps])


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    with GitServer(tmp_path_factory.mktemp("remotes")) as server:
        yield server


_number = count()


@given(histories, st.sampled_from([None, "*", "main"]), st.sampled_from([300.0, 20.0]))
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
def test_an_incremental_index_equals_a_fresh_one(
    host: GitServer,
    tmp_path_factory: pytest.TempPathFactory,
    history: list[Step],
    selection: str | None,
    lifetime: float,
) -> None:
    name = f"history-{next(_number)}"
    past = History(Remote(host.create(name)))
    world = World(tmp_path_factory.mktemp("cache"), lifetime=lifetime)
    pattern, branch = (selection, None) if selection == "*" else (None, selection)
    try:
        with pytest.MonkeyPatch.context() as patch:
            count_requests(world, patch)
            patch.setattr(completion, "MAX_FAILED_SOURCES", 1)
            tenant, repository = world.connect(host.url(name), branch=branch, pattern=pattern)
            for step in history:
                if not change(past, step):
                    happen(world, tenant, repository, step)
            world.poison = set()
            world.settle(tenant, repository)
            assert world.run(Manifest(world.table, tenant).read()).awaiting == {}
            other, twin = world.connect(host.url(name), branch=branch, pattern=pattern)
            world.settle(other, twin)
            assert rows(world, tenant) == rows(world, other)
            assert shown(world, tenant, repository) == shown(world, other, twin)
    finally:
        world.close()


def change(past: History, step: Step) -> bool:
    """Do a step on the remote; False when it is none."""
    match step:
        case ("commit", branch, files):
            past.commit(branch, files)
        case ("rename", branch, old, new):
            past.rename(branch, old, new)
        case ("move", branch, place):
            past.move(branch, place)
        case ("remove", branch):
            past.remove(branch)
        case ("merge", branch, other):
            past.merge(branch, other)
        case _:
            return False
    return True


def happen(world: World, tenant: str, repository: str, step: Step) -> None:
    """Do a step between the remote and the index."""
    world.relay()
    waiting = len(world.queue)
    match step:
        case ("push", copies):
            for _ in range(copies):
                world.push(tenant, repository)
        case ("deliver", place, kill_at, after_effect, outlives_lease) if waiting:
            world.store.kill_at, world.store.kill_after_effect = kill_at, after_effect
            world.deliver(place % waiting, outlives_lease=outlives_lease)
            world.store.revive()
        case ("together", stall_at):
            world.deliver_together(stall_at)
        case ("repeat", place) if waiting:
            world.queue.append(world.queue[place % waiting])
        case ("lose", place) if waiting:
            del world.queue[place % waiting]
        case _:
            disturb(world, tenant, repository, step)


def disturb(world: World, tenant: str, repository: str, step: Step) -> None:
    """Do a step that needs no message on its way."""
    match step:
        case ("poison", poisonous):
            world.poison = {"beta"} if poisonous else set()
        case ("wait",):
            world.seconds += 1_000
            world.push(tenant, repository, "reconcile")
        case ("rebuild",):
            world.rebuild(tenant, repository)
        case ("wipe",):
            world.new_environment()


def rows(world: World, tenant: str) -> list[Row]:
    return sorted(world.run(visible(tenant, world.table, world.blobs)))


def shown(world: World, tenant: str, repository: str) -> dict[str, object]:
    """Return what a person sees of the repository that its history must not change."""
    item = world.item(tenant, repository)
    counts = {name: value for name, value in item["counts"].items() if name != "chunks"}
    names = ("state", "heads", "head", "submodules", "attempted")
    return {**{name: item.get(name) for name in names}, "counts": counts}


def test_the_property_can_fail(tmp_path: Path, host: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    from projects.sync import run

    monkeypatch.setattr(run, "_states", lambda repository, current: [{}])
    past = History(Remote(host.create("forgetful")))
    world = World(tmp_path)
    try:
        tenant, repository = world.connect(host.url("forgetful"))
        past.commit("main", {b"README.md": b"alpha\n"})
        world.push(tenant, repository)
        world.drain()
        past.commit("main", {b"README.md": b"beta\n"})
        world.settle(tenant, repository)
        other, twin = world.connect(host.url("forgetful"))
        world.settle(other, twin)
        assert rows(world, tenant) != rows(world, other)
    finally:
        world.close()
