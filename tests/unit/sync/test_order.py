"""What a run sends first: what answers questions. A run goes on in the order that it began with."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from almanac.events import IndexSources
from almanac.index.sources import SourceBatch
from infra.local.git_server import GitServer
from projects.sync import state
from projects.sync.emit import StepLimits
from projects.sync.order import AS_WALKED, Rank, rank_of
from tests.support.remotes import Remote
from tests.unit.sync.world import World

FILES: dict[bytes, bytes | tuple[int, bytes]] = {
    b"README.md": b"what it is\n",
    b"app.py": b"run = 1\n",
    b"data/rows.csv": b"a,b\n1,2\n",
    b"docs/guide.md": b"how to\n",
    b"src/lib.py": b"lib = 1\n",
    b"src/lib_test.go": b"package lib\n",
    b"tests/test_app.py": b"assert run\n",
}


@pytest.mark.parametrize(
    ("path", "rank"),
    [
        (b"README", Rank.GUIDE),
        (b"docs/decisions/0001-why.md", Rank.GUIDE),
        (b"pkg/doc.rst", Rank.GUIDE),
        (b"src/app.py", Rank.CODE),
        (b"template.yaml", Rank.CODE),
        (b"src/testing_ground.py", Rank.CODE),
        (b"src/contest.py", Rank.CODE),
        (b"src/Latest.java", Rank.CODE),
        (b"tests/README.md", Rank.TEST),
        (b"pkg/test_app.py", Rank.TEST),
        (b"pkg/app_test.go", Rank.TEST),
        (b"web/app.spec.ts", Rank.TEST),
        (b"src/AppTest.java", Rank.TEST),
        (b"src/caf\xe9Test.java", Rank.TEST),
        (b"package-lock.json", Rank.DATA),
        (b"tests/fixtures/rows.py", Rank.DATA),
        (b"vendor/lib/README.md", Rank.DATA),
        (b"poetry.lock", Rank.DATA),
        (b"docs/logo.svg", Rank.DATA),
    ],
)
def test_a_files_rank_is_told_by_its_path(path: bytes, rank: Rank) -> None:
    assert rank_of(path) is rank


@given(st.binary(max_size=60))
def test_any_path_has_a_rank_of_a_file(path: bytes) -> None:
    assert rank_of(path) is not Rank.COMMIT


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A world in which every message does one step, and a step is one file."""
    made = World(tmp_path / "cache", lifetime=20, step=StepLimits(sources=1))
    yield made
    made.close()


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "remotes").mkdir()
    with GitServer(tmp_path / "remotes") as server:
        Remote(server.create("ordered")).commit(FILES)
        yield server.url("ordered")


def sent(world: World) -> list[str]:
    """Sync to the end, one message at a time; returns paths, and titles of commits, in their order."""
    names: list[str] = []
    while True:
        world.relay()
        if not world.queue:
            return names
        message = world.queue[0]
        if isinstance(message, IndexSources):
            body = world.run(world.blobs.get(message.batch_key))
            names += [source.path or source.title for source in SourceBatch.decode(body or b"").sources]
        world.deliver()


def test_what_answers_questions_is_sent_first(world: World, url: str) -> None:
    world.push(*world.connect(url))
    assert sent(world) == [
        "README.md",
        "docs/guide.md",
        "app.py",
        "src/lib.py",
        "src/lib_test.go",
        "tests/test_app.py",
        "Change",
        "data/rows.csv",
    ]


@pytest.mark.parametrize("steps", range(1, len(FILES) + 1))
def test_a_run_that_began_before_there_were_ranks_goes_on_as_it_began(world: World, url: str, steps: int) -> None:
    tenant, repository = world.connect(url)
    world.push(tenant, repository)
    with pytest.MonkeyPatch.context() as before:
        before.setattr(state, "BY_RANK", AS_WALKED)
        for _ in range(steps):
            world.deliver(next(n for n, message in enumerate(world.queue) if not isinstance(message, IndexSources)))
            world.relay()
    at_the_root_first = sorted(FILES, key=lambda path: (b"/" in path, path))
    assert sent(world) == [*(path.decode() for path in at_the_root_first), "Change"]
    assert world.item(tenant, repository)["counts"]["files"] == len(FILES)
