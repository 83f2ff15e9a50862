"""Repositories on a real git host on loopback, synced through the real handlers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.git_server import GitServer
from tests.integration.harness import Stack
from tests.integration.sync.support import Synced


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path) as server:
        yield server


@pytest.fixture
def synced(stack: Stack, host: GitServer) -> Synced:
    """Return a connected, empty repository, not synced yet."""
    return Synced.connect(stack, host, "project")
