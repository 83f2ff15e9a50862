"""A sync of a tenant that has as much content as it may."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from almanac.limits.quotas import added
from infra.local.git_server import GitServer
from tests.support.remotes import Remote
from tests.unit.sync.world import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "cache")
    yield made
    made.close()


def test_a_sync_beyond_the_quota_fails_with_the_cause_and_goes_on_when_there_is_room(
    world: World, tmp_path: Path
) -> None:
    with GitServer(tmp_path / "remotes") as host:
        remote = Remote(host.create("project"))
        remote.commit({b"a.txt": b"one\n"})
        tenant, repository = world.connect(host.url("project"))
        world.run(world.table.write(added(tenant, max_chunks=5, chunks=5)))
        world.push(tenant, repository)
        world.drain()
        item = world.item(tenant, repository)
        assert (item["state"], item["last_error"]["code"]) == ("failed", "quota_exceeded")
        assert "5 chunks" in item["last_error"]["message"]
        world.run(world.table.write(added(tenant, chunks=-5)))
        world.dependencies.usage._known.clear()
        world.push(tenant, repository, "requested")
        world.drain()
        assert world.item(tenant, repository)["heads"]
