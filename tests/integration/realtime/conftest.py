"""The WebSocket API's management endpoint on loopback, and a tenant whose events are followed."""

from collections.abc import Iterator

import pytest

from realtime import wiring
from tests.integration.harness import Stack
from tests.integration.realtime.world import Sockets, World, make_world, management

_CACHED = (wiring.settings, wiring.gateway, wiring.teller, wiring.standings)


@pytest.fixture(scope="session")
def _sockets() -> Iterator[Sockets]:
    with management() as (endpoint, sockets), pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALMANAC_REALTIME_ENDPOINT", endpoint)
        patch.setenv("ALMANAC_REALTIME_URL", "wss://live.test/live")
        yield sockets


@pytest.fixture
def world(stack: Stack, _sockets: Sockets) -> World:
    """Return a tenant with a project; nobody is remembered from another test."""
    for cached in _CACHED:
        cached.cache_clear()
    return make_world(stack, _sockets)
